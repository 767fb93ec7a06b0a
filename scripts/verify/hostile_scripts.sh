#!/usr/bin/env bash
# Proves, optimized: a thousand hostile scripts are each refused or end within 100 ms of the processor's time, compiling
# included, and the process grows by no more than 16 MiB.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo test --release --locked --quiet --test hostile_scripts -- --nocapture
