#!/usr/bin/env bash
# Checks the format of every Swift file and that file names hold no spaces.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
swift format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks Fuzzing
if git ls-files | grep -n ' '; then
    echo "file names must not hold spaces" >&2
    exit 1
fi
