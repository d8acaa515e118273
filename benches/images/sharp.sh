#!/usr/bin/env bash
# Puts sharp into the tools folder once, and prints its folder.
#
# sharp ships libvips and its codecs inside packages of the registry, so that nothing is built and no script runs. npm
# checks what it fetches against the registry's digests.
set -euo pipefail
cd "$(dirname "$0")"

version=0.35.5
tools=${OVERFALL_TOOLS:-$HOME/.cache/overfall/tools}
folder=$tools/sharp-$version

../../tests/install/packages.sh node=nodejs npm=npm flock=util-linux >&2
mkdir -p "$tools"
exec 9>"$tools/sharp.lock"
flock 9
if [ ! -e "$folder/complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  cd "$folder"
  echo '{ "private": true }' >package.json
  npm install --silent --no-save --no-package-lock --ignore-scripts --omit=dev --no-audit --no-fund "sharp@$version" >&2
  touch complete
fi
echo "$folder"
