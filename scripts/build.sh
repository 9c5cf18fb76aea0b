#!/usr/bin/env bash
# Builds Tribune with the checks that SwiftPM leaves off by default. Arguments go to `swift build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec swift build --explicit-target-dependency-import-check error "$@"
