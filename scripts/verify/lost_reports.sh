#!/usr/bin/env bash
# Proves: of 1,000 calls whose reports Vapi's stand-in hides for an hour every one is complete, with one decision and one lead,
# after Vapi was asked, also when two ask at the same time and Vapi posts some of the reports after all; on both databases.
set -euo pipefail

[ -n "${TEST_POSTGRES_URL:-}" ] || export RINGBOOK_TEST_SQLITE_ONLY=1
RINGBOOK_TEST_LOST_CALLS=1000 \
    cargo test --release --locked --quiet --test it -- --test-threads 1 reconcile::an_hour_of_lost_reports
