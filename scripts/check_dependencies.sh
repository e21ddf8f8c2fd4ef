#!/usr/bin/env bash
# Checks the dependencies against deny.toml: licences, versions, sources, and the advisories about them.
#
# The advisories are a git repository outside of the registries. Where it can't be reached, the script says so and
# checks all the rest; with IMPASTO_ADVISORIES=required that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo_deny=$(scripts/install_tool.sh cargo-deny)
advisories=https://github.com/RustSec/advisory-db

"$cargo_deny" --locked check licenses bans sources

if GIT_TERMINAL_PROMPT=0 timeout 60 git ls-remote --quiet --exit-code "$advisories" HEAD >/dev/null 2>&1; then
    "$cargo_deny" --locked check advisories
elif [ "${IMPASTO_ADVISORIES:-}" = required ]; then
    echo "check_dependencies.sh: the advisories can't be reached" >&2
    exit 1
else
    echo "check_dependencies.sh: SKIPPED the advisories: they can't be reached from here"
fi
