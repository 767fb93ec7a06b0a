#!/usr/bin/env bash
# Proves: more than 1,000 decisions of simulated calls over 50 revisions (prices, conditions, scripts) are identical, byte for
# byte, when they are replayed. A backtest of the first revision on the same calls finds the changes. The script runs on
# SQLite, and on PostgreSQL if TEST_POSTGRES_URL is set.
set -euo pipefail
. "$(dirname "$0")/../need.sh"
need curl curl

revisions=50 calls=6 # calls per revision; a simulated call is decided about five times
key=verify-admin-key-0123456789

# Changes a row of the default rulebook: `change PATH PATCH`. PATCH is a JSON object without its closing brace.
change() {
    local path=$1 patch=$2 version
    version=$(curl -sf -H "authorization: Bearer $key" "$address/$path" | grep -o '"version":[0-9]*' | cut -d: -f2)
    curl -sf -o /dev/null -X PATCH -H "authorization: Bearer $key" -H 'content-type: application/json' \
        -d "$patch,\"version\":$version}" "$address/$path" || { echo "$path $patch: rejected"; return 1; }
}

try() {
    local name=$1 folder port=$((20000 + RANDOM % 20000))
    folder=$(mktemp -d)
    export RINGBOOK_ADMIN_KEY=$key RINGBOOK_VAPI_SECRET=verify-secret-0123456789ab RATE_LIMIT_ENABLED=false RINGBOOK_WORKERS=none
    cd "$folder"
    "$RINGBOOK" --listen "127.0.0.1:$port" >out 2>err &
    server=$! # not local: the trap names it
    trap 'kill "$server" 2>/dev/null || true' EXIT
    address="http://127.0.0.1:$port/admin/v1/rulebooks/default"
    until curl -sf "http://127.0.0.1:$port/health/ready" >/dev/null 2>&1; do
        kill -0 "$server" || { cat err; return 1; }
        sleep 0.05
    done
    local number
    for number in $(seq 1 $revisions); do
        case $((number % 3)) in
        0) change services/root_removal "{\"price_from\":\"$((400 + number)).00\"" ;;
        1) change adjustments/south_shore "{\"condition\":\"area == \\\"south_shore\\\" && !says(\\\"nobody $number\\\")\"" ;;
        2) change scripts/spring_promotion "{\"source\":\"if quote.to > 5000 { throw \\\"too dear\\\" } quote.add($number, \\\"travel\\\");\"" ;;
        esac
        "$RINGBOOK" simulate --url "http://127.0.0.1:$port" --rate 0 --count $calls --seed "$number" --quiet >>simulated
    done
    "$RINGBOOK" replay --quiet --json >replayed || { cat replayed; return 1; }
    local count different seen
    count=$(grep -o '"replayed": [0-9]*' replayed | cut -d' ' -f2)
    different=$(grep -o '"different": [0-9]*' replayed | cut -d' ' -f2)
    seen=$(grep -o '"revisions": [0-9]*' replayed | cut -d' ' -f2)
    echo "$name: $count decisions over $seen revisions, $different different"
    # Write each check on its own line: in an `&&` chain, `set -e` notices only a failure of the last command.
    [ "$count" -ge 1000 ]
    [ "$seen" -ge $revisions ]
    [ "$different" = 0 ]
    "$RINGBOOK" backtest --revision 1 --simulated --quiet | head -12
    "$RINGBOOK" backtest --revision 1 --simulated --quiet --json | grep -q '"changed": [1-9]'
    kill -TERM "$server"
    wait "$server"
    cd / && rm -rf "$folder"
}

(try SQLite)
if [ -n "${TEST_POSTGRES_URL:-}" ]; then
    database=$(own_database)
    (DATABASE_URL=$database try PostgreSQL)
    drop_database "$database"
else
    echo "NOT RUN on PostgreSQL: there is no PostgreSQL"
fi
