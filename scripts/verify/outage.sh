#!/usr/bin/env bash
# Proves three things. First: PostgreSQL is stopped for 60 s (fast, and immediately as in a crash) under 100 messages per second.
# Each message gets a 2xx response within 2.5 s, each tool call with a price. Within 60 s of the return of PostgreSQL, all messages
# are recorded as they were answered, none twice. Second: 10,000 clients that disconnect while PostgreSQL is slow leave no connection
# unusable. Third: a full disk loses nothing that was answered (needs root, for a separate file system).
set -euo pipefail

if [ -z "${TEST_POSTGRES_URL:-}" ]; then
    echo "NOT RUN: there is no PostgreSQL"
    exit 0
fi
seconds=${OUTAGE_S:-60} rate=${OUTAGE_RATE:-100}
tests=${OUTAGE_TESTS:-cargo test --release --locked --quiet --test it --} # or an existing test binary
some_test=$(dirname "$0")/../some_test.sh
try() { "$some_test" $tests --nocapture --test-threads 1 "$@"; }

# -- a cluster that this script may stop
bin=$(dirname "$(command -v pg_ctl || ls -d /usr/lib/postgresql/*/bin/pg_ctl | sort -V | tail -1)")
folder=$(mktemp -d /tmp/ringbook-outage.XXXXXX)
as=()
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder"
    as=(setpriv --reuid=postgres "--regid=$(id -g postgres)" --clear-groups env "HOME=$folder")
fi
cluster() { (cd "$folder" && "${as[@]}" "$@"); }
port=$((20000 + RANDOM % 20000))
start="cd $folder && ${as[*]} $bin/pg_ctl -D $folder/data -l $folder/log -o '-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c max_connections=200' -w start </dev/null >/dev/null 2>&1"
cleanup() {
    cluster "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
    umount "$folder/disk" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
cluster "$bin/initdb" -D "$folder/data" -U ringbook --auth=trust --no-locale --encoding=UTF8 >/dev/null
sh -c "$start"

for mode in fast immediate; do
    echo "-- pg_ctl stop -m $mode, for $seconds s"
    TEST_POSTGRES_URL="postgres://ringbook@127.0.0.1:$port/postgres" RINGBOOK_TEST_OUTAGE_S=$seconds RINGBOOK_TEST_RATE=$rate \
        RINGBOOK_TEST_START_POSTGRES="$start" \
        RINGBOOK_TEST_STOP_POSTGRES="cd $folder && ${as[*]} $bin/pg_ctl -D $folder/data -m $mode -w stop >/dev/null" \
        try outage::a_database_that_is_stopped_under_load_loses_nothing
done

echo "-- clients that disconnect"
RINGBOOK_TEST_HANG_UPS=${HANG_UPS:-10000} try spool::clients_that_hang_up_leave_no_connection_unusable

# -- a disk that is full for a while: a file system of 24 MB with the SQLite file and the spool
if [ "$(id -u)" != 0 ] || ! mkdir -p "$folder/disk" || ! mount -t tmpfs -o size=24m tmpfs "$folder/disk"; then
    echo "NOT RUN: a full disk (needs root, for a separate file system)"
    exit 0
fi
echo "-- a full disk"
RINGBOOK_TEST_SMALL_DISK="$folder/disk" try outage::a_disk_that_is_full_loses_nothing_that_was_answered
