#!/usr/bin/env bash
# Proves: the generated TypeScript and Python clients can follow the README's steps against a running server. The TypeScript
# client passes the strict type check. Vapi's own SDKs of both languages can parse every response to Vapi's messages.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need curl curl
scripts/clients.sh

own_server clients
"$RINGBOOK" simulate --url "$RINGBOOK_URL" --count 20 --rate 0 --seed 7 --quiet

cd tests/clients
rm -rf built
mkdir built
.venv/bin/python vapi_answers.py built/vapi_answers.ts
npx tsc --project .
echo "ok  tsc, strict: the client, its test, and each response with the type of Vapi's SDK"
node built/tests/clients/story.js
.venv/bin/python story.py
