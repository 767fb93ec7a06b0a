#!/usr/bin/env bash
# Runs all checks that must pass before a change is merged. Every step runs even if an earlier step failed; at the end, the
# script lists the failed steps. Run it with a PostgreSQL: see scripts/with-postgres.sh.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=() skipped=()
step() {
    local name=$1
    shift
    printf '\n== %s\n' "$name"
    local began=$SECONDS
    if "$@"; then printf '== %s: ok (%s s)\n' "$name" $((SECONDS - began)); else failed+=("$name"); fi
}

if ! command -v cargo >/dev/null; then
    echo "cargo is not installed: install Rust 1.95 or newer (https://rustup.rs)" >&2
    exit 1
fi

. scripts/need.sh
# A test checks that the patches of tests/faults/defects still apply.
need git git >/dev/null || skipped+=("git cannot be installed: the patches of planted defects cannot be checked")
if cargo fmt --version >/dev/null 2>&1; then
    step "formatting" cargo fmt --all --check
else
    skipped+=("formatting: rustfmt is not installed")
fi
# At least one test must get each status that the OpenAPI document lists. The tests record the statuses that they get, and a
# step after all tests checks the record.
seen_statuses=$(mktemp -d)/seen
step "tests" env RINGBOOK_SEEN_STATUSES="$seen_statuses" cargo test --workspace --locked --quiet --no-fail-fast
judge_statuses() {
    if [ ! -s "$seen_statuses" ]; then
        echo "no test recorded a status in $seen_statuses" >&2
        return 1
    fi
    env RINGBOOK_JUDGED_STATUSES="$seen_statuses" cargo test --locked --quiet --test released each_documented_status_was_seen
}
step "documented statuses" judge_statuses
rm -rf "$(dirname "$seen_statuses")"
if cargo clippy --version >/dev/null 2>&1; then
    step "lints" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
else
    skipped+=("lints: clippy is not installed")
fi
step "dependencies" scripts/supply_chain.sh
if need_browser >/dev/null; then
    step "the first steps in a browser" env RINGBOOK="${CARGO_TARGET_DIR:-$PWD/target}/debug/ringbook" scripts/in_browser.sh first_story
    step "the console in a browser" env CALLS=60 RINGBOOK="${CARGO_TARGET_DIR:-$PWD/target}/debug/ringbook" scripts/in_browser.sh console
    step "search in a browser" env RINGBOOK="${CARGO_TARGET_DIR:-$PWD/target}/debug/ringbook" scripts/in_browser.sh search
    step "trying out in a browser" env RINGBOOK="${CARGO_TARGET_DIR:-$PWD/target}/debug/ringbook" scripts/in_browser.sh tryout
    step "pages visited again in a browser" env RINGBOOK="${CARGO_TARGET_DIR:-$PWD/target}/debug/ringbook" scripts/in_browser.sh again
else
    skipped+=("the browser tests: chromium, node or the npm packages cannot be installed")
fi
[ -z "${RINGBOOK_TEST_SQLITE_ONLY:-}" ] || skipped+=("every test on PostgreSQL: there is no PostgreSQL (see above)")

echo
for what in ${skipped[@]+"${skipped[@]}"}; do echo "NOT RUN  $what"; done
if [ ${#failed[@]} -gt 0 ]; then
    for what in "${failed[@]}"; do echo "FAILED   $what"; done
    exit 1
fi
echo "Every step that ran passed."
