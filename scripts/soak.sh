#!/usr/bin/env bash
# Long runs of tests that ./test runs briefly: `scripts/soak.sh [PART...]`, every part without an argument.
#
#   fuzz    each fuzz target for an hour                                    SOAK_FUZZ_SECONDS=3600
#   worlds  400 000 simulated worlds, about 100 million steps               SOAK_WORLDS=400000
#   explore every order of events in small worlds around the rollback machines   SOAK_EXPLORE_SECONDS=1800 for each
#   kills   the rollback engine killed at each of its steps, 200 rounds     SOAK_KILLS=200
#   alerts  random histories beside Debian's Alertmanager, every request compared   SOAK_ALERT_ROUNDS=20
#   history Tribune and its PostgreSQL killed alternately, 100 rounds        SOAK_HISTORY_KILLS=100
#   remotewrite  a sender and a receiver of samples killed in turn, 100 times  SOAK_REMOTE_WRITE_KILLS=100
#   damage  files of the store cut and altered at 1000 places each           SOAK_DAMAGED_PLACES=1000
#   storekills  the store killed while it ingests and compacts, 1000 times      SOAK_STORE_KILLS=1000
#   oncall  a million steps of simulated pages                              SOAK_ONCALL_STEPS=1000000
#   attacks each attack on a release build with 2000 clients while probes are measured   SOAK_ATTACK_SECONDS=30
#   requests  random requests made from the OpenAPI document by schemathesis   SOAK_REQUEST_SECONDS=1800
#   load    the whole test suite while 20 processes compete for the CPU     SOAK_LOAD=20
#
# Each part prints a row for docs/development/soak.md on standard output. The exit code is 1 if any part found something; what it found is
# in .build/soak.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
logs=.build/soak
mkdir -p "$logs"
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
failed=0

# row PART AMOUNT RESULT: one line of the table.
row() { printf '| %s | %s | %s | %s | %s |\n' "$1" "$(date -u +%F)" "$revision" "$2" "$3"; }

# Runs a command with its output in a log; a failure is remembered, and the next part goes on.
attempt() {
    local log=$logs/$1.log
    shift
    "$@" >"$log" 2>&1 && return 0
    failed=1
    return 1
}

fuzz() {
    local seconds=${SOAK_FUZZ_SECONDS:-3600} target result runs
    # Without a target the driver lists them, and its exit code is 2.
    Fuzzing/run >"$logs/targets" 2>"$logs/fuzz-build.log" || [ $? -eq 2 ]
    for target in $(sed -n 's/^one of: //p' "$logs/targets"); do
        result="nothing found"
        attempt "fuzz-$target" Fuzzing/run "$target" "$seconds" || result="finding, see .build/fuzzing/finding-$target-*"
        runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$logs/fuzz-$target.log" | tail -n 1)
        row "fuzz $target" "$seconds s, ${runs:-?} inputs" "$result"
    done
}

worlds() {
    local count=${SOAK_WORLDS:-400000} result
    attempt worlds scripts/simulate.sh --seeds "$count" || true
    result=$(grep -o '[0-9]* violations' "$logs/worlds.log" | head -n 1)
    row worlds "$count worlds, $(sed -n 's/.* worlds, \([0-9]*\) steps.*/\1/p' "$logs/worlds.log" | head -n 1) steps" \
        "${result:-did not end}"
}

explore() {
    local seconds=${SOAK_EXPLORE_SECONDS:-1800} world result number=0
    swift build -c release --product Simulation >&2
    while read -r world; do
        number=$((number + 1))
        # shellcheck disable=SC2086
        attempt "explore-$number" "$(swift build -c release --show-bin-path)/Simulation" explore $world \
            --seconds "$seconds" --threads "$(nproc)" || true
        result=$(grep -E '^[12] services x' "$logs/explore-$number.log" | tail -n 1)
        row explore "${result%%:*}" "${result#*: }"
    done <<'WORLDS'
--services 1 --routes 1 --faults 3 --orders 1 --reloads 1
--services 1 --routes 2 --faults 2 --orders 1
--services 2 --routes 1 --faults 1 --orders 1
--services 2 --routes 2 --faults 3 --orders 1 --reloads 1
WORLDS
}

kills() {
    local rounds=${SOAK_KILLS:-200}
    swift build -c release --product RollbackBenchmark >&2
    swift build -c release --product RollbackCrashProcess >&2
    attempt kills "$(swift build -c release --show-bin-path)/RollbackBenchmark" kill "$rounds" || true
    # `N kills, each of M steps R times: 0 ended otherwise`
    grep -q ' 0 ended otherwise' "$logs/kills.log" || failed=1
    row kills "$rounds rounds" "$(grep -m 1 'kills' "$logs/kills.log" || echo "did not end")"
}

alerts() {
    local rounds=${SOAK_ALERT_ROUNDS:-20} round requests=0 result="no difference"
    scripts/build.sh --build-tests >&2
    for round in $(seq "$rounds"); do
        TRIBUNE_SEED=$((round * 1000)) TRIBUNE_ALERT_WORLDS=40 TRIBUNE_ALERT_STEPS=20 \
            attempt "alerts-$round" swift test --skip-build --filter AlertmanagerDifferentialTests ||
            result="differences, see $logs/alerts-*.log"
        requests=$((requests + $(sed -n 's/.* \([0-9]*\) requests compared/\1/p' "$logs/alerts-$round.log" | head -n 1)))
    done
    row alerts "$rounds rounds of 40 histories, $requests requests" "$result"
}

history() {
    local rounds=${SOAK_HISTORY_KILLS:-100} result
    scripts/build.sh --build-tests >&2
    TRIBUNE_HISTORY_KILLS=$rounds TRIBUNE_HISTORY_OUTAGE=${SOAK_HISTORY_OUTAGE:-30} \
        attempt history swift test --skip-build --filter HistoryOutageTests || true
    result=$(grep -aE 'Test run with' "$logs/history.log" | tail -n 1 | sed 's/^[^T]*//')
    row history "$rounds kills of each side" "${result:-did not end}"
}

remotewrite() {
    local rounds=${SOAK_REMOTE_WRITE_KILLS:-100} result
    scripts/build.sh --build-tests >&2
    TRIBUNE_REMOTE_WRITE_KILLS=$rounds attempt remotewrite swift test --skip-build --filter RemoteWriteKillTests || true
    result=$(grep -aE 'Test run with' "$logs/remotewrite.log" | tail -n 1 | sed 's/^[^T]*//')
    row remotewrite "$rounds kills of sender and receiver in turn" "${result:-did not end}"
}

damage() {
    local places=${SOAK_DAMAGED_PLACES:-1000} result
    scripts/build.sh --build-tests >&2
    TRIBUNE_SEED=$RANDOM TRIBUNE_DAMAGED_PLACES=$places attempt damage swift test --skip-build --filter DamagedFilesTests || true
    result=$(grep -aE 'Test run with' "$logs/damage.log" | tail -n 1 | sed 's/^[^T]*//')
    row damage "$places places of each file" "${result:-did not end}"
}

storekills() {
    local kills=${SOAK_STORE_KILLS:-1000}
    scripts/build.sh --build-tests >&2
    TRIBUNE_SEED=$RANDOM TRIBUNE_STORE_KILLS=$kills attempt storekills swift test --skip-build --filter MetricStoreTests.KillTests || true
    row storekills "$kills kills" "$(grep -a '^rows that survived' "$logs/storekills.log" | head -n 1 | grep . || echo "did not end")"
}

oncall() {
    local wanted=${SOAK_ONCALL_STEPS:-1000000}
    scripts/build.sh --build-tests >&2
    TRIBUNE_ONCALL_STEPS=$wanted attempt oncall swift test --skip-build --filter PageSimulationTests || true
    row oncall "$wanted steps" "$(sed -n 's/^on-call: //p' "$logs/oncall.log" | grep . || echo "did not end, or a violation")"
}

attacks() {
    local seconds=${SOAK_ATTACK_SECONDS:-30} worst
    swift build -c release --product tribune >&2
    attempt attacks scripts/attacks.py "$(swift build -c release --show-bin-path)/tribune" --seconds "$seconds" || true
    worst=$(awk -F'|' '$3 ~ /[0-9]/ { if ($6 > w) w = $6 } END { print w }' "$logs/attacks.log")
    row attacks "$(grep -c '^| [a-z-]* | [0-9]' "$logs/attacks.log") attacks of $seconds s, 2000 clients" \
        "slowest probe ${worst:-?} ms"
}

requests() {
    local seconds=${SOAK_REQUEST_SECONDS:-1800}
    swift build -c release --product tribune >&2
    attempt requests scripts/schemathesis.sh "$(swift build -c release --show-bin-path)/tribune" "$seconds" || true
    row requests "$seconds s" "$(grep -E '^ *[0-9]+ generated' "$logs/requests.log" | tail -n 1)"
}

load() {
    local count=${SOAK_LOAD:-20} pids=() result
    scripts/build.sh --build-tests >&2
    for _ in $(seq "$count"); do
        nice -n 0 sh -c 'while :; do :; done' &
        pids+=($!)
    done
    trap 'kill "${pids[@]}" 2>/dev/null || true' RETURN
    attempt load swift test --skip-build || true
    result=$(grep -aE 'Test run with' "$logs/load.log" | tail -n 1 | sed 's/^[^T]*//')
    row load "$count busy processes" "${result:-did not end}"
}

[ $# -gt 0 ] || set -- fuzz worlds explore kills alerts history remotewrite damage storekills oncall attacks requests load
for part in "$@"; do
    case $part in
    fuzz | worlds | explore | kills | alerts | history | remotewrite | damage | storekills | oncall | attacks | requests | load) "$part" ;;
    *) echo "usage: scripts/soak.sh [fuzz|worlds|explore|kills|alerts|history|remotewrite|damage|storekills|oncall|attacks|requests|load]..." >&2; exit 2 ;;
    esac
done
exit $failed
