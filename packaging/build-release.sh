#!/usr/bin/env bash
# Builds the program that is packaged: optimised, with a static Swift runtime, in a directory of its own
# (TRIBUNE_PACKAGE_BUILD, else .build/package). Prints the program's path.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${TRIBUNE_PACKAGE_BUILD:-$here/.build/package}
"$here/scripts/build.sh" --package-path "$here" --scratch-path "$build" -c release --product tribune --static-swift-stdlib >&2
echo "$build/release/tribune"
