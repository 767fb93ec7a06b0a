#!/usr/bin/env bash
# Proves: an admin can change a price with nothing but Swagger UI, in a real browser. The admin opens a change set, reads
# its diff, backtests it on 10,000 simulated calls and publishes it. The next quote has the new price. Then the admin
# rolls back, and finds every step in the audit log. The screenshots are in artifacts/.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
CALLS=${CALLS:-10000} scripts/in_browser.sh price_change
