#!/usr/bin/env bash
# Builds oximg's runner into the tools folder once, and prints its path. Needs a C++ compiler, cmake and nasm for its codecs.
set -euo pipefail
cd "$(dirname "$0")"

../../tests/install/packages.sh c++=g++ cmake=cmake nasm=nasm >&2
tools=${OVERFALL_TOOLS:-$HOME/.cache/overfall/tools}
CARGO_TARGET_DIR=$tools/oximg cargo build --release --locked --quiet --manifest-path oximg/Cargo.toml >&2
echo "$tools/oximg/release/oximg-runner"
