#!/usr/bin/env bash
# Tells a story of tests/browser in a real browser, beside a server of its own on an empty folder: `scripts/in_browser.sh STORY`.
#
# In: RINGBOOK (the program), and how many CALLS are simulated beforehand; `need_browser` has been called. Out: the story's
# exit status, a line for each step; the screenshots are left in artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/need.sh
own_server browser
[ -z "${CALLS:-}" ] || "$RINGBOOK" simulate --url "$RINGBOOK_URL" --count "$CALLS" --rate 0 --seed 7
mkdir -p artifacts
ARTIFACTS="$PWD/artifacts" CHROMIUM=$(command -v chromium) node "tests/browser/$1.mjs"
