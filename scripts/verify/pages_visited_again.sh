#!/usr/bin/env bash
# Proves: /docs and the pages about problems are complete when they are visited again in a real browser with a persistent
# profile: after a reload, after going back, in a second tab and the next day. The browser's console shows no error.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
scripts/in_browser.sh again
