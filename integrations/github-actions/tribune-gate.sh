#!/usr/bin/env bash
# Asks Tribune whether a deployment may go on. Needs curl and jq.
#
#   tribune-gate.sh checkpoint            writes down how traffic is divided; prints the checkpoint's id
#   tribune-gate.sh analyze               compares; exit code 0 pass, 1 fail, 3 inconclusive
#   tribune-gate.sh restore CHECKPOINT    takes back candidates that have more traffic than then
#
# Environment: TRIBUNE_URL, TRIBUNE_TOKEN; optionally TRIBUNE_SERVICE, TRIBUNE_PROFILE, TRIBUNE_WINDOW, TRIBUNE_PLAN,
# TRIBUNE_CHANGE_TIME (then before and after are compared), TRIBUNE_ON_INCONCLUSIVE (fail, the default, or pass), TRIBUNE_REASON.
set -euo pipefail

: "${TRIBUNE_URL:?}" "${TRIBUNE_TOKEN:?}"
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# The token goes to curl on standard input, where no list of processes shows it.
call() { # method path [body]
  local status
  status=$(printf 'header = "Authorization: Bearer %s"\n' "$TRIBUNE_TOKEN" |
    curl --silent --show-error --max-time 60 --retry 3 --config - --request "$1" --output "$answer" \
      --write-out '%{http_code}' --header 'Content-Type: application/json' \
      --header "X-Tribune-Actor: ${GITHUB_REPOSITORY:-ci}@${GITHUB_SHA:-unknown}" \
      ${3:+--data "$3"} "${TRIBUNE_URL%/}/api/v1/$2")
  if [ "$status" != 200 ]; then
    echo "::error title=Tribune::$2 answered $status: $(jq -r '.error // "no reason"' "$answer" 2>/dev/null || true)" >&2
    exit 2
  fi
}

output() { [ -z "${GITHUB_OUTPUT:-}" ] || echo "$1=$2" >>"$GITHUB_OUTPUT"; }

# Members whose value is empty are left out.
body() { jq -cn '[$ARGS.named | to_entries[] | select(.value != "")] | from_entries' "$@"; }

case "${1:-}" in
checkpoint)
  call POST safety/checkpoint "$(body --arg plan "${TRIBUNE_PLAN:-}" --arg reason "${TRIBUNE_REASON:-before a deployment}")"
  id=$(jq -r .data.checkpoint_id "$answer")
  jq -e .data.complete "$answer" >/dev/null || echo "::warning title=Tribune::not every router could be read" >&2
  output checkpoint "$id"
  echo "$id"
  ;;
analyze)
  path=analyze-deployment
  [ -z "${TRIBUNE_CHANGE_TIME:-}" ] || path=analyze-performance-change
  call POST "$path" "$(body --arg service "${TRIBUNE_SERVICE:-}" --arg profile "${TRIBUNE_PROFILE:-}" \
    --arg window "${TRIBUNE_WINDOW:-}" --arg change_time "${TRIBUNE_CHANGE_TIME:-}")"
  verdict=$(jq -r .data.verdict "$answer")
  output verdict "$verdict"
  output analysis "$(jq -r .data.id "$answer")"
  table=$(jq -r '.data | "## Tribune: \(.verdict)", "", "| metric | test | verdict | p | reason |", "|---|---|---|---|---|",
    (.metrics[] | "| \(.metric) | \(.test) | \(.verdict) | \(.p_adjusted // "") | \(.reason | gsub("[|\n]"; " ")) |")' "$answer")
  echo "$table"
  [ -z "${GITHUB_STEP_SUMMARY:-}" ] || echo "$table" >>"$GITHUB_STEP_SUMMARY"
  case "$verdict" in
  pass) ;;
  fail)
    echo "::error title=Tribune::$(jq -r '.data.reason | gsub("\n"; " ")' "$answer")" >&2
    exit 1
    ;;
  *)
    echo "::warning title=Tribune::inconclusive: $(jq -r '.data.reason | gsub("\n"; " ")' "$answer")" >&2
    [ "${TRIBUNE_ON_INCONCLUSIVE:-fail}" = pass ] || exit 3
    ;;
  esac
  ;;
restore)
  call POST "safety/checkpoint/${2:?}/restore" "$(body --arg reason "${TRIBUNE_REASON:-the gate did not pass}")"
  jq -r '.data.restore.plans[] | "\(.plan): \(.outcome) \(.detail)"' "$answer"
  jq -e '.data.restore.plans | all(.outcome != "refused")' "$answer" >/dev/null
  ;;
*)
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
