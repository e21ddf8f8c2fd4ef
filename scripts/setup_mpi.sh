#!/usr/bin/env bash
# Installs what the feature `mpi` is built and run with: OpenMPI, and libclang, with which its Rust bindings are made. From
# Debian's or Ubuntu's packages, which needs root or sudo. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null; }

packages=()
have mpirun || packages+=(openmpi-bin)
have mpicc || packages+=(libopenmpi-dev)
have cc || packages+=(gcc libc6-dev)
have pkg-config || packages+=(pkg-config)
ls /usr/lib/llvm*/lib/libclang.so* /usr/lib/*/libclang.so* >/dev/null 2>&1 || packages+=(libclang-dev)
scripts/install_packages.sh "${packages[@]}"
mpirun --version | head -1
