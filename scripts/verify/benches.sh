#!/usr/bin/env bash
# Proves: a backtest decides at least 20,000 stored calls per second on each database, and the other benchmarks still run: a
# rulebook of 10,000 rows and 10,000 revisions, a decision, and a short run of the report's path.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo bench --locked --bench backtest -- --at-least 20000
cargo bench --locked --bench revisions
cargo bench --locked --bench decide -- --test
cargo bench --locked --bench report_path -- --rounds 1 --seconds 2
