#!/usr/bin/env bash
# Injects faults into Ringbook and writes docs/fault-report.md. It runs the campaigns of tests/faults with their full counts, on
# SQLite and PostgreSQL, with three builds: the release build, a debug build with abort points (the cargo feature `faults`), and a
# build with planted defects (scripts/build_with_defects.sh). Run it with a durable PostgreSQL: see `make faults`.
#
# Arguments name the campaigns to run. Then only these campaigns run, and their rows replace their former rows in the
# report. RINGBOOK_FAULTS_DEFECT=NAME looks for one defect only. RINGBOOK_FAULTS_PROFILE=dev skips the release build.
# RINGBOOK_FAULTS_DIVIDE=10 runs a tenth of everything; the result is only printed.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
profile=${RINGBOOK_FAULTS_PROFILE:-release}
folder=debug
[ "$profile" = dev ] || folder=$profile

mkdir -p "$target/faults"
# One campaign needs PgBouncer. Without PgBouncer, this campaign reports that it did not run.
. scripts/need.sh
need pgbouncer pgbouncer || true
RINGBOOK_FAULTS_DEFECTS_BINARY=$(scripts/build_with_defects.sh)
export RINGBOOK_FAULTS_DEFECTS_BINARY
cargo build --locked --features faults --bin ringbook
cp --remove-destination "$target/debug/ringbook" "$target/faults/ringbook-that-breaks"
cargo build --locked --profile "$profile" --bin ringbook
# Copy the program, because the tests below replace the file with a debug build.
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
