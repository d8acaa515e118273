#!/usr/bin/env bash
# Installs what `make test` needs and prints the lines that the caller must evaluate (PATH, OVERFALL_GARAGE).
set -euo pipefail
cd "$(dirname "$0")"
tools=${OVERFALL_TOOLS:-$HOME/.cache/overfall/tools}

./build-tools.sh
./packages.sh chromium=chromium dig=bind9-dnsutils curl=curl flock=util-linux timeout=coreutils
for part in fmt:rustfmt clippy:clippy; do
  cargo "${part%%:*}" --version >/dev/null 2>&1 && continue
  command -v rustup >/dev/null || { echo "cargo ${part%%:*} is missing, and there is no rustup to add it" >&2; exit 1; }
  rustup component add "${part##*:}" >&2
done

./cargo-tool.sh cargo-nextest cargo-nextest 0.9.143 --no-default-features --features default-no-update >/dev/null
./cargo-tool.sh cargo-deny cargo-deny 0.20.2 >/dev/null
if garage=$(./garage.sh); then
  printf 'export OVERFALL_GARAGE=%q\n' "$garage"
else
  echo "garage could not be built: tests speak to an S3 server inside the test program instead" >&2
fi
printf 'export PATH=%q\n' "$PATH:$tools/bin"
