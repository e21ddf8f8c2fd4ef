#!/usr/bin/env bash
# Installs packages of Debian or Ubuntu, which needs root or sudo. On other systems it names them and fails.
#
# usage: scripts/install_packages.sh [PACKAGE...]
set -euo pipefail

[ "$#" -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null; then
    echo "install_packages.sh: install these first, under your system's names: $*" >&2
    exit 1
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
