#!/usr/bin/env bash
# Proves: of 50 clients who edit one price 10,000 times every edit is in the history or refused, and the last accepted one
# stands; and with a new revision every 50 ms for a minute under 300 evaluations a second on three instances sharing one
# PostgreSQL, no decision mixes revisions and none is older than the last edit that was answered.
set -euo pipefail

[ -n "${TEST_POSTGRES_URL:-}" ] || export RINGBOOK_TEST_SQLITE_ONLY=1
RINGBOOK_TEST_EDITS=10000 RINGBOOK_TEST_SECONDS=60 RINGBOOK_TEST_EVALUATIONS=300 \
    cargo test --release --locked --quiet --test it -- --test-threads 1 edits::
