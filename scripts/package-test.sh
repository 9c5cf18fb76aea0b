#!/usr/bin/env bash
# Builds the Debian package, checks it, and takes it through its life in a fresh Debian: install, serve, upgrade, remove, purge.
#
#   scripts/package-test.sh [--binary FILE]
#
# Not part of ./test: the optimised build with a static Swift runtime takes minutes, and debootstrap fetches Debian from its
# mirror. Needs root. The base system is kept in .build/tools for the next time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
[ "$(id -u)" -eq 0 ] || { echo "scripts/package-test.sh needs root: it installs packages in a chroot" >&2; exit 1; }
packages_ensure "${package_packages[@]}"

say "Building the packages"
options=("$@")
first=$(packaging/debian/build.sh "${options[@]}" --revision 1)
second=$(packaging/debian/build.sh "${options[@]}" --revision 2)
ls -l "$first" >&2

say "lintian"
found=$(lintian --allow-root --fail-on error,warning,info --suppress-tags initial-upload-closes-no-bugs "${first%.deb}.changes") || {
    echo "$found" >&2
    exit 1
}
[ -z "$found" ] || echo "$found" >&2

say "systemd-analyze security"
systemd-analyze security --offline=true --threshold=20 --no-pager packaging/debian/tribune.service | tail -n 1 >&2

work=$(mktemp -d)
root=$work/root
trap 'rm -rf --one-file-system "$work"' EXIT
base=.build/tools/debian-bookworm.tar
scripts/debian-base.sh "$base"
mkdir -p "$root"
tar -C "$root" -xf "$base"
cp "$first" "$second" "$root/tmp/"
[ ! -e /etc/resolv.conf ] || cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
cp scripts/package-life.sh "$root/tmp/life.sh"

# Processes and mounts end with the namespace.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
unshare --mount --pid --fork --kill-child --propagation private bash -c '
    mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" bash /tmp/life.sh "$1" "$2" "$3"' \
    "$root" "$port" "/tmp/$(basename "$first")" "/tmp/$(basename "$second")"
say "The package installs, serves, upgrades, removes and purges."
