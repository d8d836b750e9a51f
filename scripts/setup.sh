#!/usr/bin/env bash
# Installs what a make target needs, saying so: Debian packages (as root) and npm packages (npm ci).
# usage: setup.sh npm | base [demo|test|bench]...
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A packages=(
  [npm]="nodejs npm"
  [base]="nodejs npm iptables nftables iproute2 curl procps"
  [demo]="kubernetes-client util-linux mount conntrack"
  [test]="kubernetes-client util-linux mount nginx-light haproxy prometheus python3 conntrack openssl nghttp2-client nghttp2-server"
  [bench]="nginx-light libnginx-mod-stream haproxy wrk nghttp2-client nghttp2-proxy gcc libc6-dev procps"
)
# One command per package tells whether it is there, so that a finished machine costs milliseconds.
declare -A probe=(
  [nodejs]=node [npm]=npm [iptables]=iptables-restore [nftables]=nft [iproute2]=ip [curl]=curl [procps]=ps
  [kubernetes-client]=kubectl [util-linux]=nsenter [mount]=mount
  [nginx-light]=nginx [haproxy]=haproxy [prometheus]=promtool [python3]=/usr/bin/pydoc3 [conntrack]=conntrack [openssl]=openssl
  [wrk]=wrk [libnginx-mod-stream]=/usr/lib/nginx/modules/ngx_stream_module.so [gcc]=gcc [libc6-dev]=/usr/include/stdio.h
  [nghttp2-client]=h2load [nghttp2-server]=nghttpd [nghttp2-proxy]=nghttpx
)
export PATH="$PATH:/usr/sbin:/sbin"

missing=()
for group in "$@"; do
  for package in ${packages[$group]}; do
    tool=${probe[$package]}
    if [[ $tool == /* ]]; then [[ -e $tool ]] || missing+=("$package"); else command -v "$tool" >/dev/null || missing+=("$package"); fi
  done
done

if ((${#missing[@]})); then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [[ $(id -u) != 0 ]]; then
    echo "setup: missing Debian packages: ${missing[*]}" >&2
    echo "setup: run as root:  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # Packaged daemons must not start on their own: policy-rc.d is the Debian way to say so.
  policy=/usr/sbin/policy-rc.d
  made_policy=0
  if [[ ! -e $policy ]]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made_policy=1; fi
  trap '[[ $made_policy == 0 ]] || rm -f "$policy"; rm -f "$log"' EXIT
  if ! { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: apt-get failed; its last lines are above" >&2
    exit 1
  fi
fi

if [[ ! -x node_modules/.bin/bun || package-lock.json -nt node_modules/.package-lock.json ]]; then
  echo "setup: installing npm packages (npm ci)"
  npm ci --loglevel=error
fi

for group in "$@"; do
  if [[ $group == base && $(id -u) != 0 ]]; then
    echo "setup: network namespaces and iptables need root: run this again as root (sudo make …)" >&2
    exit 1
  fi
done
