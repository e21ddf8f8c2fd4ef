#!/usr/bin/env bash
# Installs what the feature `mpi` is built and run with: OpenMPI, and libclang, with which its Rust bindings are made. From
# Debian's or Ubuntu's packages, which needs root or sudo. What is there already is left alone.
set -euo pipefail

have() { command -v "$1" >/dev/null; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

packages=()
have mpirun || packages+=(openmpi-bin)
have mpicc || packages+=(libopenmpi-dev)
have cc || packages+=(gcc libc6-dev)
have pkg-config || packages+=(pkg-config)
ls /usr/lib/llvm*/lib/libclang.so* /usr/lib/*/libclang.so* >/dev/null 2>&1 || packages+=(libclang-dev)
if [ "${#packages[@]}" -gt 0 ]; then
    if ! have apt-get; then
        echo "setup_mpi.sh: install these first, under your system's names: ${packages[*]}" >&2
        exit 1
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi
mpirun --version | head -1
