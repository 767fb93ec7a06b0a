#!/usr/bin/env bash
# Proves: every task of the console works by mouse and by keyboard, in both languages, on a phone and on a desktop. Runs the
# browser tests tests/browser/console_*.mjs, with axe, the content policy and the click budgets. The screenshots are in artifacts/.
#
# RINGBOOK is the program. The script prints a line for each step.
set -uo pipefail
cd "$(dirname "$0")/../.."

. scripts/need.sh
need_browser || exit 1
failed=()
for story in console console_change_set console_on_call console_try console_day; do
    printf -- '-- %s\n' "$story"
    CALLS=60 scripts/in_browser.sh "$story" || failed+=("$story")
done
[ ${#failed[@]} -eq 0 ] || { echo "FAILED   ${failed[*]}" >&2; exit 1; }
