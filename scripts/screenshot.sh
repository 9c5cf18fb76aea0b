#!/usr/bin/env bash
# Makes the pictures of README and docs/operations/web.md: from a real run of the demo docs/images/demo.svg, the terminal as it came, and
# docs/images/rollout.png, the page of the rollout after the rollback; from the journeys in the web application docs/images/web-*.png.
#
#   scripts/screenshot.sh [PROGRAM]     PROGRAM: a built tribune (default: .build/release/tribune)
#
# Not part of ./test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
packages_ensure chromium nodejs "${demo_packages[@]}"
program=${1:-.build/release/tribune}

work=$(mktemp -d)
demo=''
finish() {
    [ -z "$demo" ] || kill "$demo" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

say "Running the demo"
python3 scripts/terminal.py record "$work/lines.json" '== The rollback completed and was validated.' 120 \
    "$program" demo --small --web.listen-address="127.0.0.1:$port" &
demo=$!
until [ -e "$work/lines.json" ]; do kill -0 "$demo"; sleep 0.2; done

say "Drawing"
mkdir -p docs/images
python3 scripts/terminal.py draw "$work/lines.json" docs/images/demo.svg
node web/tools/picture.mjs "http://127.0.0.1:$port/ui/#/rollouts/demo" docs/images/rollout.png 1200x1000 'Rolled back and validated'
kill "$demo" && wait "$demo" || true
demo=''
say "Taking the pictures of the journeys with seven services"
node web/journeys/run.mjs "$program"
for name in rollout-under-way now query entry; do cp ".build/journeys/$name.png" "docs/images/web-$name.png"; done
ls -l docs/images >&2
