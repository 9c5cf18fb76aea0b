#!/usr/bin/env bash
# Builds the packages twice and compares every byte: scripts/reproducible.sh [--program]
#
# By default one program is packaged twice, in different directories and at different times of the clock. With --program the
# program itself is also built twice from nothing, in two scratch directories; that takes as long as two release builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
packages_ensure "${package_packages[@]}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

program=${TRIBUNE_PROGRAM:-}
if [ "${1:-}" = --program ]; then
    for turn in 1 2; do
        say "Building the program, turn $turn"
        # The same path both times: the compiled code contains paths.
        TRIBUNE_PACKAGE_BUILD=$PWD/.build/reproducible packaging/build-release.sh >/dev/null
        strip --strip-debug -o "$work/program.$turn" .build/reproducible/release/tribune
        cp .build/reproducible/release/tribune "$work/tribune"
        rm -rf .build/reproducible
    done
    cmp "$work/program.1" "$work/program.2" || { echo "FAILED: two builds of the program differ" >&2; exit 1; }
    program=$work/tribune
fi
[ -n "$program" ] || program=$(packaging/build-release.sh)
for turn in 1 2; do
    say "Packaging, turn $turn"
    packaging/debian/build.sh --binary "$program" --output "$work/out.$turn" >/dev/null
done
(cd "$work/out.1" && sha256sum tribune*) >"$work/sums"
# The build's description names the time at which it ran.
grep -v 'buildinfo\|changes' "$work/sums" | (cd "$work/out.2" && sha256sum --check --quiet -) ||
    { echo "FAILED: two packages of the same program differ" >&2; exit 1; }
say "Two builds gave the same bytes:"
grep -v 'buildinfo\|changes' "$work/sums"
