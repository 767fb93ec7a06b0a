#!/usr/bin/env bash
# Proves: the TypeScript and the Python client made from openapi/ringbook.json tell the README's story against a running
# server (the TypeScript one type-checked strictly), and Vapi's own SDKs of both languages read every answer to its messages.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need curl curl
scripts/clients.sh

folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
export RINGBOOK_URL="http://127.0.0.1:$port" RINGBOOK_ADMIN_KEY=clients-story-admin-key RINGBOOK_VAPI_SECRET=clients-story-secret
(cd "$folder" && RATE_LIMIT_ENABLED=false LOG_LEVEL=warn exec "$RINGBOOK" --listen "127.0.0.1:$port" >out 2>err) &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
until curl -sf "$RINGBOOK_URL/health/ready" >/dev/null; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/err" >&2; exit 1; }
    sleep 0.1
done
"$RINGBOOK" simulate --url "$RINGBOOK_URL" --count 20 --rate 0 --seed 7 --quiet

cd tests/clients
rm -rf built
mkdir built
.venv/bin/python vapi_answers.py built/vapi_answers.ts
npx tsc --project .
echo "ok  tsc, strict: the client, its story, and each answer as the type of Vapi's SDK"
node built/tests/clients/story.js
.venv/bin/python story.py
