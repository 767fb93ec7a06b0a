#!/usr/bin/env bash
# The slower proofs: a release build, and every script in scripts/verify/ against it (RINGBOOK holds its path). Each
# script says in its first lines what it proves.
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
echo "Every proof held."
