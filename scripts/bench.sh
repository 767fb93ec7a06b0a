#!/usr/bin/env bash
# Measures a decision, and the whole path of a report compared with the database alone (a private, durable PostgreSQL and
# pgbench) and with a peer in Node, if Node is there. Prints one table and writes it to docs/benchmarks.md. With arguments,
# only the reports are measured, with these arguments, and nothing is written: `scripts/bench.sh --rounds 5 --at-least 0.8`.
# `--help` lists them.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v npm >/dev/null; then
    (cd benches/peer && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
fi
if [ $# -eq 0 ]; then
    mkdir -p target
    cargo bench --locked --bench decide -- --output-format bencher | tee target/decisions.txt
    set -- --rounds 5 --decisions "$PWD/target/decisions.txt" --page "$PWD/docs/benchmarks.md"
fi
RINGBOOK_POSTGRES_DURABLE=1 scripts/with-postgres.sh cargo bench --locked --bench report_path -- "$@"
