#!/usr/bin/env bash
# Checks the format of every Swift file, that comments end at column 120, that no Mutex holds a function, and that file names have
# no spaces.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks Fuzzing
# The formatter measures code, not comments.
long=$(git ls-files -z '*.swift' | LC_ALL=C.UTF-8 xargs -0 grep -HnE '^.{121,}$' |
    grep -E '^[^:]+:[0-9]+:[[:space:]]*//' || true)
if [ -n "$long" ]; then
    printf '%s\n' "$long" >&2
    echo "comments must end at column 120" >&2
    exit 1
fi
# Comments name the thing: 'The labels that …', not 'What …'.
if git ls-files -z 'Sources/*.swift' | xargs -0 grep -nE '^[[:space:]]*//+ What\b'; then
    echo "comments must not begin with 'What'" >&2
    exit 1
fi
# Each access converts the function and stores the result: calls get slower, and overflow the stack in the end.
if git ls-files -z '*.swift' | xargs -0 grep -nE 'Mutex<[^[>]*\) (throws[^>]* )?->'; then
    echo "a Mutex must not hold a function: wrap it in a struct, as ReplaceableClosure does" >&2
    exit 1
fi
if git ls-files | grep -n ' '; then
    echo "file names must not contain spaces" >&2
    exit 1
fi
