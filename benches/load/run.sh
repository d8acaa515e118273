#!/usr/bin/env bash
# Memory hits over HTTP/1.1, overfall beside nginx in the same run: one server thread's worth of CPU each, pinned to
# core 0; the generator is pinned to core 1. Prints requests per second (median of RUNS) and the ratio.
#
#   benches/load/run.sh            needs nginx and wrk (apt-get install nginx-light wrk), taskset (util-linux)
#   RUNS=3 SECONDS_EACH=5 CONNECTIONS=64 SIZES="1024 32768" OVERFALL=target/release/overfall
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=${RUNS:-3}
seconds=${SECONDS_EACH:-5}
connections=${CONNECTIONS:-64}
sizes=${SIZES:-1024 32768}
overfall=${OVERFALL:-${CARGO_TARGET_DIR:-target}/release/overfall}

for tool in nginx wrk taskset curl python3; do
  command -v "$tool" >/dev/null || { echo "missing: $tool (apt-get install nginx-light wrk util-linux curl python3)" >&2; exit 1; }
done
[ -x "$overfall" ] || cargo build --release --locked

work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
origin_port=$(free_port)
nginx_port=$(free_port)
edge_port=$(free_port)

mkdir -p "$work/www" "$work/nginx-cache" "$work/nginx-tmp"
for size in $sizes; do head -c "$size" /dev/urandom >"$work/www/$size.bin"; done

# started by root, nginx would give its worker to somebody who can't enter the temporary folder
user=$([ "$(id -u)" = 0 ] && echo "user root;" || true)
cat >"$work/nginx.conf" <<CONF
$user
worker_processes 1;
error_log $work/nginx-error.log;
pid $work/nginx.pid;
daemon off;
events { worker_connections 4096; }
http {
  access_log $work/nginx-access.log;
  client_body_temp_path $work/nginx-tmp; proxy_temp_path $work/nginx-tmp/p; fastcgi_temp_path $work/nginx-tmp/f;
  uwsgi_temp_path $work/nginx-tmp/u; scgi_temp_path $work/nginx-tmp/s;
  sendfile on; tcp_nopush on; keepalive_requests 1000000;
  open_file_cache max=1000 inactive=60s;
  proxy_cache_path $work/nginx-cache keys_zone=hits:10m max_size=1g inactive=1h;
  server {
    listen 127.0.0.1:$origin_port;
    root $work/www;
    add_header Cache-Control "max-age=3600";
  }
  server {
    listen 127.0.0.1:$nginx_port;
    location / {
      proxy_pass http://127.0.0.1:$origin_port;
      proxy_cache hits;
      proxy_cache_valid 200 1h;
      add_header Cache-Status "nginx; \$upstream_cache_status";
    }
  }
}
CONF
cat >"$work/overfall.toml" <<CONF
[node]
state = "$work/state"
[listen]
http = "127.0.0.1:$edge_port"
[cache]
memory = "256 MiB"
[origins.origin]
url = "http://127.0.0.1:$origin_port"
[[site]]
name = "bench"
hosts = ["127.0.0.1"]
origins = ["origin"]
CONF

taskset -c 0 nginx -p "$work" -c "$work/nginx.conf" &
pids+=($!)
taskset -c 0 "$overfall" run --config "$work/overfall.toml" 2>"$work/overfall.log" &
edge_pid=$!
pids+=("$edge_pid")

wait_for() {
  for _ in $(seq 100); do
    curl -fsS -o /dev/null "$1" 2>/dev/null && return 0
    read -rt 0.1 <> <(:) || true
  done
  echo "no answer from $1" >&2
  cat "$work/overfall.log" "$work/nginx-error.log" >&2
  exit 1
}

measure() { # URL -> requests per second, median of the runs
  for _ in $(seq "$runs"); do
    taskset -c 1 wrk -t1 -c"$connections" -d"${seconds}s" "$1" | awk '/^Requests\/sec/ {print $2} /Non-2xx/ {print "errors" > "/dev/stderr"}'
  done | sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'
}

echo "machine: $(nproc) cores, $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo); nginx $(nginx -v 2>&1 | awk -F/ '{print $2}'); commit $(git rev-parse --short HEAD)"
echo "$connections connections, $seconds s, median of $runs"
for size in $sizes; do
  for port in "$nginx_port" "$edge_port"; do
    wait_for "http://127.0.0.1:$port/$size.bin"
    wait_for "http://127.0.0.1:$port/$size.bin"
  done
  nginx_rps=$(measure "http://127.0.0.1:$nginx_port/$size.bin")
  edge_rps=$(measure "http://127.0.0.1:$edge_port/$size.bin")
  echo "$size $nginx_rps $edge_rps" | awk '{printf "%6d bytes   nginx %8.0f/s   overfall %8.0f/s   ratio %.2f\n", $1, $2, $3, $3 / $2}'
done
