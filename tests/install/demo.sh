#!/usr/bin/env bash
# Builds and runs the demo. Arguments go to `overfall demo`; nothing but the demo writes to stdout.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests/install/build-tools.sh
cargo build --release --locked >&2
exec "${CARGO_TARGET_DIR:-target}/release/overfall" demo "$@"
