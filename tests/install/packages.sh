#!/usr/bin/env bash
# Installs Debian packages for commands that are missing, and nothing when none is.
#
#   packages.sh COMMAND=PACKAGE[,PACKAGE]...        (a path that begins with / is looked for as a file)
#
# Installing takes root or a sudo that asks nothing. Without either: names what is missing and stops, exit 1.
# Whatever apt says goes to stderr, so that callers keep their stdout.
set -euo pipefail

# Servers such as nginx stand where an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

has() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing=()
packages=()
for pair in "$@"; do
  has "${pair%%=*}" && continue
  missing+=("${pair%%=*}")
  IFS=, read -ra wanted <<<"${pair#*=}"
  packages+=("${wanted[@]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

refuse() {
  echo "missing: ${missing[*]}" >&2
  echo "$1; install with: apt-get install ${packages[*]}" >&2
  exit 1
}

command -v apt-get >/dev/null || refuse "not a Debian system"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    refuse "neither root nor sudo without a password"
  fi
  as_root=(sudo -n)
fi

echo "installing: ${packages[*]}" >&2
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >&2; }
# The lists may be old or absent; if they cannot be fetched, what is there may still do.
apt update || echo "apt-get update failed; trying with the package lists that are here" >&2
apt install --no-install-recommends "${packages[@]}" || refuse "apt-get failed"
hash -r
for name in "${missing[@]}"; do
  has "$name" || { echo "$name is still missing after installing ${packages[*]}" >&2; exit 1; }
done
