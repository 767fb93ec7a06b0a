#!/usr/bin/env bash
# Builds the program with all patches of tests/faults/defects, and prints its path. RINGBOOK_PLANTED_DEFECT=NAME activates one
# defect at run time. The first line of each patch says what is wrong.
#
# The patches are applied to a copy of the working tree, with a separate target folder. Cargo identifies the crates of a workspace
# by their path in it, so in a shared folder it would confuse the copy's crates with ours.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p "${CARGO_TARGET_DIR:-target}/faults"
faults=$(cd "${CARGO_TARGET_DIR:-target}/faults" && pwd -P)
source=$faults/source
. scripts/need.sh
need git git >&2

rm -rf "$source"
mkdir "$source"
# Files get new modification times, or cargo would not notice that a patch was removed. The list may contain deleted files that
# are not committed.
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -rd '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
    tar --create --null --files-from - | tar --extract --touch --directory "$source"

# Inside a repository, `git apply` silently skips files outside the current folder. So git must not find a repository.
export GIT_CEILING_DIRECTORIES=$faults
cd "$source"
stale=0
for patch in tests/faults/defects/*.patch; do
    git apply "$patch" >&2 || { echo "$patch no longer applies to the source" >&2; stale=1; }
done
[ "$stale" = 0 ] || exit 1

CARGO_TARGET_DIR=$faults/target cargo build --locked --features faults --bin ringbook >&2
echo "$faults/target/debug/ringbook"
