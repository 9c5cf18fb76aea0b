#!/usr/bin/env bash
# Builds the documentation as a site into .build/site: scripts/docs.sh [PROGRAM]
# Links are checked strictly. The page of commands is made by PROGRAM (default: the debug build), so that it
# is never out of date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${1:-.build/debug/tribune}
mkdir -p .build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/packaging"
cp -R docs "$work/docs"
"$program" reference commands >"$work/docs/reference/commands.md"
sed "s,^site_dir: .*,site_dir: ${TRIBUNE_SITE:-$PWD/.build/site}," packaging/mkdocs.yml >"$work/packaging/mkdocs.yml"
mkdocs build --strict --quiet --config-file "$work/packaging/mkdocs.yml"
