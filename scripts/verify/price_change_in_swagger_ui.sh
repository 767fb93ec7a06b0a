#!/usr/bin/env bash
# Proves: an admin changes a price in Swagger UI alone, in a real browser: opens a change set, reads its diff, backtests it
# on 10,000 simulated calls, publishes, sees the next quote changed, rolls back, and finds all of it in the audit log.
# The screenshots are left in artifacts/.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need node nodejs npm npm chromium chromium curl curl
(cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)

folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
export RINGBOOK_VAPI_SECRET=browser-story-secret
(cd "$folder" && RINGBOOK_ADMIN_KEY=browser-story-admin-key RATE_LIMIT_ENABLED=false LOG_LEVEL=warn \
    exec "$RINGBOOK" --listen "127.0.0.1:$port" >out 2>err) &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
    curl -sf "http://127.0.0.1:$port/health/ready" >/dev/null && break
    sleep 0.1
done

"$RINGBOOK" simulate --url "http://127.0.0.1:$port" --count "${CALLS:-10000}" --rate 0 --seed 7
RINGBOOK_URL="http://127.0.0.1:$port" RINGBOOK_ADMIN_KEY=browser-story-admin-key CALLS="${CALLS:-10000}" CHROMIUM=$(command -v chromium) \
    node tests/browser/price_change.mjs
