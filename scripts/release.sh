#!/usr/bin/env bash
# Makes a signed release: the Debian package, the archive for other distributions, the sources, the bill of materials,
# checksums and their signature.
#
#   scripts/release.sh --key FILE [--binary FILE] [--output DIR]
#
#   --key     the private key of the release (packaging/sign.sh)
#   --binary  a program that was built before; without it a release build is made
#   --output  where the files go (default .build/release-VERSION); must not exist
#
# Refuses if the working tree has changes, or CHANGELOG.md has no section of the version. Ends with packaging/verify.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
key='' output='' options=()
while [ $# -gt 0 ]; do
    case $1 in
    --key) key=$(realpath "$2"); shift 2 ;;
    --binary) options+=(--binary "$(realpath "$2")"); shift 2 ;;
    --output) output=$2; shift 2 ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    esac
done
[ -n "$key" ] || { echo "scripts/release.sh needs --key" >&2; exit 2; }
version=$(sed -n 's/.*static let number = "\(.*\)".*/\1/p' Sources/Tribune/Version.swift)
output=${output:-.build/release-$version}
[ ! -e "$output" ] || { echo "$output exists" >&2; exit 1; }
grep -q "^## $version\( \|$\)" CHANGELOG.md || { echo "CHANGELOG.md has no section $version" >&2; exit 1; }
[ -z "$(git status --porcelain --untracked-files=no)" ] || { echo "the working tree has changes: commit them first" >&2; exit 1; }
packages_ensure "${package_packages[@]}" openssl

mkdir -p "$output"
packaging/debian/build.sh "${options[@]}" --output "$output" >/dev/null
# Times and owners are those of the commit, so that the same commit makes the same bytes.
git archive --format=tar --prefix="tribune-$version/" HEAD | gzip -9n >"$output/tribune-$version.tar.gz"
# The build's description names the time at which it ran.
rm -f "$output"/*.buildinfo "$output"/*.changes
packaging/sign.sh "$output" "$key"
packaging/verify.sh "$output" "$output/release.pub" >&2
ls -l "$output" >&2
echo "$output"
