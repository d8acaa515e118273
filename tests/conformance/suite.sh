#!/usr/bin/env bash
# Puts the public tests of HTTP caches into the tools folder once, and prints their folder.
#
# Of the package's dependencies only node-fetch is needed to run them; the others draw its web page. npm checks what it
# fetches against the registry's digests.
set -euo pipefail
cd "$(dirname "$0")"

version=0.4.5
tools=${OVERFALL_TOOLS:-$HOME/.cache/overfall/tools}
folder=$tools/http-cache-tests-$version

../install/packages.sh node=nodejs npm=npm flock=util-linux tar=tar >&2
mkdir -p "$tools"
exec 9>"$tools/http-cache-tests.lock"
flock 9
if [ ! -e "$folder/complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  cd "$folder"
  echo '{ "private": true }' >package.json
  npm pack --silent "http-cache-tests@$version" >&2
  tar -xzf "http-cache-tests-$version.tgz"
  npm install --silent --no-save --no-package-lock --ignore-scripts --omit=dev --no-audit --no-fund node-fetch@2.7.0 >&2
  touch complete
fi
echo "$folder"
