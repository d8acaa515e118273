#!/usr/bin/env bash
# What building takes besides the Rust toolchain: a C compiler with its headers (aws-lc, libwebp, zstd, lz4 and mimalloc
# are C), cmake with make for zlib-ng, which pingora compresses with, and for libaom, whose build also wants a C++ compiler,
# perl and nasm.
set -euo pipefail
cd "$(dirname "$0")"

./packages.sh cc=gcc,libc6-dev c++=g++ perl=perl-base /usr/include/stdlib.h=libc6-dev make=make cmake=cmake \
  nasm=nasm
if ! command -v cargo >/dev/null; then
  echo "cargo is missing: install the Rust toolchain, https://rustup.rs" >&2
  exit 1
fi
