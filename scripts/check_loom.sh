#!/usr/bin/env bash
# Explores with loom the orders in which the threads of src/parallel can take their steps, with at most
# LOOM_MAX_PREEMPTIONS switches from a thread that could go on; loom's documentation recommends 2 or 3.
set -euo pipefail
cd "$(dirname "$0")/.."
export LOOM_MAX_PREEMPTIONS=${LOOM_MAX_PREEMPTIONS:-3}
# A target folder of its own: the flag is every crate's, and the ordinary build would start from the beginning after it.
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/loom \
    cargo test --lib --release --no-default-features loom_tests "$@"
