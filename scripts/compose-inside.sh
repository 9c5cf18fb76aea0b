#!/usr/bin/env bash
# The part of scripts/compose-test.sh in namespaces of its own: networks of containers, processes, control groups.
set -euo pipefail
work=$1
ip link set lo up
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmpfs /run
export CONTAINERS_CONF="$work/containers.conf"
command=(/usr/bin/podman --root "$work/images" --runroot "$work/run" --tmpdir "$work/tmp" --network-config-dir "$work/networks" --storage-driver vfs --cgroup-manager cgroupfs --events-backend file)
podman() { "${command[@]}" "$@"; }
fail() {
    echo "FAILED: $*" >&2
    for name in $(podman ps -a --format '{{.Names}}'); do
        echo "-- $name" >&2
        podman logs --tail 5 "$name" >&2 || true
    done
    exit 1
}
# The public images' names and entry points.
import() { podman import --change "ENTRYPOINT $2" --change "WORKDIR $3" "$work/servers.tar" "$1" >/dev/null 2>&1; }
import docker.io/library/postgres:15-bookworm '["/entry-postgres"]' /
import docker.io/library/redis:7-bookworm '["redis-server", "--protected-mode", "no", "--dir", "/tmp"]' /
import docker.io/library/haproxy:2.6-bookworm '["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]' /
import docker.io/prom/alertmanager:v0.27.0 '["/usr/bin/prometheus-alertmanager", "--storage.path=/alertmanager", "--cluster.listen-address="]' /
rm "$work/servers.tar"
podman tag localhost/tribune tribune
scripts/compose-run.py packaging/compose/compose.yml --without grafana -- "${command[@]}" || fail "the stack does not start"

base=http://127.0.0.1:9190
eventually() {
    local what=$1 end=$((SECONDS + 120))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "$what"
        sleep 1
    done
}
targets_up() { [ "$(curl -s "$base/api/v1/query?query=count(up==1)" | jq -r '.data.result[0].value[1]')" = 16 ]; }
history() { curl -s "$base/api/v1/history/status" | jq -e '.data.database == "postgres" and .data.connected' >/dev/null; }
cached() { [ -n "$(podman exec tribune-redis redis-cli --scan --pattern 'dgm:metrics:*')" ]; }
serves() { for port in $(seq 8000 8006); do curl -fs -o /dev/null "http://127.0.0.1:$port/" || return 1; done; }
eventually "not every target is up" targets_up
eventually "the history is not in Postgres" history
eventually "Redis has no measurements" cached
eventually "HAProxy does not serve every service" serves
eventually "Alertmanager is not there" curl -fs -o /dev/null http://127.0.0.1:9093/-/ready
curl -s "$base/api/v1/alertmanagers" | jq -e '.data.activeAlertmanagers | length == 1' >/dev/null || fail "no Alertmanager is known"
[ "$(podman exec tribune-tribune /usr/bin/tribune check healthy --url=http://127.0.0.1:9190; echo $?)" ] || fail "the health check"

echo "== A rollout and its rollback" >&2
podman exec tribune-tribune /usr/bin/tribune rollout start acgs --server=http://127.0.0.1:9190 >/dev/null || fail "the rollout does not start"
weight() { curl -s "$base/api/v1/rollouts" | jq -r "[.data[].services[]?.split.candidate? // empty] | max"; }
eventually "no service got traffic" sh -c "[ \"\$(curl -s $base/api/v1/rollouts | grep -o '\"candidate\":[1-9]' | wc -l)\" -gt 0 ]"
podman exec tribune-tribune /usr/bin/tribune rollout rollback acgs --reason=test --server=http://127.0.0.1:9190 >/dev/null || fail "no rollback"
rolled_back() { podman exec tribune-haproxy sh -c 'true' && curl -s "$base/api/v1/rollouts" | grep -q '"phase":"rolled_back"\|rolled back\|rolledBack'; }
eventually "not rolled back" rolled_back
recorded() { [ "$(podman exec -e PGPASSWORD=tribune tribune-postgres psql -h 127.0.0.1 -U tribune -At -c "SELECT count(*) FROM event WHERE kind = 'rollback_step' AND body->>'step' = 'verified'")" -gt 0 ]; }
eventually "Postgres has no verified step" recorded
echo "== $(podman ps -q | wc -l) containers: targets up, history in Postgres, cache in Redis, traffic through HAProxy, a rollback recorded" >&2
podman rm -f -t 0 -a >/dev/null
