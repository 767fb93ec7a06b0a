#!/usr/bin/env bash
# The slower checks: makes a release build and runs every script in scripts/verify/ with it (RINGBOOK is its path). The first
# lines of each script say what it proves.
set -uo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked || exit 1
target=${CARGO_TARGET_DIR:-$PWD/target}
export RINGBOOK="$target/release/ringbook"

failed=()
for proof in scripts/verify/*.sh; do
    printf '\n== %s\n' "$proof"
    bash "$proof" || failed+=("$proof")
done
echo
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED   %s\n' "${failed[@]}"
    exit 1
fi
echo "Every check passed."
