#!/usr/bin/env bash
# Breaks Ringbook on purpose and writes docs/fault-report.md: the campaigns of tests/faults in their long version, on SQLite
# and on PostgreSQL, with the program as it is given to people, with a build that breaks where it is told (the cargo feature
# `faults`, which exists in debug builds only), and with one that has mistakes in it (scripts/build_with_defects.sh). Meant to
# run beside a durable PostgreSQL: see `make faults`.
#
# Arguments are campaigns' names: then only those are run, and their rows take the place of what the report said of them.
# RINGBOOK_FAULTS_DEFECT=NAME looks for one mistake only.
# RINGBOOK_FAULTS_PROFILE=dev spares the release build; RINGBOOK_FAULTS_DIVIDE=10 does a tenth of everything, and what comes of
# it is only printed.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
profile=${RINGBOOK_FAULTS_PROFILE:-release}
folder=debug
[ "$profile" = dev ] || folder=$profile

mkdir -p "$target/faults"
# One campaign has a pooler in front of PostgreSQL; without it, it says so.
. scripts/need.sh
need pgbouncer pgbouncer || true
RINGBOOK_FAULTS_DEFECTS_BINARY=$(scripts/build_with_defects.sh)
export RINGBOOK_FAULTS_DEFECTS_BINARY
cargo build --locked --features faults --bin ringbook
cp --remove-destination "$target/debug/ringbook" "$target/faults/ringbook-that-breaks"
cargo build --locked --profile "$profile" --bin ringbook
# A copy: the tests below put a debug build in the place of this one.
cp --remove-destination "$target/$folder/ringbook" "$target/faults/ringbook"

export RINGBOOK="$target/faults/ringbook"
export RINGBOOK_FAULTS_BINARY="$target/faults/ringbook-that-breaks"
export RINGBOOK_FAULTS_LONG=1
export RINGBOOK_FAULTS_BUILD="a $folder build"
RINGBOOK_FAULTS_REVISION=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD -- . ':!docs/fault-report.*' 2>/dev/null || RINGBOOK_FAULTS_REVISION+=-dirty
export RINGBOOK_FAULTS_REVISION
[ -n "${RINGBOOK_FAULTS_DIVIDE:-}" ] || export RINGBOOK_FAULTS_REPORT="$PWD/docs/fault-report.md"
mkdir -p docs
cargo test --locked --test faults -- "$@"
