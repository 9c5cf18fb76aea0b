#!/usr/bin/env bash
# Runs the stack of packaging/compose/compose.yml with podman, and a rollback in it.
#
#   scripts/compose-test.sh [--binary FILE]
#
# Not part of ./test: it needs root, a release build and a Debian from its mirror. There is no registry here: Postgres, Redis,
# HAProxy and Alertmanager are Debian's, in images that have the names and the entry points of the public ones. Grafana is left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
[ "$(id -u)" -eq 0 ] || { echo "scripts/compose-test.sh needs root: it runs containers" >&2; exit 1; }
packages_ensure podman crun netavark aardvark-dns buildah binutils iptables iproute2 curl jq python3-yaml "${package_packages[@]}"
binary=''
while [ $# -gt 0 ]; do
    case $1 in
    --binary) binary=$2; shift 2 ;;
    *) echo "usage: scripts/compose-test.sh [--binary FILE]" >&2; exit 2 ;;
    esac
done
[ -n "$binary" ] || binary=$(packaging/build-release.sh)
scripts/debian-base.sh .build/tools/debian-bookworm.tar
work=$(mktemp -d /tmp/tribune-compose-XXXXXX)
trap 'umount -R "$work/images/vfs" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT

servers=.build/tools/debian-servers.tar
if [ ! -e "$servers" ]; then
    say "Installing Debian's servers"
    mkdir -p "$work/servers"
    tar -C "$work/servers" -xf .build/tools/debian-bookworm.tar
    cp --dereference /etc/resolv.conf "$work/servers/etc/resolv.conf"
    cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d "$work/servers/etc/apt/" 2>/dev/null || true
    printf '#!/bin/sh\nexit 101\n' >"$work/servers/usr/sbin/policy-rc.d"
    chmod +x "$work/servers/usr/sbin/policy-rc.d"
    chroot "$work/servers" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends postgresql redis-server haproxy prometheus-alertmanager && apt-get clean' \
        >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
    cat >"$work/servers/entry-postgres" <<'SH'
#!/bin/sh
# What the entry point of the public image does with an empty volume.
set -e
data=/var/lib/postgresql/data
bin=$(echo /usr/lib/postgresql/*/bin)
export PATH="$bin:$PATH"
chown postgres: "$data"
if [ ! -e "$data/PG_VERSION" ]; then
    echo "$POSTGRES_PASSWORD" >/tmp/password
    chown postgres: /tmp/password
    runuser -u postgres -- "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --pwfile=/tmp/password -A scram-sha-256 >/dev/null
    echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
    runuser -u postgres -- "$bin/pg_ctl" -D "$data" -w -o "-c listen_addresses='' -k /tmp" start >/dev/null
    [ "$POSTGRES_DB" = postgres ] || PGPASSWORD=$POSTGRES_PASSWORD runuser -u postgres -- "$bin/createdb" -h /tmp -U "$POSTGRES_USER" "$POSTGRES_DB" || true
    runuser -u postgres -- "$bin/pg_ctl" -D "$data" -w stop >/dev/null
fi
mkdir -p /run/postgresql && chown postgres: /run/postgresql
exec runuser -u postgres -- "$bin/postgres" -D "$data" -c "listen_addresses=*"
SH
    chmod 755 "$work/servers/entry-postgres"
    mkdir -p "$work/servers/alertmanager" && chmod 777 "$work/servers/alertmanager"
    tar -C "$work/servers" -cf "$servers.part" . && mv "$servers.part" "$servers"
    rm -rf "$work/servers"
fi

say "Building the image"
mkdir -p "$work/builder"
tar -C "$work/builder" -xf "$servers"
libraries=$(ldd "$binary" | grep -o '/[^ ]*' | xargs -n 1 basename | sed 's,^,*/,' | xargs dpkg -S 2>/dev/null |
    sed -n "s/:$(dpkg --print-architecture): .*//p" | grep -v -e '-dev$' -e dbg | sort -u)
cp --dereference /etc/resolv.conf "$work/builder/etc/resolv.conf"
# shellcheck disable=SC2086
chroot "$work/builder" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
    --no-install-recommends ca-certificates tzdata "$@"' sh $libraries >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
mkdir -p "$work/builder/prebuilt"
strip --strip-debug -o "$work/builder/prebuilt/tribune" "$binary"
image() { buildah --root "$work/images" --runroot "$work/state" --storage-driver vfs "$@"; }
container=$(image from scratch)
image add --quiet "$container" "$work/builder" / >/dev/null
image commit --quiet "$container" localhost/tribune-builder >/dev/null
image rm "$container" >/dev/null
rm -rf "$work/builder"
image bud --isolation chroot --format docker --build-arg BUILDER=localhost/tribune-builder \
    --ignorefile packaging/container/Dockerfile.dockerignore -f packaging/container/Dockerfile -t localhost/tribune . \
    >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
image rmi --force localhost/tribune-builder >/dev/null 2>&1 || true

printf '[containers]\ncgroups = "disabled"\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n' >"$work/containers.conf"
cp "$servers" "$work/servers.tar"
say "Running the stack"
unshare --net --mount --pid --fork --kill-child --mount-proc bash scripts/compose-inside.sh "$work"
