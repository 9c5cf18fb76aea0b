#!/usr/bin/env bash
# Builds the container image localhost/tribune from its Dockerfile into WORK: scripts/container-image.sh PROGRAM WORK
#
# There is no registry here, so the Dockerfile's builder is made of a fresh Debian with the program at /prebuilt/tribune. The
# image is in WORK/images, a store of podman's and buildah's driver vfs. Needs root, buildah and the packages of package_packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
program=$1 work=$2
scripts/debian-base.sh .build/tools/debian-bookworm.tar
image() { buildah --root "$work/images" --runroot "$work/state" --storage-driver vfs "$@"; }

say "Making the builder"
mkdir -p "$work/builder"
tar -C "$work/builder" -xf .build/tools/debian-bookworm.tar
[ ! -e /etc/resolv.conf ] || cp --dereference /etc/resolv.conf "$work/builder/etc/resolv.conf"
cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d "$work/builder/etc/apt/" 2>/dev/null || true
libraries=$(ldd "$program" | grep -o '/[^ ]*' | xargs -n 1 basename | sed 's,^,*/,' | xargs dpkg -S 2>/dev/null |
    sed -n "s/:$(dpkg --print-architecture): .*//p" | grep -v -e '-dev$' -e dbg | sort -u)
# shellcheck disable=SC2086
chroot "$work/builder" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends ca-certificates tzdata "$@"' sh $libraries >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
mkdir -p "$work/builder/prebuilt"
strip --strip-debug -o "$work/builder/prebuilt/tribune" "$program"
container=$(image from scratch)
image add --quiet "$container" "$work/builder" / >/dev/null
image commit --quiet "$container" localhost/tribune-builder >/dev/null
image rm "$container" >/dev/null
rm -rf "$work/builder"

say "Building the image"
image bud --isolation chroot --format docker --build-arg BUILDER=localhost/tribune-builder \
    --ignorefile packaging/container/Dockerfile.dockerignore -f packaging/container/Dockerfile -t localhost/tribune . \
    >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
