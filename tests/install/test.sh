#!/usr/bin/env bash
# Every check, cheap ones first; stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

environment=$(tests/install/test-tools.sh)
eval "$environment"

step() {
  printf '\n==> %s\n' "$*"
  "$@"
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -Dwarnings
step cargo build --workspace --locked
step cargo nextest run --workspace --locked --profile "${NEXTEST_PROFILE:-default}"
step tests/conformance/run.sh
step cargo test --workspace --doc --locked
RUSTDOCFLAGS=-Dwarnings step cargo doc --workspace --no-deps --locked
step cargo deny --locked check bans licenses sources
step tests/install/advisories.sh
