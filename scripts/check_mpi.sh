#!/usr/bin/env bash
# Builds the command with MPI, and runs its tests with 1 to 4 processes. Installs what is missing: scripts/setup_mpi.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup_mpi.sh

cargo clippy --all-targets --features mpi -- --deny warnings
cargo test --features mpi --test cli_mpi "$@"
