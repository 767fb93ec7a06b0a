#!/usr/bin/env bash
# Builds the program with every mistake of tests/faults/defects in it, and prints where it is. RINGBOOK_PLANTED_DEFECT names the
# one that is on; each patch begins with what it does.
#
# The patches are applied to a copy of the working tree. It has a target folder of its own: cargo knows the crates of a
# workspace by their place in it, so in a common one it would take the copy's for ours.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p "${CARGO_TARGET_DIR:-target}/faults"
faults=$(cd "${CARGO_TARGET_DIR:-target}/faults" && pwd -P)
source=$faults/source
. scripts/need.sh
need git git >&2

rm -rf "$source"
mkdir "$source"
# With new times, or cargo would not see that a patch has gone. A file that was deleted and not committed is listed too.
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -rd '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
    tar --create --null --files-from - | tar --extract --touch --directory "$source"

# Below a repository `git apply` passes over every file that is not of its folder, without a word: it shall not look for one.
export GIT_CEILING_DIRECTORIES=$faults
cd "$source"
stale=0
for patch in tests/faults/defects/*.patch; do
    git apply "$patch" >&2 || { echo "$patch no longer applies to the source" >&2; stale=1; }
done
[ "$stale" = 0 ] || exit 1

CARGO_TARGET_DIR=$faults/target cargo build --locked --features faults --bin ringbook >&2
echo "$faults/target/debug/ringbook"
