#!/usr/bin/env bash
# Proves: a stand-in for Vapi withholds the reports of 1,000 calls for an hour. Then two instances reconcile at the same
# time, and the stand-in posts some of the reports after all. Every call becomes complete, with one decision and one lead.
# The test runs on both databases.
set -euo pipefail

[ -n "${TEST_POSTGRES_URL:-}" ] || export RINGBOOK_TEST_SQLITE_ONLY=1
RINGBOOK_TEST_LOST_CALLS=1000 \
    "$(dirname "$0")/../some_test.sh" cargo test --release --locked --quiet --test it -- --test-threads 1 reconcile::an_hour_of_lost_reports
