#!/usr/bin/env bash
# Runs the unit tests of the containers and of the portable kernels under Miri, which finds undefined behaviour: reads
# outside of a buffer, two threads at one value, misaligned or uninitialised memory, references that may not be.
#
# usage: scripts/check_miri.sh
#
# Miri is a part of the nightly toolchain and is installed where it is missing. Where no nightly has it, the script
# says so and ends well: that is the one case that it skips.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is run: paths of modules or tests. Miri takes some thousand times as long as the CPU, so large products and
# whole optimisations are left out; Miri sees the portable kernels alone, since it has no AVX by default.
filters=(
    layers::conv::im2col
    parallel::scratch
    parallel::team
    tensor::feature_map
    tensor::tiles
)
# It makes a pool of 67 threads and thousands of loops: nowhere near an end after minutes.
skipped=(
    every_index_comes_once_in_every_loop
    # Many panics, each with its unwinding, on three threads.
    panics_of_one_loop_do_not_come_back_in_the_next
)

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    if ! rustup component add --toolchain nightly miri rust-src; then
        echo "check_miri.sh: SKIPPED: there is no nightly toolchain with Miri here, and it can't be installed"
        exit 0
    fi
fi
cargo +nightly miri setup

flags=(
    # A pool asks for the number of CPUs and the environment.
    -Zmiri-disable-isolation
    # rayon's crossbeam-epoch goes from a list's entry to the struct around it, which Stacked Borrows, the default
    # and older rules, forbid.
    -Zmiri-tree-borrows
    # rayon's scope is freed by its owner while the last job is about to return, which has a reference to it as an
    # argument (rayon's issue 1008). That is allowed for what may change behind a reference, and a part of the scope
    # may: with this the whole counts as such.
    -Zmiri-tree-borrows-no-precise-interior-mut
    # The pool's threads live as long as the program.
    -Zmiri-ignore-leaks
    # crossbeam keeps tags in pointers' low bits by casts to integers and back; without this Miri only warns of it.
    -Zmiri-permissive-provenance
)

skips=()
for test in "${skipped[@]}"; do
    skips+=(--skip "$test")
done

# Three threads: enough for teams to have somebody to wait for, on any machine.
# Under Miri a backtrace takes minutes.
export RAYON_NUM_THREADS=3 RUST_BACKTRACE=0 MIRIFLAGS="${flags[*]}"
miri_test() { cargo +nightly miri test --lib --no-default-features -- "$@"; }

# A filter that matches nothing, since its module has another name now, would check nothing.
tests=$(miri_test --list)
for filter in "${filters[@]}"; do
    if [[ $tests != *"$filter"* ]]; then
        echo "check_miri.sh: no test is called $filter" >&2
        exit 1
    fi
done

miri_test "${skips[@]}" "${filters[@]}"
