#!/usr/bin/env bash
# Sends requests that schemathesis makes from the OpenAPI document to a running service, and checks that no answer is a server error and
# that each is one that the document has: `scripts/schemathesis.sh BINARY [SECONDS]`. Skipped, with a word, if PyPI cannot be reached.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/packages.sh
pypi_ensure schemathesis "requests made from the OpenAPI document are not tried"
tools=.build/tools/schemathesis
[ -e "$tools" ] || { echo "skipped: schemathesis is not there"; exit 0; }
binary=$1 seconds=${2:-60}
work=$(mktemp -d)
service=''
finish() {
    [ -z "$service" ] || kill "$service" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/prometheus.yml" <<EOF
global: {scrape_interval: 1s}
rule_files: [rules.yml]
scrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:$port"]}]}]
EOF
echo 'groups: [{name: g, rules: [{alert: Always, expr: vector(1)}, {record: a:b, expr: up}]}]' >"$work/rules.yml"
cat >"$work/alertmanager.yml" <<EOF
route: {receiver: none}
receivers: [{name: none}]
EOF
cat >"$work/plan.yml" <<EOF
plan: shop
stages: [50, 100]
bake: 1h
settle: 0s
services: [{name: web, routes: [{exec: {shift: ["true"], read: [echo, '{"stable":100,"candidate":0}']}}]}]
EOF
(umask 077 && echo 'a-token-of-this-run' >"$work/token")
cat >"$work/tribune.yml" <<EOF
prometheus_config: prometheus.yml
alertmanager_config: alertmanager.yml
plans: [plan.yml]
gates: {token_file: token}
EOF
TRIBUNE_RUNTIME_DIR=$work/run "$binary" serve --config.file="$work/tribune.yml" --storage.path="$work/data" \
    --web.listen-address="127.0.0.1:$port" --web.enable-lifecycle --web.enable-admin-api --web.enable-remote-write-receiver \
    --web.command-token-file="$work/token" >"$work/log" 2>&1 &
service=$!
until curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null; do kill -0 "$service"; sleep 0.1; done
# A stop ends the run, and streams do not end. Schemathesis cannot write protobuf.
status=0
PYTHONPATH=$tools python3 -m schemathesis.cli run "http://127.0.0.1:$port/api/v1/openapi.json" --url "http://127.0.0.1:$port" \
    --header "Authorization: Bearer a-token-of-this-run" --exclude-path-regex 'quit|stream|/api/v1/write' \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --continue-on-failure --warnings off --max-time "$seconds" || status=$?
kill -0 "$service" || { echo "the service has ended:"; tail -n 5 "$work/log"; exit 1; }
exit $status
