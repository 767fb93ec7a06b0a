#!/usr/bin/env bash
# Proves: in a real browser with a profile that stays, /docs and the pages about problems are whole at the second visit, when
# they are reloaded, when one goes back, in a second tab and the next day; the console has no error.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
scripts/in_browser.sh again
