#!/usr/bin/env bash
# Fuzzes the readers of files for some minutes each, from the seeds in fuzz/seeds.
#
# usage: scripts/fuzz.sh MINUTES [TARGET…]
#
# Without targets it takes all of fuzz/fuzz_targets, one after the other. What is found newly goes to
# fuzz/corpus/TARGET, and the input of a failure to fuzz/artifacts/TARGET; both stay out of git. It needs the nightly
# toolchain, whose compiler has the address sanitizer, and installs cargo-fuzz where that is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    echo "usage: scripts/fuzz.sh MINUTES [TARGET…]" >&2
    exit 2
}

[ "$#" -ge 1 ] || usage
[[ $1 =~ ^[0-9]+$ ]] || usage
seconds=$((10#$1 * 60))
shift

targets=("$@")
if [ "$#" -eq 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi

if ! cargo +nightly --version >/dev/null 2>&1; then
    rustup toolchain install nightly --profile minimal
fi
cargo_fuzz=$(scripts/install_tool.sh cargo-fuzz)

for target in "${targets[@]}"; do
    printf '\n== fuzzing %s for %s seconds\n' "$target" "$seconds"
    corpus=fuzz/corpus/$target
    seeds=fuzz/seeds/$target
    mkdir -p "$corpus" "$seeds"

    options=(
        "-max_total_time=$seconds"
        # The seeds have at most 2 kB.
        -max_len=4096
        # Seconds for one input, and megabytes for the whole program; one allocation may be larger, since decoders
        # reserve what a header promises before they find the file too short, and take none of it.
        -timeout=20
        -rss_limit_mb=2048
        -malloc_limit_mb=8192
        -print_final_stats=1
        # A failure and the statistics, instead of a line for each new input.
        -verbosity=0
    )
    dictionary=fuzz/dictionaries/$target.dict
    [ ! -e "$dictionary" ] || options+=("-dict=$dictionary")

    # Without PATH's cargo being nightly, cargo-fuzz would ask the stable one for sanitizers.
    RUSTUP_TOOLCHAIN=nightly "$cargo_fuzz" run "$target" "$corpus" "$seeds" -- "${options[@]}"
done
