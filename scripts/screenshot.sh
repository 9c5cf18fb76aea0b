#!/usr/bin/env bash
# Makes the two pictures of README from a real run of the demo: docs/images/demo.svg, the terminal as it came, and
# docs/images/rollout.png, the web page after the rollback.
#
#   scripts/screenshot.sh [PROGRAM]     PROGRAM: a built tribune (default: .build/release/tribune)
#
# Not part of ./test: needs Debian's chromium.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
packages_ensure chromium "${demo_packages[@]}"
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
sleep 3 # so that the page has figures of the time after the rollback
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" --window-size=1200,700 \
    --virtual-time-budget=8000 --screenshot="$work/rollout.png" "http://127.0.0.1:$port/ui/" >"$work/log" 2>&1 || {
    tail "$work/log" >&2
    exit 1
}
cp "$work/rollout.png" docs/images/rollout.png
ls -l docs/images >&2
