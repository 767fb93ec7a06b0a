#!/usr/bin/env bash
# Proves: every campaign of tests/faults passes with its full count, on SQLite and on a durable PostgreSQL. It takes an hour or
# two, and prints what `make faults` writes into docs/fault-report.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Use a separate cluster, because the cluster of the other scripts is not durable.
env -u TEST_POSTGRES_URL -u TEST_POSTGRES_CONTROL RINGBOOK_POSTGRES_DURABLE=1 RINGBOOK_FAULTS_DIVIDE=1 \
    scripts/with-postgres.sh scripts/faults.sh
