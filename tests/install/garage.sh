#!/usr/bin/env bash
# Prints the path of garage, the S3 server of the tests, after building it if need be (four minutes on two cores, once).
#
# garage is AGPL: a program that tests start and speak S3 to, never a library that we link. Tests look at
# OVERFALL_GARAGE (a path), then in the tools folder; where there is neither they use an S3 server inside the test.
set -euo pipefail
cd "$(dirname "$0")"

if [ -n "${OVERFALL_GARAGE:-}" ]; then
  [ -x "$OVERFALL_GARAGE" ] || { echo "OVERFALL_GARAGE is not a program: $OVERFALL_GARAGE" >&2; exit 1; }
  echo "$OVERFALL_GARAGE"
  exit 0
fi
./packages.sh cc=gcc,libc6-dev make=make >&2
# One data base engine, no metrics, no second API: half the build.
exec ./cargo-tool.sh garage garage 2.5.0 --no-default-features --features bundled-libs,sqlite
