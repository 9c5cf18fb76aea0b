#!/usr/bin/env bash
# Lists the slowest tests: `scripts/slow-tests.sh [COUNT [FILTER]]`, by default the slowest 20 of all. The tests run one after the
# other, so that the time of each is its own; they must have been built (scripts/build.sh --build-tests).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
count=${1:-20}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
swift test --skip-build --no-parallel ${2:+--filter "$2"} >"$log" 2>&1 || status=$?
sed -nE 's/^. Test ([^ ].*) (passed|failed) after ([0-9.]+) seconds.*/\3 \1/p' "$log" | grep -v ' run with ' | sort -rn | head -n "$count"
grep -a 'Test run with' "$log" | tail -n 1 | sed 's/^. //' >&2
exit $status
