#!/usr/bin/env bash
# Builds Tribune, its web application first, with the checks that SwiftPM leaves off by default. Arguments go to `swift build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/web.sh build
exec swift build --explicit-target-dependency-import-check error "$@"
