#!/usr/bin/env bash
# Checks on an amd64 machine what can be checked of the arm64 package without a Swift toolchain for arm64:
#
#   scripts/arm64-check.sh
#
# Every C and C++ file is compiled for arm64 with warnings as errors, with and without the instructions of newer processors; the
# checksum is computed by an arm64 program under qemu and compared with the one of this machine; and each package that the amd64
# package depends on has the same name in Debian's arm64 archive. The recipe itself, packaging/debian/build.sh, has to run on
# an arm64 machine or in an arm64 container, where Swift is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
swift_ensure
clang=$(dirname "$(command -v swift)")/clang
packages_ensure file gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static "${build_packages[@]}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say "Compiling for arm64"
count=0
# Headers of the libraries are those of amd64: Debian's differ in constants of the architecture only.
headers=(-idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)")
while IFS= read -r -d '' file; do
    module=Sources/$(cut -d / -f 2 <<<"$file")
    for extra in -march=armv8-a -march=armv8.2-a+crc; do
        language=(-x c -std=gnu11)
        [ "${file##*.}" = c ] || language=(-x c++ -std=c++17)
        "$clang" --target=aarch64-linux-gnu "${language[@]}" "$extra" -O2 -Wall -Werror -I "$module/include" "${headers[@]}" \
            -c "$file" -o "$work/object.o"
    done
    file "$work/object.o" | grep -q 'ARM aarch64' || { echo "FAILED: $file is not arm64 code" >&2; exit 1; }
    count=$((count + 1))
done < <(find Sources/C* \( -name '*.c' -o -name '*.cpp' \) -print0)
[ "$count" -ge 5 ] || { echo "FAILED: only $count files" >&2; exit 1; }

say "Running the checksum under qemu"
cat >"$work/main.c" <<'END'
#include "CRuntime.h"
#include <stdio.h>
int main(void) {
    unsigned char bytes[4099];
    for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    for (unsigned length = 0; length < sizeof bytes; length += 61)
        printf("%u %08x %08x\n", length, cruntime_crc32c(7, bytes + length % 8, length), cruntime_crc32c_portable(7, bytes + length % 8, length));
    return 0;
}
END
for extra in -march=armv8-a -march=armv8-a+crc; do
    aarch64-linux-gnu-gcc -static "$extra" -O2 -I Sources/CRuntime/include "$work/main.c" Sources/CRuntime/crc32c.c -o "$work/arm64"
    qemu-aarch64-static "$work/arm64" >"$work/arm64.txt"
    gcc -O2 -I Sources/CRuntime/include "$work/main.c" Sources/CRuntime/crc32c.c -o "$work/native"
    "$work/native" >"$work/native.txt"
    [ "$(wc -l <"$work/native.txt")" -ge 60 ]
    cmp "$work/arm64.txt" "$work/native.txt" || { echo "FAILED: the checksums differ ($extra)" >&2; exit 1; }
    awk '$2 != $3 { exit 1 }' "$work/arm64.txt" || { echo "FAILED: instruction and table differ ($extra)" >&2; exit 1; }
done

say "Looking for the dependencies in Debian's arm64 archive"
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
touch "$work/apt/status"
apt=(-o APT::Sandbox::User=root -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$work/apt" -o "Dir::State::status=$work/apt/status"
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache")
apt-get "${apt[@]}" update -q >/dev/null
found=0
# Libraries of the amd64 program, as dh_shlibdeps finds them, and what the control file names.
for package in $(ldd "${TRIBUNE_PROGRAM:-.build/debug/tribune}" | grep -o '/[^ ]*' | xargs -n 1 basename | sed 's,^,*/,' |
    xargs dpkg -S 2>/dev/null | sed -n 's/:amd64: .*//p' | grep -v -e '-dev$' -e dbg | sort -u) adduser tzdata; do
    shown=$(apt-cache "${apt[@]}" show "$package" 2>/dev/null || true)
    grep -q '^Architecture: \(arm64\|all\)$' <<<"$shown" ||
        { echo "FAILED: Debian's arm64 archive has no $package" >&2; exit 1; }
    found=$((found + 1))
done
[ "$found" -ge 15 ] || { echo "FAILED: only $found dependencies" >&2; exit 1; }
say "$count files compile, the checksums are equal, $found dependencies exist for arm64."
