#!/usr/bin/env bash
# Runs the stack of packaging/compose/compose.yml with podman-compose, and a bad release in it.
#
#   scripts/compose-test.sh [--binary FILE]
#
# Not part of ./test: it needs root, a release build, PyPI and a Debian from its mirror. There is no registry here: Postgres,
# Redis, HAProxy and Alertmanager are Debian's, in images with the names and entry points of the public ones. Grafana, which
# Debian does not have, is left out; its data sources and dashboards are asked in its place. Networks, processes and mounts
# are in namespaces of their own and end with the test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
[ "$(id -u)" -eq 0 ] || { echo "scripts/compose-test.sh needs root: it runs containers" >&2; exit 1; }
packages_ensure podman crun netavark aardvark-dns buildah binutils iptables iproute2 python3-yaml "${package_packages[@]}"
pypi_ensure podman-compose "the stack cannot run"
[ -e .build/tools/podman-compose ] || exit 1
binary=''
while [ $# -gt 0 ]; do
    case $1 in
    --binary) binary=$2; shift 2 ;;
    *) echo "usage: scripts/compose-test.sh [--binary FILE]" >&2; exit 2 ;;
    esac
done
[ -n "$binary" ] || binary=$(packaging/build-release.sh)
work=$(mktemp -d /tmp/tribune-compose-XXXXXX)
trap 'umount -R "$work/images" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
scripts/container-image.sh "$binary" "$work"

servers=.build/tools/debian-servers.tar
if [ ! -e "$servers" ]; then
    say "Installing Debian's servers"
    mkdir -p "$work/servers"
    tar -C "$work/servers" -xf .build/tools/debian-bookworm.tar
    [ ! -e /etc/resolv.conf ] || cp --dereference /etc/resolv.conf "$work/servers/etc/resolv.conf"
    cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d "$work/servers/etc/apt/" 2>/dev/null || true
    printf '#!/bin/sh\nexit 101\n' >"$work/servers/usr/sbin/policy-rc.d"
    chmod +x "$work/servers/usr/sbin/policy-rc.d"
    chroot "$work/servers" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends postgresql redis-server haproxy prometheus-alertmanager && apt-get clean' \
        >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
    mkdir -p "$work/servers/alertmanager"
    rm -rf "$work"/servers/var/lib/postgresql/*/main
    tar -C "$work/servers" -cf "$servers.part" .
    mv "$servers.part" "$servers"
    rm -rf "$work/servers"
fi

say "Running the stack"
status=0
timeout --kill-after=10 600 unshare --net --mount --pid --fork --kill-child --mount-proc \
    scripts/compose-inside.sh "$work" || status=$?
[ "$status" -ne 124 ] || echo "FAILED: it did not end within ten minutes" >&2
exit "$status"
