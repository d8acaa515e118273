#!/usr/bin/env bash
# Renderings beside sharp in the same run: both on one core with one thread, the same files, the same transforms; they take
# turns, and every number is the median of RUNS. "by CPU" compares the CPU time of the whole process, which another load on
# the machine distorts less than the clock. Peaks are those of the whole process; sharp's has node's 60 MiB in it.
#
#   benches/images/run.sh [ROW...]   rows: W1 W1c W1o W2 W3 W4 W5p W5w W6 W7 W8 likeness; W5 is both; all when none is named
#   RUNS=3 SECONDS_EACH=3 CORE=1 OVERFALL_IMAGES=tests/fixtures/images
#
#   W1        12 to 22 MP JPEG to 800 px JPEG, quality 80, fast where there is a choice; W1c: careful
#   W1o       W1c beside oximg, its default encoder, instead of sharp
#   W2        the same to 200 x 200 JPEG, cut to fill
#   W3        the same to 800 px WebP, quality 75 (method 4 both)
#   W4        the same to 800 px AVIF, sharp at effort 2, ours at the quality that gives the same bytes within 5 %
#   W5p W5w   2000 px PNG with alpha to 400 px PNG, to 400 px WebP
#   W6        GIF of 40 frames to animated WebP of 320 px
#   W7        2 MP WebP to 640 px JPEG
#   W8        JPEG of 12 MP and more, encoded again at its size
#   likeness  SSIMULACRA2 to a reduction in floating point and linear light, at equal bytes: W1, W1c, W3 and W4 for each
#             photo and width. VERBOSE=1 prints each: difference to sharp, to our own encoder with the reduction itself as
#             its source, our score, sharp's
#
# Files are those of OVERFALL_IMAGES that fit a row; what is missing there is made from the demo's photos, and named.
# Needs: apt-get install nodejs npm util-linux, for W1o also g++ cmake nasm; fetches sharp from npm and oximg from crates.io
# into the tools folder.
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=${RUNS:-3}
seconds=${SECONDS_EACH:-3}
core=${CORE:-1}
images=${OVERFALL_IMAGES:-tests/fixtures/images}
tools=${OVERFALL_TOOLS:-$HOME/.cache/overfall/tools}
rows=" ${*:-W1 W1c W1o W2 W3 W4 W5 W6 W7 W8 likeness} "
rows=${rows// W5 / W5p W5w }

for tool in node npm taskset awk; do
  command -v "$tool" >/dev/null || { echo "missing: $tool (see the head of $0)" >&2; exit 1; }
done
sharp=$(benches/images/sharp.sh)
[[ $rows != *" W1o "* ]] || oximg=$(benches/images/oximg.sh)
cargo build --profile bench --locked --package overfall-imaging --example render
ours=${CARGO_TARGET_DIR:-target}/release/examples/render

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node benches/images/samples.mjs "$sharp" "$images" proxy/assets/demo/photos "$tools/bench-images" >"$work/samples" 2>"$work/made"

# Which files of the samples, what ours is asked for, what sharp is. Of several ways to ask ours, parted by |, the first
# that is not refused counts.
declare -A files=([W1]=large [W1c]=large [W1o]=large [W2]=large [W3]=large [W4]=large [W5p]=alpha [W5w]=alpha [W6]=animation [W7]=webp [W8]=large)
declare -A asked=(
  [W1]="w=800,f=jpeg,reduce=fast|w=800,f=jpeg"
  [W1c]="w=800,f=jpeg,reduce=careful|w=800,f=jpeg"
  [W1o]="w=800,f=jpeg,reduce=careful"
  [W2]="w=200,h=200,fit=cover,q=80,f=jpeg"
  [W3]="w=800,f=webp"
  [W4]="w=800,f=avif"
  [W5p]="w=400,f=png"
  [W5w]="w=400,q=80,f=webp"
  [W6]="w=320,q=80,f=webp"
  [W7]="w=640,q=80,f=jpeg"
  [W8]="q=80,f=jpeg"
)
declare -A quality=([W1]=80 [W1c]=80 [W1o]=80 [W3]=75)
declare -A peer=(
  [W1]="w=800,q=80,f=jpeg"
  [W1c]="w=800,q=80,f=jpeg"
  [W1o]="w=800,q=80,preset=default"
  [W2]="w=200,h=200,fit=cover,q=80,f=jpeg"
  [W3]="w=800,q=75,f=webp,effort=4"
  [W4]="w=800,q=50,f=avif,effort=2"
  [W5p]="w=400,f=png"
  [W5w]="w=400,q=80,f=webp,effort=4"
  [W6]="w=320,q=80,f=webp,effort=4,anim=true"
  [W7]="w=640,q=80,f=jpeg"
  [W8]="q=80,f=jpeg"
)

theirs() { node benches/images/peer.mjs "$sharp" "$@"; }
pinned() { taskset -c "$core" "$@"; }
middle() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

accepted() { # ROW FILE -> the first transform that ours does not refuse; else its reason, status 1
  local transform reason
  IFS='|' read -ra ways <<<"${asked[$1]}"
  for transform in "${ways[@]}"; do
    reason=$("$ours" write "$2" "$transform" "$work/one") && { echo "$transform"; return 0; }
  done
  echo "$reason"
  return 1
}

at_bytes() { # FILE TRANSFORM BYTES -> the quality whose rendering is closest to BYTES
  local low low_bytes high high_bytes
  read -r low low_bytes high high_bytes < <("$ours" match "$1" "$2" "$3" "$work/at")
  awk -v b="$3" -v l="$low" -v lb="$low_bytes" -v h="$high" -v hb="$high_bytes" \
    'BEGIN { print (b - lb) * (b - lb) <= (hb - b) * (hb - b) ? l : h }'
}

speed() { # ROW FILE TRANSFORM
  local row=$1 file=$2 transform=$3 column mine his
  : >"$work/mine"
  : >"$work/his"
  for _ in $(seq "$runs"); do
    pinned "$ours" time "$file" "$transform" "$seconds" >>"$work/mine"
    if [ "$row" = W1o ]; then
      pinned "$oximg" time "$file" "${peer[$row]}" "$seconds" >>"$work/his"
    else
      pinned node benches/images/peer.mjs "$sharp" time "$file" "${peer[$row]}" "$seconds" >>"$work/his"
    fi
  done
  mine=$(for column in 1 2 3 4; do cut -d' ' -f$column "$work/mine" | middle; done | xargs)
  his=$(for column in 1 2 3 4; do cut -d' ' -f$column "$work/his" | middle; done | xargs)
  # width, height and frames: a rendering of another shape is no comparison
  if [ "$(head -n 1 "$work/mine" | cut -d' ' -f5-)" != "$(head -n 1 "$work/his" | cut -d' ' -f5-)" ]; then
    printf '%-4s %-28s not available: ours is of %s, sharp of %s (width, height, frames)\n' "$row" "$(basename "$file")" \
      "$(head -n 1 "$work/mine" | cut -d' ' -f5-)" "$(head -n 1 "$work/his" | cut -d' ' -f5-)"
    return 0
  fi
  echo "$mine $his" | awk -v row="$row" -v name="$(basename "$file")" -v how="$transform" '{
    printf "%-4s %-28s %8.2f %8.2f %6.2f %6.2f %9d %9d %5d %5d   %s\n", row, name, $1, $5, $1 / $5, $2 / $6, $3, $7, $4 / 1024, $8 / 1024, how
  }'
  echo "$mine $his" | awk -v row="$row" '{print row, $1 / $5, $2 / $6, $3 / $7}' >>"$work/ratios"
}

interpolated() { # SCORE-LOW SCORE-HIGH BYTES BYTES-LOW BYTES-HIGH -> the score between two qualities, by bytes
  awk -v l="$1" -v h="$2" -v b="$3" -v lb="$4" -v hb="$5" 'BEGIN {
    part = hb > lb ? (log(b) - log(lb)) / (log(hb) - log(lb)) : 0
    part = part < 0 ? 0 : part > 1 ? 1 : part
    printf "%.3f", l + (h - l) * part
  }'
}

likeness() { # ROW PHOTO WIDTH -> scores at equal bytes into $work/scores: ours, sharp's, ours with nothing to reduce
  local row=$1 photo=$2 width=$3 transform bytes low high low_full high_full name size scores own full
  transform=$(accepted "$row" "$photo")
  transform=${transform/w=800/w=$width}
  bytes=$(theirs write "$photo" "${peer[$row]/w=800/w=$width}" "$work/his")
  if [ "$photo" != "${source_of:-}" ]; then
    theirs decode "$photo" "$work/source.ppm" >/dev/null
    source_of=$photo
  fi
  size=$(theirs decode "$work/his" "$work/his.ppm")
  # shellcheck disable=SC2086
  "$ours" reduce "$work/source.ppm" $size "$work/reduced.png" >/dev/null
  read -r _ low _ high < <("$ours" match "$photo" "$transform" "$bytes" "$work/mine")
  read -r _ low_full _ high_full < <("$ours" match "$work/reduced.png" "$transform" "$bytes" "$work/full")
  for name in mine.low mine.high full.low full.high; do theirs decode "$work/$name" "$work/$name.ppm" >/dev/null; done
  read -ra scores < <("$ours" score "$work/source.ppm" "$work/"{his,mine.low,mine.high,full.low,full.high}.ppm)
  own=$(interpolated "${scores[1]}" "${scores[2]}" "$bytes" "$low" "$high")
  full=$(interpolated "${scores[3]}" "${scores[4]}" "$bytes" "$low_full" "$high_full")
  echo "$own ${scores[0]} $full $(basename "$photo") $width" |
    awk -v row="$row" '{printf "%s %.3f %.3f %.3f %.3f %s at %s\n", row, $1 - $2, $1 - $3, $1, $2, $4, $5}' >>"$work/scores"
}

summary() { # COLUMN -> median and worst of the differences in a column of $work/scores
  sort -k"$1" -n "$work/scores" | awk -v column="$1" '
    { d[NR] = $column; if (NR == 1) worst = $6 " at " $8 }
    END { printf "median %+.2f, worst %+.2f (%s), best %+.2f", (d[int((NR + 1) / 2)] + d[int((NR + 2) / 2)]) / 2, d[1], worst, d[NR] }'
}

echo "machine: $(nproc) cores, $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo), load $(cut -d' ' -f1 /proc/loadavg); commit $(git rev-parse --short HEAD 2>/dev/null || echo none)"
echo "$(theirs versions); at least $seconds s, median of $runs, core $core"
cat "$work/made"

if [[ $rows =~ \ W ]]; then
  printf '\n%-4s %-28s %8s %8s %6s %6s %9s %9s %5s %5s   %s\n' row file "ours/s" "sharp/s" ratio "by CPU" bytes sharp MiB sharp transform
  : >"$work/ratios"
  for row in $rows; do
    [ "$row" != likeness ] || continue
    [ -n "${asked[$row]:-}" ] || { echo "no such row: $row" >&2; exit 1; }
    while read -r file; do
      transform=$(accepted "$row" "$file") || {
        printf '%-4s %-28s not available: %s\n' "$row" "$(basename "$file")" "$transform"
        continue
      }
      if [ -n "${quality[$row]:-}" ]; then
        transform+=,q=${quality[$row]}
      elif [ "$row" = W4 ]; then
        transform+=,q=$(at_bytes "$file" "$transform" "$(theirs write "$file" "${peer[$row]}" "$work/his.bin")")
      fi
      speed "$row" "$file" "$transform"
    done < <(awk -F'\t' -v role="${files[$row]}" '$1 == role {print $2}' "$work/samples")
  done
  printf '\n%-4s %28s %24s %6s %9s\n' row "geometric mean of the files" ratio "by CPU" "bytes"
  for row in $rows; do
    awk -v row="$row" '
      $1 == row { n++; wall += log($2); cpu += log($3); bytes += log($4) }
      END { if (n) printf "%-4s %28s %24.2f %6.2f %9.2f\n", row, n (n == 1 ? " file" : " files"), exp(wall / n), exp(cpu / n), exp(bytes / n) }' \
      "$work/ratios"
  done
fi

if [[ $rows == *" likeness "* ]]; then
  printf '\nlikeness (SSIMULACRA2 at equal bytes)\n'
  first=$(awk -F'\t' '$1 == "photo" {print $2; exit}' "$work/samples")
  for row in W1 W1c W3 W4; do
    : >"$work/scores"
    reason=$(accepted "$row" "$first") || { printf '%-4s not available: %s\n' "$row" "$reason"; continue; }
    while IFS=$'\t' read -r photo width; do
      likeness "$row" "$photo" "$width"
    done < <(awk -F'\t' '$1 == "photo" {print $2 "\t" $3}' "$work/samples")
    printf '%-4s %d renderings, mean %s\n' "$row" "$(wc -l <"$work/scores")" \
      "$(awk '{ours += $4; his += $5} END {printf "ours %.2f, sharp %.2f", ours / NR, his / NR}' "$work/scores")"
    printf '       ours to sharp: %s\n' "$(summary 2)"
    printf '       ours to our own encoder with nothing to reduce: %s\n' "$(summary 3)"
    [ -z "${VERBOSE:-}" ] || sort -k2 -n "$work/scores" | sed 's/^/       /'
  done
fi
