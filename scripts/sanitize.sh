#!/usr/bin/env bash
# Runs tests under a sanitizer: `scripts/sanitize.sh [thread|address] [FILTER]`. Without a filter: the store, the readers of
# bodies, the scraper and the threads below them. Fails when a test fails or the sanitizer has something to report.
#
# Builds in a directory of its own (TRIBUNE_SANITIZE_BUILD, else .build/sanitize-KIND); reports are in it, in `reports`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kind=${1:-thread}
filter=${2:-'^(MetricStoreTests|RuntimeTests|ExpositionTests|ScraperTests)\.'}
build=${TRIBUNE_SANITIZE_BUILD:-.build/sanitize-$kind}
case $kind in
thread | address) ;;
*) echo "usage: scripts/sanitize.sh [thread|address] [FILTER]" >&2; exit 2 ;;
esac

scripts/build.sh --scratch-path "$build" --sanitize="$kind" --build-tests >&2
build=$(cd "$build" && pwd)
reports=$build/reports
rm -rf "$reports"
mkdir -p "$reports"
environment=()
case $kind in
thread)
    clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
    "$clang" -O2 -Wall -Werror -fPIC -shared -o "$build/mutex.so" scripts/sanitize/mutex.c -ldl
    environment=(LD_PRELOAD="$build/mutex.so" TSAN_OPTIONS="log_path=$reports/report exitcode=0")
    ;;
address)
    # Swift's runtime keeps memory until the process ends.
    environment=(ASAN_OPTIONS="log_path=$reports/report detect_leaks=0")
    ;;
esac
program=$(find -L "$build/debug" -maxdepth 1 -name '*PackageTests.xctest' | head -n 1)
[ -x "$program" ] || { echo "the tests were not built: $build" >&2; exit 1; }

status=0
env "${environment[@]}" "$program" --testing-library swift-testing --filter "$filter" 2>&1 | tee "$reports/tests" || status=$?
found=$(cat "$reports"/report.* 2>/dev/null | grep -c '^SUMMARY: ' || true)
echo
grep -aE 'Test run with' "$reports/tests" | tail -n 1 || true
echo "$kind sanitizer: $found reports"
if [ "$found" -gt 0 ]; then
    cat "$reports"/report.* | grep '^SUMMARY: ' | sort | uniq -c | sort -rn | head -n 40
    echo "in full: $reports"
    exit 1
fi
exit $status
