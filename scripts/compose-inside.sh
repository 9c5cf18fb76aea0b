#!/usr/bin/env bash
# The part of scripts/compose-test.sh in namespaces of its own: makes the images, starts the stack, and ends it.
set -euo pipefail
work=$1
ip link set lo up
# The hierarchy of control groups is read-only for containers in many places: limits are not set here.
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmpfs /run
printf '[containers]\ncgroups = "disabled"\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n' >"$work/containers.conf"
# systemd would run the health checks; scripts/compose-check.py does.
export CONTAINERS_CONF="$work/containers.conf" DISABLE_HC_SYSTEMD=true PATH="$work/bin:$PATH"
mkdir -p "$work/bin"
cat >"$work/bin/podman" <<END
#!/bin/sh
exec /usr/bin/podman --root "$work/images" --runroot "$work/run" --tmpdir "$work/tmp" --network-config-dir "$work/networks" \
    --storage-driver vfs --cgroup-manager cgroupfs --events-backend file "\$@"
END
chmod +x "$work/bin/podman"

# What the entry point of the public image does with an empty volume.
cat >"$work/postgres" <<'END'
#!/bin/sh
set -eu
data=/var/lib/postgresql/data
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
as() { runuser -u postgres -- "$@"; }
mkdir -p /run/postgresql
chown postgres: "$data" /run/postgresql
if [ ! -e "$data/PG_VERSION" ]; then
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    chown postgres: /tmp/password
    as initdb -D "$data" -U "$POSTGRES_USER" --pwfile=/tmp/password -A scram-sha-256 -E UTF8 --locale=C.UTF-8
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
    as pg_ctl -D "$data" -w -o "-c listen_addresses=''" start
    PGPASSWORD=$POSTGRES_PASSWORD as createdb -h /run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
    as pg_ctl -D "$data" -w stop
fi
exec runuser -u postgres -- postgres -D "$data" -c 'listen_addresses=*'
END
chmod 755 "$work/postgres"
tar -C "$work" -cf "$work/entry.tar" ./postgres
servers=.build/tools/debian-servers.tar
podman import "$servers" localhost/servers >/dev/null 2>&1
# The public images' names and entry points; podman gives the image's default command to an entry point as in Docker.
image() {
    printf 'FROM localhost/servers\n%s\n' "$2" >"$work/recipe"
    podman build --quiet --isolation chroot --format docker --pull=never -t "$1" -f "$work/recipe" "$work/context" >/dev/null
}
mkdir -p "$work/context"
mv "$work/postgres" "$work/context/"
image docker.io/library/postgres:15-bookworm 'COPY postgres /entry
ENTRYPOINT ["/entry"]'
image docker.io/library/redis:7-bookworm 'WORKDIR /data
CMD ["redis-server", "--protected-mode", "no"]'
image docker.io/library/haproxy:2.6-bookworm 'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]'
image docker.io/prom/alertmanager:v0.27.0 'ENTRYPOINT ["prometheus-alertmanager", "--storage.path=/alertmanager"]'

# Without limits, which need control groups, and without Grafana.
python3 - packaging/compose/compose.yml >"$work/here.yml" <<'END'
import sys, yaml

services = yaml.safe_load(open(sys.argv[1]))["services"]
print("services:")
for name, service in services.items():
    changes = (["deploy: !reset {}"] if "deploy" in service else []) + (["profiles: [grafana]"] if name == "grafana" else [])
    if changes:
        print(f"  {name}:\n" + "".join(f"    {change}\n" for change in changes), end="")
END
compose=(env "PYTHONPATH=.build/tools/podman-compose" /usr/bin/python3 -m podman_compose --in-pod false
    -f packaging/compose/compose.yml -f "$work/here.yml")
up() { timeout 240 "${compose[@]}" up -d --no-build >>"$work/up.log" 2>&1; }
up || { tail -n 30 "$work/up.log" >&2; exit 1; }
if ! scripts/compose-check.py; then
    podman ps -a >&2
    for name in $(podman ps -a --format '{{.Names}}'); do
        printf -- '-- %s\n' "$name" >&2
        podman logs --tail 5 "$name" >&2 || true
    done
    exit 1
fi
timeout 120 "${compose[@]}" down -t 5 >>"$work/up.log" 2>&1
[ -z "$(podman ps -aq)" ] || { podman ps -a >&2; exit 1; }
