#!/usr/bin/env bash
# Builds a program from crates.io once, into the tools folder, and prints its path.
#
#   cargo-tool.sh PROGRAM CRATE VERSION [CARGO INSTALL OPTION]...
#
# A program of that name on the PATH is taken as it is. Tools folder: OVERFALL_TOOLS, else ~/.cache/overfall/tools.
set -euo pipefail

program=$1 crate=$2 version=$3
shift 3
tools=${OVERFALL_TOOLS:-$HOME/.cache/overfall/tools}

if found=$(command -v "$program"); then
  echo "$found"
  exit 0
fi
mkdir -p "$tools/build"
# Two runs at once build one after the other, and the second finds the work done.
exec 9>"$tools/build/$crate.lock"
flock 9
if [ ! -x "$tools/bin/$program" ]; then
  echo "building $crate $version into $tools (once; some minutes)" >&2
  # These programs are used for minutes, not years: build them fast rather than make them fast.
  CARGO_TARGET_DIR=$tools/build/$crate CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo install "$crate" --version "$version" --locked --root "$tools" "$@" >&2
  rm -rf "$tools/build/${crate:?}"
fi
echo "$tools/bin/$program"
