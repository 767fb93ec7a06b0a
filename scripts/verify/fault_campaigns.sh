#!/usr/bin/env bash
# Proves: every campaign of tests/faults with its full count, on SQLite and on a PostgreSQL that waits for the disk. It takes an
# hour or two, and prints what `make faults` writes into docs/fault-report.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

# A cluster of its own: that of the other proofs does not wait for the disk.
env -u TEST_POSTGRES_URL -u TEST_POSTGRES_CONTROL RINGBOOK_POSTGRES_DURABLE=1 RINGBOOK_FAULTS_DIVIDE=1 \
    scripts/with-postgres.sh scripts/faults.sh
