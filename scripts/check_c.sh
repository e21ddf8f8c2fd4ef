#!/usr/bin/env bash
# Checks the C interface, bindings/c: its header is up to date; C and C++ programs that call every function are compiled
# without a warning, linked with the shared and the static library, and run, also under valgrind; the library exports
# what the header has and nothing else; the examples and README's program make pictures.
#
# usage: scripts/check_c.sh
#
# It installs what is missing from Debian's or Ubuntu's packages, which needs root or sudo. With IMPASTO_CARGO_C=1 it also installs
# the library by cargo-c, as packagers do, and compiles README's program by pkg-config: cargo-c, where it is missing, takes
# more than five minutes to compile.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null; }

fail() {
    echo "check_c.sh: $*" >&2
    exit 1
}

packages=()
have gcc || packages+=(gcc libc6-dev)
have g++ || packages+=(g++)
have valgrind || packages+=(valgrind)
have pkg-config || packages+=(pkg-config)
scripts/install_packages.sh "${packages[@]}"

crate=bindings/c
header=$crate/include/impasto.h
weights=weights/impasto-slim.safetensors
work=$PWD/target/c
rm -rf "$work"
mkdir -p "$work/pictures"

version() { sed -n 's/^version = "\([^"]*\)".*/\1/p' "$1" | head -1; }
[ "$(version Cargo.toml)" = "$(version $crate/Cargo.toml)" ] || fail "$crate/Cargo.toml has another version than Cargo.toml"

# Beside the main crate's, so that dependencies are compiled once.
export CARGO_TARGET_DIR=$PWD/target
manifest=(--locked --manifest-path "$crate/Cargo.toml")
cargo fmt --manifest-path "$crate/Cargo.toml" --check
cargo clippy "${manifest[@]}" --all-targets -- --deny warnings
cargo test "${manifest[@]}"
# With the feature that cargo-c turns on, without which it installs nothing.
cargo build "${manifest[@]}" --features capi

cp target/debug/libimpasto.a "$work/"
cp target/debug/libimpasto.so "$work/libimpasto.so.1"
ln -s libimpasto.so.1 "$work/libimpasto.so"

# What the header has, what the library exports, and what the test calls: the same.
grep -oE '\bimpasto_[a-z0-9_]+\(' "$header" | tr -d '(' | sort -u >"$work/declared"
nm -D --defined-only "$work/libimpasto.so" | awk '{ print $NF }' | sort >"$work/exported"
grep -ohE '\bimpasto_[a-z0-9_]+\(' "$crate"/tests/*.c | tr -d '(' | sort -u >"$work/called"
diff "$work/declared" "$work/exported" || fail "the header and the library's symbols differ"
diff "$work/declared" "$work/called" || fail "bindings/c/tests does not call every function"
readelf -d "$work/libimpasto.so" | grep -q 'SONAME.*\[libimpasto\.so\.1\]' || fail "the soname is not libimpasto.so.1"
grep -q '^#define IMPASTO_ABI_VERSION 1$' "$header" || fail "the soname is not that of the header's version"

warnings=(-Wall -Wextra -Werror -pedantic -O1 -g "-I$crate/include")
shared=("-L$work" -limpasto "-Wl,-rpath,$work" -lm -pthread)
static=("$work/libimpasto.a" -lm -ldl -pthread)
c() { cc -std=c99 "${warnings[@]}" "$@"; }

# README's program is its only block of C.
sed -n '/^```c$/,/^```$/p' README.md | sed '/^```/d' >"$work/readme.c"
grep -q impasto_job_run "$work/readme.c" || fail "README has no program in C"

c "$crate"/tests/*.c -o "$work/test" "${shared[@]}"
c "$crate"/tests/*.c -o "$work/test-static" "${static[@]}"
c++ -x c++ -std=c++11 "${warnings[@]}" "$crate"/tests/*.c -x none -o "$work/test-cpp" "${shared[@]}"
for program in "$crate/examples/stylize.c" "$crate/examples/embed.c" "$work/readme.c"; do
    c "$program" -o "$work/$(basename "$program" .c)" "${shared[@]}"
done

for program in test test-static test-cpp; do
    "$work/$program" "$weights" "$work/pictures"
done
# Of the instruction sets valgrind has AVX2. One thread, as it runs one at a time.
RAYON_NUM_THREADS=1 valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite --fair-sched=yes "--suppressions=$crate/tests/valgrind.supp" "$work/test" "$weights" "$work/pictures"

"$work/stylize" demo/content.png demo/style.jpg "$work/stylize.png" 128 5
"$work/embed" demo/style.jpg "$work/embed.png"
(cd "$work" && cp ../../demo/content.png photo.png && cp ../../demo/style.jpg painting.jpg && ./readme)
for picture in stylize embed out; do
    [ -s "$work/$picture.png" ] || fail "$picture.png was not made"
done
# An error ends the example with one line, and no file.
! "$work/stylize" "$work/none.png" demo/style.jpg "$work/none-made.png" 2>"$work/error" || fail "a missing file is no error"
[ "$(wc -l <"$work/error")" -eq 1 ] && [ ! -e "$work/none-made.png" ] || fail "the error is not one line: $(cat "$work/error")"

cargo_c=$(command -v cargo-cinstall || true)
if [ "${IMPASTO_CARGO_C:-}" != 1 ]; then
    echo "check_c.sh: SKIPPED the installation by cargo-c: set IMPASTO_CARGO_C=1"
    exit
fi
if [ -z "$cargo_c" ]; then
    tools=$PWD/target/tools
    # The last version for a Rust as old as the one that impasto is developed with.
    [ -x "$tools/bin/cargo-cinstall" ] || CARGO_TARGET_DIR=$tools/cargo-c cargo install --locked --root "$tools" --version 0.10.24+cargo-0.98.0 cargo-c
    rm -rf "$tools/cargo-c"
    cargo_c=$tools/bin/cargo-cinstall
fi
prefix=$work/installed
"$cargo_c" cinstall "${manifest[@]}" --prefix="$prefix" --libdir=lib
for file in include/impasto.h lib/libimpasto.so lib/libimpasto.so.1 lib/libimpasto.a lib/pkgconfig/impasto.pc; do
    [ -s "$prefix/$file" ] || fail "cargo-c did not install $file"
done
cmp "$header" "$prefix/include/impasto.h"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
# shellcheck disable=SC2046 # Several words.
cc "$work/readme.c" -o "$work/installed-readme" $(pkg-config --cflags --libs impasto)
readelf -d "$work/installed-readme" | grep -q 'NEEDED.*\[libimpasto\.so\.1\]' || fail "the program needs another soname"
rm "$work/out.png"
(cd "$work" && ./installed-readme)
[ -s "$work/out.png" ] || fail "the installed library made no picture"
nm -D --defined-only "$prefix/lib/libimpasto.so" | awk '{ print $NF }' | sort | diff "$work/declared" - ||
    fail "the installed library's symbols are others"
