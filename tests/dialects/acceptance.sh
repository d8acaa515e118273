#!/usr/bin/env bash
# Writes the URLs that tests/edge/image_clients.rs asks a node for: nine of every client, for the pictures of that test.
# Boxes are small, so that slow encoders take no time in an unoptimised build.
set -euo pipefail
cd "$(dirname "$0")"

command=(generate.mjs --seed 11 --count 9 --box 240x180
  --source /landscape.jpg=600x450 --source /turned.jpg=600x450 --source /grey.jpg=800x600 --source /cmyk.jpg=800x600
  --source /leaf.jpg=533x800 --source /alpha.png=500x375)
made=../fixtures/image-clients.jsonl
./suite.sh >/dev/null
{
  echo "// made by tests/dialects/acceptance.sh: ${command[*]}"
  node "${command[@]}"
} >"$made.new"
mv "$made.new" "$made"
