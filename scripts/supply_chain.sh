#!/usr/bin/env bash
# Checks the dependencies: all are from crates.io, have a license that deny.toml allows, and are listed in
# THIRD-PARTY-NOTICES.md. If cargo-deny is installed, the script also checks the advisories and the banned crates. It
# installs nothing.
#   supply_chain.sh          checks
#   supply_chain.sh --write  rewrites THIRD-PARTY-NOTICES.md
set -euo pipefail
cd "$(dirname "$0")/.."

notices=THIRD-PARTY-NOTICES.md
# The crates that are linked into the program or run during the build.
crates() {
    cargo tree --workspace --locked --edges normal,build --prefix none --format '{p}|{l}|{r}' |
        sed -e 's/ (\*)$//' -e 's/ (proc-macro)|/|/' | grep -v "^ringbook\|^$" | LC_ALL=C sort -u
}

licence_texts() {
    local registry crate name version file
    registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
    while IFS='|' read -r crate _ _; do
        name=${crate% v*} version=${crate##* v}
        for file in "$registry"/*/"$name-$version"/{LICENSE,LICENCE,COPYING,NOTICE,license}*; do
            # The text of Apache 2.0 is in LICENSE; the other texts are short.
            [ -f "$file" ] && ! grep -q "Apache License" "$file" && printf '%s %s %s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "$crate" "$file"
        done
    done < <(crates) | sort
}

write() {
    {
        echo "# Third-party notices"
        echo
        echo "Ringbook is built on these crates. Made by \`scripts/supply_chain.sh --write\` from Cargo.lock; \`make test\` fails when it"
        echo "is out of date. The text of the Apache License 2.0 is in [LICENSE](LICENSE); the other licences' texts follow the list."
        echo
        echo "| crate | version | licence | source |"
        echo "|---|---|---|---|"
        crates | sed -E 's/^(.*) v([^|]*)\|([^|]*)\|(.*)$/| \1 | \2 | \3 | \4 |/'
        echo
        echo "## Texts"
        local last="" digest name version file
        while read -r digest name version file; do
            if [ "$digest" != "$last" ]; then
                [ -z "$last" ] || { echo '```' && cat "$shown" && echo && echo '```'; }
                echo
                last=$digest shown=$file
            fi
            echo "- $name ${version#v}"
        done < <(licence_texts)
        echo '```' && cat "$shown" && echo && echo '```'
    } >"$notices"
}

# If a crate's licenses are joined by OR, one of them must be allowed. If they are joined by AND, all must be allowed.
licences='
import os, re, sys
allowed = set(os.environ["allowed"].split("\n"))
def holds(text):
    text = text.strip()
    if text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1].strip()
    for word, needed in ((" AND ", all), (" OR ", any)):
        pieces, start, depth = [], 0, 0
        for at, c in enumerate(text):
            depth += (c == "(") - (c == ")")
            if depth == 0 and text.startswith(word, at):
                pieces.append(text[start:at])
                start = at + len(word)
        if pieces:
            return needed(holds(piece) for piece in pieces + [text[start:]])
    return text in allowed
bad = 0
for line in sys.stdin:
    crate, licence, _ = line.rstrip("\n").split("|", 2)
    if not holds(re.sub(r" ?/ ?", " OR ", licence)):
        print(f"{crate}: its license `{licence}` is not in deny.toml", file=sys.stderr)
        bad = 1
sys.exit(bad)
'

check() {
    local failed=0 listed allowed
    say() { echo "$1" >&2; failed=1; }
    if grep '^source = ' Cargo.lock | grep -qv 'registry+https://github.com/rust-lang/crates.io-index'; then
        say "Cargo.lock has a source that is not crates.io"
    fi
    listed=$(sed -n -E 's/^\| ([^ ]+) \| ([0-9][^ ]*) \|.*/\1 v\2/p' "$notices" | LC_ALL=C sort -u)
    if [ "$listed" != "$(crates | cut -d'|' -f1 | LC_ALL=C sort -u)" ]; then
        say "$notices is out of date: run scripts/supply_chain.sh --write"
    fi
    allowed=$(sed -n '/^allow = \[/,/^\]/s/^ *"\(.*\)",.*/\1/p' deny.toml)
    if command -v python3 >/dev/null; then
        crates | allowed="$allowed" python3 -c "$licences" || failed=1
    else
        echo "NOT RUN  licenses: python3 is not installed"
    fi
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny --locked check || failed=1
    else
        echo "NOT RUN  advisories: cargo-deny is not installed (cargo install cargo-deny)"
    fi
    return $failed
}

case ${1:-} in
--write) write ;;
"") check ;;
*) echo "usage: $0 [--write]" >&2 && exit 2 ;;
esac
