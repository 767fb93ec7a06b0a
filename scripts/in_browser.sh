#!/usr/bin/env bash
# Runs a browser test of tests/browser, with its own server on an empty folder: `scripts/in_browser.sh NAME`.
#
# RINGBOOK is the program, and CALLS the number of calls to simulate first. Run `need_browser` before this script. The script
# returns the test's exit status, prints a line for each step, and writes screenshots to artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/need.sh
own_server browser
[ -z "${CALLS:-}" ] || "$RINGBOOK" simulate --url "$RINGBOOK_URL" --count "$CALLS" --rate 0 --seed 7
mkdir -p artifacts
ARTIFACTS="$PWD/artifacts" CHROMIUM=$(command -v chromium) node "tests/browser/$1.mjs"
