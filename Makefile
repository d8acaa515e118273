# One line per target; the work is in cargo and in the scripts.
# ARGS go to `overfall demo`: make demo ARGS=--json

.DEFAULT_GOAL := help
.PHONY: help demo test conformance faults build image-load image-urls fuzz bench bench-http bench-images clean

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

demo: ## install what the build needs, build, run the demo (Ctrl-C stops it)
	@exec tests/install/demo.sh $(ARGS)

test: ## install what the tests need, run every check
	@exec tests/install/test.sh

conformance: ## the public tests of HTTP caches against a debug build; ARGS: [--verbose] [TEST-ID]...
	@exec tests/conformance/run.sh $(ARGS)

faults: ## a minute of load on the release build for each kind of fault behind the edge
	OVERFALL_FAULTS_SECONDS=60 cargo nextest run --release --locked --test edge --test-threads 1 --no-capture faults::

image-load: ## crowds of renderings against the release build: memory, overload, deadlines
	cargo nextest run --release --locked --test edge --test-threads 1 --no-capture image_crowd:: image_load:: image_safety:: image_workers::

image-urls: ## the URLs that image tests ask for, made anew by the services' own clients (npm)
	@exec tests/dialects/acceptance.sh

fuzz: ## the readers of image URLs and pictures, each for a minute; ARGS: [--seconds N] [TARGET]...
	@tests/install/build-tools.sh && exec tests/fuzz/images/run.sh $(ARGS)

build: ## release binary: target/release/overfall
	cargo build --release --locked

bench: ## micro-benchmarks
	cargo bench --locked --package overfall --benches

bench-http: ## hits over HTTP beside nginx and Varnish
	@tests/install/packages.sh nginx=nginx-light varnishd=varnish wrk=wrk h2load=nghttp2-client curl=curl taskset=util-linux python3=python3-minimal && exec benches/load/run.sh

bench-images: ## renderings beside sharp; ARGS: [ROW]... of W1 W1c W1o W2 W3 W4 W5 W6 W7 W8 likeness
	@tests/install/build-tools.sh && tests/install/packages.sh node=nodejs npm=npm taskset=util-linux && exec benches/images/run.sh $(ARGS)

clean: ## remove what was built
	cargo clean
