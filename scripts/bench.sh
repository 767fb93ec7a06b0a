#!/usr/bin/env bash
# What is measured: the whole path of a report against the database alone (a private PostgreSQL that waits for the disk,
# pgbench beside it), and a decision. Arguments go to the first: `scripts/bench.sh --rounds 5 --at-least 0.8`, `--help`.
set -euo pipefail
cd "$(dirname "$0")/.."

RINGBOOK_POSTGRES_DURABLE=1 scripts/with-postgres.sh cargo bench --locked --bench report_path -- "$@"
[ $# -gt 0 ] || cargo bench --locked --bench decide
