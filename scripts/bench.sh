#!/usr/bin/env bash
# Measures the whole path of a report compared with the database alone (a private, durable PostgreSQL and pgbench). Then
# it measures a decision. With arguments, only the first benchmark runs, with these arguments:
# `scripts/bench.sh --rounds 5 --at-least 0.8`. `--help` lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

RINGBOOK_POSTGRES_DURABLE=1 scripts/with-postgres.sh cargo bench --locked --bench report_path -- "$@"
[ $# -gt 0 ] || cargo bench --locked --bench decide
