#!/usr/bin/env bash
# Builds the container image from its Dockerfile and runs it as its configuration says: as user 1000 on a read-only root.
#
#   scripts/container-test.sh [--binary FILE]
#
# Not part of ./test: it needs root, a release build and a Debian from its mirror (scripts/container-image.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
[ "$(id -u)" -eq 0 ] || { echo "scripts/container-test.sh needs root: it builds an image" >&2; exit 1; }
packages_ensure buildah binutils curl jq "${package_packages[@]}"
binary='' limit=120000000
while [ $# -gt 0 ]; do
    case $1 in
    --binary) binary=$2; shift 2 ;;
    *) echo "usage: scripts/container-test.sh [--binary FILE]" >&2; exit 2 ;;
    esac
done
[ -n "$binary" ] || binary=$(packaging/build-release.sh)

work=$(mktemp -d /tmp/tribune-image-XXXXXX)
server=''
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    umount -R "$work/run" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap finish EXIT
image() { buildah --root "$work/images" --runroot "$work/state" --storage-driver vfs "$@"; }

scripts/container-image.sh "$binary" "$work"
fail() { echo "FAILED: $*" >&2; [ ! -e "$work/serve.log" ] || tail "$work/serve.log" >&2; exit 1; }
configuration=$(image inspect --type image localhost/tribune | jq .Docker.config)
ask() { jq -r "$1" <<<"$configuration"; }
[ "$(ask .User)" = 1000:1000 ] || fail "user $(ask .User)"
[ "$(ask '.Labels["security.no-new-privileges"]')" = true ] || fail "labels"
version=$("$binary" version)
[ "tribune $(ask '.Labels["org.opencontainers.image.version"]')" = "$version" ] || fail "the label's version is not $version"

container=$(image from localhost/tribune)
root=$(image mount "$container")
size=$(du -sb "$root" | cut -f 1)
say "The image has $size bytes"
[ "$size" -lt "$limit" ] || fail "more than $limit bytes"

# Runs the image's configuration like a container runtime, on loopback and another port.
say "Running it as $(ask .User) on a read-only root"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$work/run"
mount --bind "$root" "$work/run"
mount -o remount,ro,bind "$work/run"
mount -t tmpfs -o mode=1777 tmpfs "$work/run/tmp"
mount -t tmpfs -o uid=1000,gid=1000,mode=750 tmpfs "$work/run/data"
mount -t proc proc "$work/run/proc"
mapfile -t command < <(ask '.Entrypoint[], .Cmd[]' | sed "s/0.0.0.0:9190/127.0.0.1:$port/")
if chroot --userspec=1000:1000 "$work/run" /usr/bin/tribune reference man /etc/tribune/man 2>/dev/null; then
    fail "the root file system can be written"
fi
chroot --userspec="$(ask .User)" "$work/run" "${command[@]}" >"$work/serve.log" 2>&1 &
server=$!
mapfile -t healthcheck < <(ask '.Healthcheck.Test[1:][]' | sed "s/:9190/:$port/")
healthy=false
for _ in $(seq 150); do
    if chroot --userspec="$(ask .User)" "$work/run" "${healthcheck[@]}" >/dev/null 2>&1; then healthy=true; break; fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.2
done
$healthy || fail "the health check"
for path in /health /ready /metrics '/api/v1/query?query=1'; do
    curl -fsS -o /dev/null "http://127.0.0.1:$port$path" || fail "$path"
done
# An order inside of the container finds the service's socket; one from outside of it needs credentials.
answer=$(chroot --userspec="$(ask .User)" "$work/run" /usr/bin/tribune rollout start none --server="http://127.0.0.1:$port" 2>&1 || true)
case $answer in *'no rollout plan "none"'*) ;; *) fail "an order inside of the container: $answer" ;; esac
status=$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/api/v1/rollouts/none/start")
[ "$status" = 401 ] || fail "an order without credentials: status $status"
[ "$(stat -c %u "/proc/$server")" = 1000 ] || fail "it runs as user $(stat -c %u "/proc/$server")"
kill -s "$(ask .StopSignal 2>/dev/null | grep -v null || echo SIGTERM)" "$server"
wait "$server" || fail "it ended with $?"
server=''
say "The image is small, healthy, runs as user 1000 and writes nothing to its root."
