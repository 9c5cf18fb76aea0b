#!/usr/bin/env bash
# Plays the platform's year on a running kit (./run acgs): a rollback drill, a violation of each trigger, seven migrations with their
# validators, the pipeline's check, an improvement cycle, a load test, attestations, and the certificate.
#
#   scripts/acgs-year.sh DIR           DIR is the directory of the kit (--keep) with kit.json
#   scripts/acgs-year.sh --short DIR   one trigger, two migrations
#
# TRIBUNE is the program, .build/release/tribune unless given. Exit code 0 only if every step ended as expected.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
short=false
if [ "${1:-}" = --short ]; then
    short=true
    shift
fi
kit=${1:?the directory of the kit is missing}
tribune=${TRIBUNE:-$here/.build/release/tribune}
window=${WINDOW:-5m}
throughput=${THROUGHPUT:-1000}
rate=${RATE:-100}
seconds=${SECONDS_OF_LOAD:-60}
patience=${PATIENCE:-1800}

field() { jq -r "$1" "$kit/kit.json"; }
server=$(field .server)
control=$(field .control)
export DGM_SERVICE_URL=$server DGM_API_TOKEN
DGM_API_TOKEN=$(field .gates_token)
services=(auth ac integrity fv gs pgc ec)
triggers=(hash:ConstitutionalHashMismatch compliance:ComplianceLow errors:ErrorRateHigh latency:LatencyHigh down:AvailabilityLow)
if $short; then
    services=(auth ac)
    triggers=(hash:ConstitutionalHashMismatch)
fi
common=(--server="$server" --window="$window" --throughput="$throughput" --record)

say() { printf '== %s\n' "$*"; }
flip() { curl -sf -X POST "$control/switch?service=$1&version=$2&mode=$3" >/dev/null; }
state() { curl -sf "$server/api/v1/rollouts/acgs" | jq -r '.data.state'; }
# await TEXT COMMAND...: until the command succeeds.
await() {
    local what=$1 end=$((SECONDS + patience))
    shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            echo "FAILED: $what" >&2
            exit 1
        fi
        sleep 0.5
    done
}
is_valid() { [ "$(curl -sf "$server/api/v1/rollouts/acgs" | jq -r '.data.details.rollback.valid')" = true ] && [ "$(state)" = rolled_back ]; }
is_baking() { [ "$(curl -sf "$server/api/v1/rollouts/acgs" | jq -r '.data.details.services[0].progress')" = baking ]; }
# The record has a page in the state $1 whose title contains $2.
has_page() {
    curl -sf "$server/api/v1/history/events?kind=page&limit=500" | jq -e --arg state "$1" --arg title "rolled back: $2" \
        '[.data.events[].body | select(.state == $state and (.title | contains($title)))] | length > 0' >/dev/null
}
starts() { "$tribune" rollout start acgs --server="$server" --reason="$1" >/dev/null 2>&1; }

# A node of a lease acts a little after its start.
acts() { curl -sf "$server/-/acting" >/dev/null; }
await "the lease" acts

say "Rollback drill"
"$tribune" migrate drill auth "${common[@]}" --timeout="$patience"
# A rollback of the same service while the page is open would join it.
await "the end of the drill's page" has_page resolved "ordered by"

for entry in "${triggers[@]}"; do
    mode=${entry%%:*} rule=${entry#*:}
    say "Violation: $mode, which $rule takes back"
    await "the start of a rollout" starts "violation: $mode"
    await "the first stage of auth" is_baking
    began=$SECONDS
    flip auth green "$mode"
    await "a validated rollback" is_valid
    await "a page" has_page called "$rule"
    echo "back and paged within $((SECONDS - began)) s"
    flip auth green none
done

for service in "${services[@]}"; do
    say "Migration of $service"
    migrated() { "$tribune" migrate "$service" "${common[@]}" --checked --timeout="$patience"; }
    # A trip before forbids a start until its cooldown is over.
    until_ready() { "$tribune" migrate readiness "$service" --server="$server" --window="$window" >/dev/null; }
    await "the readiness of $service" until_ready
    end=$((SECONDS + patience))
    until migrated; do
        [ $SECONDS -lt $end ] || exit 1
        sleep 1
    done
done

say "The pipeline's checkpoint, analysis and smoke test"
curl -sf -H "Authorization: Bearer $DGM_API_TOKEN" -d '{"environment": "production", "services": ["auth", "ac"]}' \
    "$server/api/v1/safety/checkpoint" | jq -r .checkpoint_id
printf 'environments: {production: {match: {job: acgs-services}}}\n' >"$kit/ci.yml"
"$tribune" ci baseline --config "$kit/ci.yml" --output "$kit/baseline.json" --window "$window"
"$tribune" ci smoke-test --config "$kit/ci.yml" --timeout 60

say "An improvement cycle"
improvement=$(curl -sf -H "Authorization: Bearer $DGM_API_TOKEN" \
    -d '{"title": "shorten the cache lookups", "service": "gs"}' "$server/api/v1/improvements" | jq -r .improvement_id)
"$tribune" ci monitor-improvement --improvement-id "$improvement" --timeout 120 --interval 1

say "Load test"
arguments=()
for service in ac integrity pgc coordinator auth; do
    arguments+=(--target="$service=$(field ".services.$service.shared")/health")
done
outcome=passed
"$tribune" loadtest "${arguments[@]}" --rate="$rate" --duration="${seconds}s" --hash=cdd01ef066bc6cf2 --threshold='errors < 1%' \
    --threshold='hash >= 100%' --quiet --json="$kit/load.json" || outcome=failed
curl -sf -u "lead:$(field .passwords.lead)" "$server/api/v1/evidence" --data-urlencode check=loadtest --data-urlencode "outcome=$outcome" \
    --data-urlencode "value=$rate requests per second for $seconds s" --data-urlencode 'target=errors < 1%, hash >= 100%' >/dev/null

say "Attestations"
field .passwords.lead >"$kit/lead.password"
chmod 600 "$kit/lead.password"
expires=$(date -u -d '+90 days' +%Y-%m-%dT%H:%M:%SZ)
awk '/^- id:/ {id = $3} /attested: true/ {print id}' "$here/config/acgs/certification.yml" | while read -r line; do
    "$tribune" certify attest "$line" --server="$server" --user=lead --password-file="$kit/lead.password" \
        --statement="done and reviewed" --expires="$expires"
done

say "Certificate"
code=0
"$tribune" certify "$here/config/acgs/certification.yml" --server="$server" --output="$kit/certificate.json" || code=$?
keys=()
for key in "$kit"/data/history/trusted-keys "$kit"/data/history/signing-key.pub; do
    [ ! -e "$key" ] || while read -r line; do keys+=(--public-key="$line"); done <"$key"
done
if [ ${#keys[@]} -eq 0 ]; then
    while read -r line; do keys+=(--public-key="$line"); done < <(
        "$tribune" audit verify --config.file="$kit/tribune.yml" --storage.path="$kit/data" | awk '/^key / {print $2}')
fi
# Its exit code is also 1 for a genuine certificate that was not granted.
verdict=$("$tribune" certify verify "$kit/certificate.json" "${keys[@]}" | tail -1) || true
echo "$verdict"
[ "$verdict" = "The certificate is genuine." ] || exit 1

say "The record"
"$tribune" audit verify --config.file="$kit/tribune.yml" --storage.path="$kit/data" | tail -1
curl -sf "$control/load" | jq -r '"load: \(.ended) requests, \(.failed) failed, \(.reasons)"'
if $short; then
    # Five services were not migrated: the certificate must say so.
    [ $code -eq 1 ] || exit 1
    exit 0
fi
exit $code
