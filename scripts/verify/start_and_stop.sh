#!/usr/bin/env bash
# Proves: on an empty folder, the server is ready within a second of its start, and exits within a second of SIGTERM with status 0.
# Runs on SQLite, and on PostgreSQL if TEST_POSTGRES_URL is set.
set -euo pipefail
. "$(dirname "$0")/../need.sh"
need curl curl

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

ms() { echo $(($(date +%s%N) / 1000000)); }

try() {
    local name=$1 folder began port=$((20000 + RANDOM % 20000))
    folder=$(mktemp -d)
    began=$(ms)
    (cd "$folder" && exec "$RINGBOOK" --listen "127.0.0.1:$port" >out 2>err) &
    server=$!
    until curl -sf "http://127.0.0.1:$port/health/ready" >/dev/null 2>&1; do
        if ! kill -0 "$server" 2>/dev/null || [ $(($(ms) - began)) -gt 10000 ]; then
            echo "$name: the server did not become ready:"
            cat "$folder/err"
            return 1
        fi
        sleep 0.01
    done
    echo "$name: ready after $(($(ms) - began)) ms"
    [ $(($(ms) - began)) -le 1000 ] || { echo "$name: the start is too slow"; return 1; }
    began=$(ms)
    kill -TERM "$server"
    wait "$server" || { echo "$name: the server did not exit with status 0"; return 1; }
    server=
    echo "$name: stopped after $(($(ms) - began)) ms"
    [ $(($(ms) - began)) -le 1000 ] || { echo "$name: the stop is too slow"; return 1; }
    rm -rf "$folder"
}

try SQLite
if [ -n "${TEST_POSTGRES_URL:-}" ]; then
    database=$(own_database)
    DATABASE_URL=$database try PostgreSQL
    drop_database "$database"
else
    echo "NOT RUN on PostgreSQL: there is no PostgreSQL"
fi
