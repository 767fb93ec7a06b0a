#!/usr/bin/env bash
# Tells a story of tests/browser in a real browser, beside a server of its own on an empty folder: `scripts/in_browser.sh STORY`.
#
# In: RINGBOOK (the program), and how many CALLS are simulated beforehand; `need_browser` has been called. Out: the story's
# exit status, a line for each step; the screenshots are left in artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
export RINGBOOK_URL="http://127.0.0.1:$port" RINGBOOK_ADMIN_KEY=browser-story-admin-key RINGBOOK_VAPI_SECRET=browser-story-secret
(cd "$folder" && RATE_LIMIT_ENABLED=false LOG_LEVEL=warn exec "$RINGBOOK" --listen "127.0.0.1:$port" >out 2>err) &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
until curl -sf "$RINGBOOK_URL/health/ready" >/dev/null; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/err" >&2; exit 1; }
    sleep 0.1
done
[ -z "${CALLS:-}" ] || "$RINGBOOK" simulate --url "$RINGBOOK_URL" --count "$CALLS" --rate 0 --seed 7
mkdir -p artifacts
ARTIFACTS="$PWD/artifacts" CHROMIUM=$(command -v chromium) node "tests/browser/$1.mjs"
