#!/usr/bin/env bash
# Builds the tests for 64-bit ARM (aarch64-unknown-linux-gnu) and runs them under QEMU.
#
# usage: scripts/check_aarch64.sh [CARGO TEST ARGUMENTS]
#
# Without arguments it runs the library's unit tests and tests/layers.rs: the kernels and the layers. Otherwise the
# arguments go to `cargo test`, such as `--lib -- gemm` or `--test pictures`.
#
# It installs what is missing: the target's standard library by rustup, and the C compiler (it links), the C library
# and QEMU from Debian's or Ubuntu's packages, which needs root or sudo.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
tests=("$@")
[ "$#" -gt 0 ] || tests=(--lib --test layers)

have() { command -v "$1" >/dev/null; }

if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
    rustup target add "$target"
fi

packages=()
have aarch64-linux-gnu-gcc || packages+=(gcc-aarch64-linux-gnu)
[ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ] || packages+=(libc6-dev-arm64-cross)
have qemu-aarch64-static || packages+=(qemu-user-static)
scripts/install_packages.sh "${packages[@]}"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu"

# The largest convolutions of tests/layers.rs are left out: under emulation they take minutes, and differ from the others
# in the number of Winograd's batches alone.
export IMPASTO_MOST_PRODUCTS=${IMPASTO_MOST_PRODUCTS:-30000000}

# Without `fetch`, whose TLS is partly in C and assembly, and without the command: neither has code of its own for
# this CPU.
cargo test --target "$target" --no-default-features --features embedded "${tests[@]}"
