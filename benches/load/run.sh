#!/usr/bin/env bash
# Memory hits over HTTP/1.1: overfall beside nginx and Varnish in the same run. Servers are pinned to core 0, the generator
# to core 1; servers take turns, and every number is the median of RUNS. CPU is what the server's processes used (user
# and system), which another load on the machine distorts less than requests per second.
#
#   benches/load/run.sh [ROW...]   rows: small large many paced; all of them when none is named
#   RUNS=3 SECONDS_EACH=5 SERVERS="nginx varnish overfall" OVERFALL=target/release/overfall
#
#   small   1 KiB over 64 connections, as fast as it goes
#   large   32 KiB over 64 connections
#   many    1 KiB over 1 000 connections
#   paced   1 KiB at 8 000 requests/s over 64 connections
#
# Needs: apt-get install nginx-light varnish wrk nghttp2-client util-linux curl python3
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=${RUNS:-3}
seconds=${SECONDS_EACH:-5}
servers=${SERVERS:-nginx varnish overfall}
overfall=${OVERFALL:-${CARGO_TARGET_DIR:-target}/release/overfall}
rows=${*:-small large many paced}

for tool in nginx wrk h2load taskset curl python3; do
  command -v "$tool" >/dev/null || { echo "missing: $tool (see the head of $0)" >&2; exit 1; }
done
[[ $servers != *varnish* ]] || command -v varnishd >/dev/null || { echo "missing: varnishd" >&2; exit 1; }
[ -x "$overfall" ] || cargo build --release --locked
ulimit -n 65536 2>/dev/null || true

work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
declare -A port pid
for name in origin nginx varnish overfall; do port[$name]=$(free_port); done

# started by root, nginx would give its worker to somebody who can't enter the temporary folder
user=$([ "$(id -u)" = 0 ] && echo "user root;" || true)
for file in nginx.conf varnish.vcl overfall.toml; do
  sed -e "s|@WORK@|$work|g; s|@USER@|$user|; s|@ORIGIN@|${port[origin]}|g; s|@NGINX@|${port[nginx]}|g" \
    -e "s|@OVERFALL@|${port[overfall]}|g" "benches/load/$file" >"$work/$file"
done
mkdir -p "$work/www" "$work/nginx-cache" "$work/nginx-tmp"
for size in 1024 32768; do head -c "$size" /dev/urandom >"$work/www/$size.bin"; done

taskset -c 0 nginx -p "$work" -c "$work/nginx.conf" &
pid[nginx]=$!
pids+=($!)
if [[ $servers == *varnish* ]]; then
  jail=$([ "$(id -u)" = 0 ] && echo "-j none" || true)
  # shellcheck disable=SC2086
  taskset -c 0 varnishd -F $jail -n "$work/varnish" -a "127.0.0.1:${port[varnish]}" -f "$work/varnish.vcl" \
    -s malloc,256m >"$work/varnish.log" 2>&1 &
  pid[varnish]=$!
  pids+=($!)
fi
taskset -c 0 "$overfall" run --config "$work/overfall.toml" 2>"$work/overfall.log" &
pid[overfall]=$!
pids+=($!)

wait_for() {
  for _ in $(seq 100); do
    curl -fsS -o /dev/null "$1" 2>/dev/null && return 0
    read -rt 0.1 <> <(:) || true
  done
  echo "no answer from $1" >&2
  tail -n 20 "$work"/*.log >&2
  exit 1
}

family() { # PID -> it and its children
  echo "$1"
  local child
  for child in $(pgrep -P "$1"); do family "$child"; done
}

cpu_us() { # PID... -> user and system time in microseconds
  local each
  for each in "$@"; do sed 's/.*) //' "/proc/$each/stat"; done |
    awk -v hz="$(getconf CLK_TCK)" '{t += $12 + $13} END {printf "%d", t * 1000000 / hz}'
}

resident_kib() { for each in "$@"; do awk '/^VmRSS/ {print $2}' "/proc/$each/status"; done | awk '{s += $1} END {print s}'; }

unbound() { # URL CONNECTIONS -> requests/s, p99 in us, requests
  taskset -c 1 wrk -t1 -c"$2" -d"${seconds}s" --latency "$1" >"$work/out"
  awk '
    function us(text) {
      if (text ~ /us$/) return text + 0
      if (text ~ /ms$/) return text * 1000
      return text * 1000000
    }
    / 99%/ { p99 = us($2) }
    /requests in/ { count = $1 }
    /^Requests\/sec/ { rate = $2 }
    /Non-2xx|Socket errors/ { print > "/dev/stderr" }
    END { printf "%.0f %.0f %d", rate, p99, count }' "$work/out"
}

paced() { # URL REQUESTS/S -> the same
  rm -f "$work/times"
  taskset -c 1 h2load --h1 -c64 -t1 -D"$seconds" --warm-up-time=1 --rps=$(($2 / 64)) --log-file="$work/times" "$1" >"$work/out"
  sort -k3 -n "$work/times" |
    awk -v s="$seconds" '$2 != 200 { print "status " $2 > "/dev/stderr" } { t[NR] = $3 }
      # the warm-up second counts for the CPU time alone
      END { printf "%.0f %.0f %d", NR / s, t[int(NR * 0.99) + 1], NR * (s + 1) / s }'
}

once() { # SERVER ROW -> requests/s, p99 in us, CPU us/request, KiB
  local url=http://127.0.0.1:${port[$1]}/1024.bin family before result
  mapfile -t family < <(family "${pid[$1]}")
  before=$(cpu_us "${family[@]}")
  case $2 in
    small) result=$(unbound "$url" 64) ;;
    large) result=$(unbound "${url/1024/32768}" 64) ;;
    many) result=$(unbound "$url" 1000) ;;
    paced) result=$(paced "$url" 8000) ;;
    *) echo "no such row: $2" >&2; exit 1 ;;
  esac
  echo "$result $before $(cpu_us "${family[@]}") $(resident_kib "${family[@]}")" |
    awk '{printf "%s %s %.2f %d\n", $1, $2, ($5 - $4) / $3, $6}'
}

middle() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

for name in $servers; do
  for size in 1024 32768; do
    for _ in 1 2 3; do wait_for "http://127.0.0.1:${port[$name]}/$size.bin"; done
  done
done
echo "machine: $(nproc) cores, $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo); commit $(git rev-parse --short HEAD 2>/dev/null || echo none)"
echo "nginx $(nginx -v 2>&1 | awk -F/ '{print $2}'); $(varnishd -V 2>&1 | awk 'NR == 1 {print $1, $2}' || true); $seconds s, median of $runs"
for row in $rows; do
  for name in $servers; do : >"$work/$row.$name"; done
  for _ in $(seq "$runs"); do
    for name in $servers; do once "$name" "$row" >>"$work/$row.$name"; done
  done
  for name in $servers; do
    read -r rate p99 cpu rss < <(for column in 1 2 3 4; do cut -d' ' -f$column "$work/$row.$name" | middle; done | xargs)
    [ "$name" != nginx ] || reference="$rate $p99 $cpu"
    echo "$row $name $rate $p99 $cpu $rss ${reference:-0 0 0}" | awk '
      {
        printf "%-6s %-9s %8d/s   p99 %7.2f ms   cpu %6.2f us/request   rss %4d MiB", $1, $2, $3, $4 / 1000, $5, $6 / 1024
        if ($2 != "nginx" && $7 > 0) printf "   to nginx: %.2f  p99 %.2f  cpu %.2f", $3 / $7, $4 / $8, $5 / $9
        print ""
      }'
  done
done
