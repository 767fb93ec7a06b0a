#!/usr/bin/env bash
# Runs a command with a private PostgreSQL: `scripts/with-postgres.sh COMMAND ARGUMENTS…`
#
# It uses the installed programs of PostgreSQL. On a Debian without them, it installs them with apt. It sets TEST_POSTGRES_URL
# for the command, and always stops and removes the cluster. If TEST_POSTGRES_URL is already set, the command uses that
# PostgreSQL. Without PostgreSQL, the command runs with RINGBOOK_TEST_SQLITE_ONLY=1 and this script says so.
# TEST_POSTGRES_CONTROL is a command that stops and starts the cluster, like pg_ctl. RINGBOOK_POSTGRES_DURABLE=1 makes
# commits durable, as in production: for benchmarks and faults.
set -euo pipefail

say() { printf '== %s\n' "$*" >&2; }

if [ -n "${TEST_POSTGRES_URL:-}" ]; then
    say "using the PostgreSQL of TEST_POSTGRES_URL"
    exec "$@"
fi

# -- the programs
find_programs() {
    local initdb
    if initdb=$(command -v initdb); then
        dirname "$(readlink -f "$initdb")"
        return
    fi
    # Version 15 is the oldest supported version. If it is not installed, use the newest version.
    local bin
    for bin in /usr/lib/postgresql/15/bin $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr); do
        if [ -x "$bin/initdb" ]; then echo "$bin"; return; fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_programs() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || return 1
    say "PostgreSQL is not installed: installing it with apt, as root"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || return 1
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common >&2 || return 1
    # The script starts its own cluster, so Debian's cluster need not run.
    as_root sh -c 'grep -qs "^create_main_cluster" /etc/postgresql-common/createcluster.conf && exit 0
        echo "create_main_cluster = false" >>/etc/postgresql-common/createcluster.conf' || return 1
    local package=postgresql-15
    apt-cache show "$package" >/dev/null 2>&1 || package=postgresql
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2
}

if ! bin=$(find_programs); then
    if ! install_programs || ! bin=$(find_programs); then
        say "NOT RUN ON POSTGRESQL: PostgreSQL is not installed, and installing it failed (needs apt-get and root, or sudo without a password)"
        exec env RINGBOOK_TEST_SQLITE_ONLY=1 "$@"
    fi
fi

# -- the cluster, in its own folder. PostgreSQL refuses to run as root, so another user runs it. That user may have no
# access to root's TMPDIR, so the folder is in /tmp.
[ "$(id -u)" = 0 ] && parent=/tmp || parent=${TMPDIR:-/tmp}
folder=$(mktemp -d "$parent/ringbook-postgres.XXXXXX")
as_cluster_user=()
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$folder"
    as_cluster_user=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups env "HOME=$folder")
fi

cluster() { (cd "$folder" && "${as_cluster_user[@]}" "$@"); }

stop() {
    cluster "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cluster "$bin/initdb" -D "$folder/data" -U ringbook --auth=trust --no-locale --encoding=UTF8 --no-sync >"$folder.log" 2>&1 </dev/null || {
    cat "$folder.log" >&2
    rm -f "$folder.log"
    exit 1
}
rm -f "$folder.log"

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

started=no
for _ in 1 2 3 4 5 6 7 8; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
    is_free "$port" || continue
    options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$folder' -c max_connections=300"
    if [ "${RINGBOOK_POSTGRES_DURABLE:-0}" = 1 ]; then
        # Avoid checkpoints that the size of the log forces: such a checkpoint would slow one measurement and not another.
        options="$options -c shared_buffers=256MB -c max_wal_size=4GB -c checkpoint_timeout=15min"
    else
        # The data only lives as long as the tests, so commits need not be durable.
        options="$options -c fsync=off -c full_page_writes=off -c shared_buffers=64MB"
    fi
    if cluster "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -o "$options" -w -t 60 start >/dev/null </dev/null; then
        started=yes
        break
    fi
done
if [ "$started" = no ]; then
    say "PostgreSQL does not start:"
    cat "$folder/log" >&2 || true
    exit 1
fi

# A test stops and starts the cluster with `$TEST_POSTGRES_CONTROL stop -m immediate` and `... start`.
{
    echo '#!/usr/bin/env bash'
    echo "cd '$folder' || exit 1"
    echo "what=\$1; shift"
    printf 'exec '
    printf '%q ' "${as_cluster_user[@]}" "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -o "$options" -w -t 60
    echo '"$what" "$@" </dev/null >/dev/null'
} >"$folder/control"
chmod 755 "$folder/control"

say "$("$bin/postgres" --version) on port $port, in $folder"
export TEST_POSTGRES_CONTROL="$folder/control"
export TEST_POSTGRES_URL="postgres://ringbook@127.0.0.1:$port/postgres"
export PATH="$PATH:$bin"
# Without `exec`, the trap can stop the cluster. The command runs in the background, so that the shell handles a signal
# immediately.
"$@" </dev/null &
child=$!
trap 'kill -TERM "$child" 2>/dev/null; wait "$child" 2>/dev/null; exit 143' INT TERM HUP
wait "$child"
