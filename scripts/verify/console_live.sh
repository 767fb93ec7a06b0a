#!/usr/bin/env bash
# Proves: ten boards stay live under fifty messages per second for ten minutes (tests/browser/console_live.mjs). SECONDS_LIVE sets
# another duration.
#
# RINGBOOK is the program. The script prints the figures.
set -euo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser
own_server live
mkdir -p artifacts
env SECONDS="${SECONDS_LIVE:-600}" SERVER_PID=$own_server_pid ARTIFACTS="$PWD/artifacts" CHROMIUM=$(command -v chromium) \
    node tests/browser/console_live.mjs
