#!/usr/bin/env bash
# Proves: Schemathesis finds no failure on SQLite and on PostgreSQL. It runs all its checks, at least 200 cases per
# operation, and stateful runs along the OpenAPI document's links. Afterwards the server still runs and still prices the sample's
# calls. It has logged no error, and its audit log is valid. An argument sets another seed.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need python3 python3-venv curl curl
target=${CARGO_TARGET_DIR:-$PWD/target}
RINGBOOK=${RINGBOOK:-$target/release/ringbook}
seed=${1:-5} cases=${CASES:-200} most_seconds=${MOST_SECONDS:-5400}

[ -x "$target/schemathesis/bin/pip" ] || python3 -m venv "$target/schemathesis"
"$target/schemathesis/bin/pip" install --quiet --disable-pip-version-check -r tests/openapi/requirements.txt

export RINGBOOK_ADMIN_KEY=schemathesis-proof-admin-key RINGBOOK_VAPI_SECRET=schemathesis-proof-secret-24
export RATE_LIMIT_ENABLED=false LOG_FORMAT=json LOG_LEVEL=warn
# The run also creates credentials of accounts that do not exist. The server must not send requests to Vapi or Twilio with them.
export VAPI_BASE_URL=http://127.0.0.1:9 TWILIO_BASE_URL=http://127.0.0.1:9 RINGBOOK_WORKERS=outbox,scheduler,escalation,purge
server='' folder='' database=''
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$database" ] || drop_database "$database"
}
trap cleanup EXIT

admin() {
    local method=$1 path=$2 body=${3:-}
    curl -sS --fail-with-body -X "$method" "$url/admin/v1$path" -H "Authorization: Bearer $RINGBOOK_ADMIN_KEY" \
        ${body:+-H "Content-Type: application/json" -d "$body"}
}

# One row of each kind, as a business has after a week.
fill() {
    "$RINGBOOK" simulate --url "$url" --count 40 --rate 0 --seed 7 --quiet >/dev/null
    admin POST /rulebooks '{"code": "second", "rows": "sample"}'
    for rulebook in default second; do
        admin POST "/rulebooks/$rulebook/change-sets" '{"comment": "Open"}'
        admin POST "/rulebooks/$rulebook/backtests" '{"revision": 1, "days": 30, "simulated": true}'
        admin POST "/rulebooks/$rulebook/secrets" '{"purpose": "webhook"}'
    done >/dev/null
    admin POST /api-keys '{"name": "office", "role": "editor", "rulebook": "second"}' >/dev/null
}

prove() {
    local name=$1 port=$((20000 + RANDOM % 20000)) began=$SECONDS
    folder=$(mktemp -d)
    url=http://127.0.0.1:$port
    (cd "$folder" && exec "$RINGBOOK" --listen "127.0.0.1:$port" >out 2>log) &
    server=$!
    curl -sf --retry 100 --retry-delay 1 --retry-connrefused -o /dev/null "$url/health/ready"
    fill

    timeout "$most_seconds" "$target/schemathesis/bin/schemathesis" --config-file scripts/verify/schemathesis.toml \
        run "$url/openapi.json" --seed "$seed" --max-examples "$cases" --no-color ${ARGUMENTS:-} ||
        { echo "$name: Schemathesis failed; the server's log is in $folder"; return 1; }
    echo "$name: $((SECONDS - began)) s"

    curl -sf -o /dev/null "$url/health/ready"
    admin POST /rulebooks/default/evaluate '{"facts": {"service_text": "camera inspection"}}' >/dev/null
    kill -TERM "$server"
    wait "$server"
    server=
    ! grep -E '"level":"ERROR"|panick' "$folder/log" || { echo "$name: the log contains an error"; return 1; }
    (cd "$folder" && "$RINGBOOK" audit verify)
    rm -rf "$folder"
}

prove SQLite
if [ -n "${TEST_POSTGRES_URL:-}" ]; then
    database=$(own_database)
    export DATABASE_URL=$database
    prove PostgreSQL
else
    echo "NOT RUN on PostgreSQL: there is no PostgreSQL"
fi
