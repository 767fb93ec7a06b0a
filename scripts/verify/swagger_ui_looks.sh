#!/usr/bin/env bash
# Proves: in a real browser, in light and dark mode and 1280, 768 and 390 pixels wide, every text of /docs has a contrast of at
# least 4.5 to 1, nothing is wider than the window or cut off, and Authorize works with the keyboard alone. The screenshots are in
# artifacts/.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
scripts/in_browser.sh looks
