#!/usr/bin/env bash
# Builds the Debian package and the tar archive of this machine's architecture (amd64 or arm64).
#
#   packaging/debian/build.sh [--binary FILE] [--revision N] [--output DIR]
#
#   --binary    a program that was built before; without it a release build with a static Swift runtime is made
#   --revision  the part of the package's version after the dash (default 1)
#   --output    where the files go (default .build/packages)
#
# Needs debhelper, fakeroot and, without --binary, Swift. For arm64 run it on an arm64 machine or in an arm64 container:
# the recipe is the same. Times in the packages are those of the last commit, so that the same commit makes the same bytes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary='' revision=1 output="$here/.build/packages"
while [ $# -gt 0 ]; do
    case $1 in
    --binary) binary=$(realpath "$2"); shift 2 ;;
    --revision) revision=$2; shift 2 ;;
    --output) output=$2; shift 2 ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
    esac
done

architecture=$(dpkg --print-architecture)
case $architecture in
amd64 | arm64) ;;
*) echo "no recipe for $architecture: Swift is built for amd64 and arm64" >&2; exit 1 ;;
esac
version=$(sed -n 's/.*static let number = "\(.*\)".*/\1/p' "$here/Sources/Tribune/Version.swift")
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || stat -c %Y "$here/CHANGELOG.md")}
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC

if [ -z "$binary" ]; then
    "$here/packaging/build-release.sh" >&2
    binary=$here/.build/package/release/tribune
fi
found=$("$binary" version)
[ "$found" = "tribune $version" ] || { echo "$binary is '$found', not 'tribune $version': build it again" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tribune-$version
mkdir -p "$tree/debian" "$output"
output=$(cd "$output" && pwd)
"$here/packaging/stage.sh" "$binary" "$tree/stage"

# The archive for other distributions: what is installed, and the unit.
archive=tribune-$version-linux-$architecture
mkdir -p "$work/$archive"
cp -a "$tree/stage/." "$work/$archive/"
strip --strip-debug "$work/$archive/usr/bin/tribune"
install -D -m 644 "$here/packaging/debian/tribune.service" "$work/$archive/lib/systemd/system/tribune.service"
install -D -m 644 "$here/packaging/debian/tribune.default" "$work/$archive/etc/default/tribune"
install -m 644 "$here/LICENSE" "$here/README.md" "$here/CHANGELOG.md" "$work/$archive/"
cp -R --no-preserve=mode "$here/docs" "$work/$archive/docs"
tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$archive" |
    gzip -9n >"$output/$archive.tar.gz"

cp -a "$here/packaging/debian/." "$tree/debian/"
rm "$tree/debian/build.sh"
cp "$here/README.md" "$here/CHANGELOG.md" "$here/LICENSE" "$tree/"
cp -R --no-preserve=mode "$here/docs" "$tree/docs"
cat >"$tree/debian/changelog" <<EOF
tribune ($version-$revision) unstable; urgency=medium

  * Release $version; CHANGELOG.md has what changed.

 -- Tribune maintainers <maintainers@tribune.invalid>  $(date -R -d "@$SOURCE_DATE_EPOCH")
EOF
(cd "$tree" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps --root-command=fakeroot) >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
cp "$work"/tribune_*.deb "$work"/tribune_*.changes "$work"/tribune_*.buildinfo "$output/"
"$here/packaging/sbom.py" "$work/$archive/usr/bin/tribune" "$version" >"$output/tribune-$version-$architecture.cdx.json"
(cd "$output" && sha256sum "tribune_${version}-${revision}_$architecture.deb" "$archive.tar.gz" \
    "tribune-$version-$architecture.cdx.json" >SHA256SUMS)
# Who has a key signs the checksums: GPG_KEY=… packaging/debian/build.sh
[ -z "${GPG_KEY:-}" ] || gpg --batch --yes --local-user "$GPG_KEY" --armor --detach-sign "$output/SHA256SUMS"
echo "$output/tribune_${version}-${revision}_$architecture.deb"
