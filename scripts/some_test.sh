#!/usr/bin/env bash
# Runs a command of `cargo test`, and fails if no test ran: cargo reports success when no test has the given name.
set -euo pipefail
output=$(mktemp)
trap 'rm -f "$output"' EXIT
"$@" | tee "$output"
grep -q '[1-9][0-9]* passed' "$output" || { echo "no test ran: $*" >&2; exit 1; }
