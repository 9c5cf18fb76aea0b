#!/usr/bin/env bash
# Builds and tests the web application (web/), with what Debian has.
#
#   scripts/web.sh build             bundles into Sources/CWebUI/built, from where the C compiler embeds the files; does
#                                    nothing when they are newer than the sources
#   scripts/web.sh check             format, types, the tests of the view-models, and the budget of the first load
#   scripts/web.sh format            formats web/
#   scripts/web.sh journeys PROGRAM  whole journeys in Chromium on a running PROGRAM; pictures in .build/journeys
#   scripts/web.sh client PROGRAM    writes the client from the OpenAPI document of PROGRAM
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
out=Sources/CWebUI/built
libraries=/usr/share/javascript:/usr/share/nodejs
# Compressed bytes of the first load: page, styles and the main bundle.
budget=120000

bundle() {
    NODE_PATH=$libraries esbuild --bundle --log-level=warning \
        --alias:preact=/usr/share/nodejs/preact/lib/preact.js "$@"
}

build() {
    if [ -e "$out/index.html" ] && [ -z "$(find web/src web/public web/index.html scripts/web.sh -newer "$out/index.html" -print -quit)" ]; then
        return
    fi
    say "Bundling the web application"
    mkdir -p "$out"
    for entry in app=main.tsx graph=graph.ts editor=editor.ts; do
        bundle --minify --format=esm --target=es2020 --legal-comments=none --jsx-factory=h "web/src/${entry#*=}" --outfile="$out/${entry%%=*}.js"
    done
    # Not a module: Firefox has no service workers that are modules.
    bundle --minify --format=iife --target=es2020 --legal-comments=none web/src/worker.ts --outfile="$out/worker.js"
    cp web/public/* "$out/"
    bundle --minify --target=chrome111,firefox113,safari16.2 web/src/styles/app.css --outfile="$out/app.css"
    # What the bundles contain of others must be distributed with their notices.
    for library in node-preact libjs-dygraphs libjs-codemirror; do
        printf '== %s\n\n' "$library"
        cat "/usr/share/doc/$library/copyright"
    done >"$out/licenses.txt"
    cp web/index.html "$out/index.html.new"
    # The compiler does not look for files that were not there the last time.
    touch Sources/CWebUI/files.c
    mv "$out/index.html.new" "$out/index.html"
}

check() {
    build
    local biome=.build/tools/biome/bin/biome
    if [ -x "$biome" ]; then
        say "Checking the format of the web application"
        (cd web && "../$biome" ci --colors=off . >&2)
    fi
    say "Checking the types of the web application"
    tsc -p web/tsconfig.json
    say "Testing the view-models"
    local work
    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" RETURN
    bundle --platform=node --target=node18 --format=esm --jsx-factory=h --outdir="$work" --out-extension:.js=.mjs web/test/*.test.ts
    node --test "$work"/*.mjs >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        return 1
    }
    grep -E '^# (tests|pass|fail)' "$work/log" >&2
    local file bytes total=0
    for file in index.html app.css app.js; do
        bytes=$(gzip -9c "$out/$file" | wc -c)
        total=$((total + bytes))
    done
    say "First load: $total bytes compressed, of $budget"
    [ "$total" -le "$budget" ] || { echo "the first load exceeds its budget" >&2; return 1; }
}

case ${1:-build} in
build) build ;;
check) check ;;
format)
    pypi_ensure biome "nothing is formatted"
    cd web
    exec ../.build/tools/biome/bin/biome check --write .
    ;;
client) "$2" openapi | node web/tools/generate-client.mjs >web/src/api/operations.ts ;;
journeys)
    "$2" openapi | node web/tools/generate-client.mjs | cmp - web/src/api/operations.ts || {
        echo "web/src/api/operations.ts is not the client of this program: scripts/web.sh client PROGRAM" >&2
        exit 1
    }
    exec node web/journeys/run.mjs "$2"
    ;;
*) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
