#!/usr/bin/env bash
# Puts the clients of image services, which make URLs, into the tools folder once, and prints their folder.
#
# Of @nuxt/image only the providers run, so that its package is unpacked and its framework is not installed. npm checks what
# it fetches against the registry's digests.
set -euo pipefail
cd "$(dirname "$0")"

unpic=4.2.2
nuxt_image=2.1.0
imgproxy=1.1.0
imgix=3.8.0
tools=${OVERFALL_TOOLS:-$HOME/.cache/overfall/tools}
folder=$tools/image-clients-$unpic-$nuxt_image-$imgproxy-$imgix

../install/packages.sh node=nodejs npm=npm flock=util-linux tar=tar >&2
mkdir -p "$tools"
exec 9>"$tools/image-clients.lock"
flock 9
if [ ! -e "$folder/complete" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  cd "$folder"
  echo '{ "private": true }' >package.json
  npm install --silent --no-save --no-package-lock --ignore-scripts --omit=dev --no-audit --no-fund \
    "unpic@$unpic" "@imgproxy/imgproxy-node@$imgproxy" "@imgix/js-core@$imgix" ufo@1.6.1 @noble/hashes@2.0.1 >&2
  npm pack --silent "@nuxt/image@$nuxt_image" >&2
  mkdir -p nuxt-image
  tar -xzf "nuxt-image-$nuxt_image.tgz" -C nuxt-image --strip-components 1
  touch complete
fi
echo "$folder"
