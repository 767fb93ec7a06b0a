#!/usr/bin/env bash
# Measures how well the sample rulebook hears labelled calls, and writes docs/hearing-results.md. The test half is never
# looked at while the lists are changed.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --quiet
ringbook="${CARGO_TARGET_DIR:-target}/debug/ringbook"
{
    echo "# How well the sample rulebook hears"
    echo
    echo "Made by \`make hearing\` from the labelled calls in tests/data/calls. The calls of three authors (a, b, c) are split by a hash of"
    echo "their ids; two authors (v, w) wrote for the test half only, all others for development only. Lists and classifiers were made from the"
    echo "development half, so its own figures say nothing: only the test half counts. [hearing.md](hearing.md) explains the kinds. A cell says how many of how many; false P1 and P2 false are better the lower they are."
    for half in test development; do
        echo
        echo "## The $half half"
        echo
        "$ringbook" hear --rules rules --ids "tests/data/calls/$half.jsonl"
    done
} | tee docs/hearing-results.md
