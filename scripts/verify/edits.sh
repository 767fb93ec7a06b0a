#!/usr/bin/env bash
# Proves two things. First: 50 clients edit one price 10,000 times. Every edit is in the history or was rejected, and the
# last accepted edit gives the current price. Second: for a minute, a new revision is published every 50 ms, while three
# instances on one PostgreSQL evaluate 300 calls per second. No decision mixes revisions, and no decision uses a revision
# older than the last edit that was acknowledged.
set -euo pipefail

[ -n "${TEST_POSTGRES_URL:-}" ] || export RINGBOOK_TEST_SQLITE_ONLY=1
RINGBOOK_TEST_EDITS=10000 RINGBOOK_TEST_SECONDS=60 RINGBOOK_TEST_EVALUATIONS=300 \
    "$(dirname "$0")/../some_test.sh" cargo test --release --locked --quiet --test it -- --test-threads 1 edits::
