#!/usr/bin/env bash
# Proves: an admin changes a price in Swagger UI alone, in a real browser: opens a change set, reads its diff, backtests it
# on 10,000 simulated calls, publishes, sees the next quote changed, rolls back, and finds all of it in the audit log.
# The screenshots are left in artifacts/.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
CALLS=${CALLS:-10000} scripts/in_browser.sh price_change
