#!/usr/bin/env bash
# Proves: in a real browser, light and dark and 1280, 768 and 390 pixels wide, every text of /docs stands out from what is
# behind it (4.5 to 1), nothing is wider than the window or cut off, and Authorize is reached and used by keyboard alone.
# The screenshots are left in artifacts/.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
scripts/in_browser.sh looks
