#!/usr/bin/env bash
# Opens /docs in a real browser, in light and dark mode, in windows that are 1280, 768 and 390 pixels wide. Proves: every
# text has a contrast of at least 4.5 to 1, nothing is wider than the window or cut off, and Authorize works with the
# keyboard alone. The screenshots are in artifacts/.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
scripts/in_browser.sh looks
