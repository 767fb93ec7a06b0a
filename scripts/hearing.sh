#!/usr/bin/env bash
# Measures how well the sample rulebook understands labelled calls, and writes docs/hearing-results.md. Do not read the
# test half while you change the phrases.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --quiet
ringbook="${CARGO_TARGET_DIR:-target}/debug/ringbook"
{
    echo "# How well the sample rulebook hears"
    echo
    echo "\`make hearing\` makes this page from the labelled calls in tests/data/calls. Only the test half counts: the rules and the"
    echo "classifiers were made from the development half."
    echo
    echo "- The calls of the authors a, b and c are split by a hash of their ids."
    echo "- The authors v, w, x and bd wrote for the test half only."
    echo "- All other authors wrote for the development half only."
    echo
    echo "[hearing.md](hearing.md) explains how a call is heard. A cell says how many of how many. False P1 and false P2 are better the"
    echo "lower they are."
    for half in test development; do
        echo
        echo "## The $half half"
        echo
        "$ringbook" hear --rules rules --ids "tests/data/calls/$half.jsonl"
    done
} | tee docs/hearing-results.md
