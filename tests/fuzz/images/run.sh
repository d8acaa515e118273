#!/usr/bin/env bash
# Fuzzes readers of image URLs and pictures with libFuzzer, one after the other, each for a bounded time.
#
#   run.sh [--seconds N] [TARGET]...        (60 seconds of each target when nothing else is said)
#
# Needs no nightly toolchain and no cargo-fuzz: what they add to the compiler's flags stands here, but for the address
# sanitizer, which safe code can do without. What breaks a target is kept under artifacts/, and belongs into corpus/TARGET
# once it is mended; what was learned on the way is kept in found/.
set -euo pipefail
cd "$(dirname "$0")"

seconds=60
if [ "${1:-}" = --seconds ]; then
  seconds=$2
  shift 2
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for file in fuzz_targets/*.rs; do
    targets+=("$(basename "$file" .rs)")
  done
fi
host=$(rustc -vV | sed -n 's/^host: //p')
flags=(--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1)
bins=()
for target in "${targets[@]}"; do bins+=(--bin "$target"); done
# with a target named, build scripts and macros are not instrumented
RUSTFLAGS="${flags[*]}" cargo build --release --target "$host" "${bins[@]}"

status=0
for target in "${targets[@]}"; do
  mkdir -p "found/$target" artifacts
  echo "==> $target, $seconds s"
  # an input that takes a second or half a gigabyte is a finding as well
  if ! "${CARGO_TARGET_DIR:-target}/$host/release/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 \
    -max_len=8192 -artifact_prefix="artifacts/$target-" -print_final_stats=1 -verbosity=0 \
    "found/$target" "corpus/$target"; then
    status=1
    echo "==> $target found something" >&2
  fi
done
exit $status
