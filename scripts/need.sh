# Source this file: `need PROGRAM PACKAGE …` installs missing packages with apt.
need() {
    local missing=()
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "Installing with apt, as root: ${missing[*]}" >&2
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The programs that scripts/in_browser.sh needs.
need_browser() {
    need node nodejs npm npm chromium chromium curl curl &&
        node -e 'process.exit(Number.parseInt(process.versions.node) < 20 ? 1 : 0)' &&
        (cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)
}

# Creates an empty database on the server of TEST_POSTGRES_URL and prints its URL. `drop_database URL` drops it.
own_database() {
    local name="proof_$$_$RANDOM"
    psql "$TEST_POSTGRES_URL" -qc "CREATE DATABASE $name" >&2
    echo "${TEST_POSTGRES_URL%/*}/$name"
}
drop_database() { psql "$TEST_POSTGRES_URL" -qc "DROP DATABASE ${1##*/} WITH (FORCE)"; }

# `own_server WORD` starts the program RINGBOOK as a server on an empty folder. The server runs until this shell ends.
# Sets RINGBOOK_URL, RINGBOOK_ADMIN_KEY and RINGBOOK_VAPI_SECRET. The key and the secret begin with WORD.
own_server() {
    own_folder=$(mktemp -d)
    local port=$((20000 + RANDOM % 20000))
    export RINGBOOK_URL="http://127.0.0.1:$port" RINGBOOK_ADMIN_KEY="$1-story-admin-key" RINGBOOK_VAPI_SECRET="$1-story-secret-0123456789"
    (cd "$own_folder" && RATE_LIMIT_ENABLED=false LOG_LEVEL=warn exec "$RINGBOOK" --listen "127.0.0.1:$port" >out 2>err) &
    own_server_pid=$!
    trap 'kill "$own_server_pid" 2>/dev/null || true; wait "$own_server_pid" 2>/dev/null || true; rm -rf "$own_folder"' EXIT
    until curl -sf "$RINGBOOK_URL/health/ready" >/dev/null; do
        kill -0 "$own_server_pid" 2>/dev/null || { cat "$own_folder/err" >&2; exit 1; }
        sleep 0.1
    done
}
