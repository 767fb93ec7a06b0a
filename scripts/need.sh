# To be sourced: `need PROGRAM PACKAGE …` installs with apt what is not here.
need() {
    local missing=()
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing ${missing[*]}"
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# What scripts/in_browser.sh works with.
need_browser() {
    need node nodejs npm npm chromium chromium curl curl &&
        node -e 'process.exit(Number.parseInt(process.versions.node) < 20 ? 1 : 0)' &&
        (cd tests/browser && npm ci --no-audit --no-fund --loglevel=error)
}

# An empty database on the server of TEST_POSTGRES_URL; its address. `drop_database ADDRESS` takes it away again.
own_database() {
    local name="proof_$$_$RANDOM"
    psql "$TEST_POSTGRES_URL" -qc "CREATE DATABASE $name" >&2
    echo "${TEST_POSTGRES_URL%/*}/$name"
}
drop_database() { psql "$TEST_POSTGRES_URL" -qc "DROP DATABASE ${1##*/} WITH (FORCE)"; }
