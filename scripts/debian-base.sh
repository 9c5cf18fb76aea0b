#!/usr/bin/env bash
# Makes a tar file of a minimal Debian 12, if it is not there yet: scripts/debian-base.sh FILE. Needs root and debootstrap.
set -euo pipefail
base=$1
[ ! -e "$base" ] || exit 0
echo "== debootstrap" >&2
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
debootstrap --variant=minbase bookworm "$work/root" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
chroot "$work/root" apt-get clean
mkdir -p "$(dirname "$base")"
tar -C "$work/root" -cf "$base.part" .
mv "$base.part" "$base"
