#!/usr/bin/env bash
# The public tests of HTTP caches against a debug build, as a reverse proxy in front of the tests' own server.
#
#   run.sh [--verbose] [TEST-ID]...    (named tests only: their dialogue is shown with --verbose, and no bar applies)
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=$(tests/conformance/suite.sh)
cargo build --workspace --locked
exec node --no-warnings tests/conformance/run.mjs "$suite" "${CARGO_TARGET_DIR:-target}/debug/overfall" "$@"
