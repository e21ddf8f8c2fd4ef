#!/usr/bin/env bash
# Builds the archives of a release, and tries each: its binary makes a picture on its target.
#
# usage: scripts/release.sh [--target NAME]... [--twice] [--check]
#
#   --target NAME  one of x86_64-linux (static), aarch64-linux (static, tried under QEMU) and x86_64-windows (tried
#                  under Wine); again for another. All three by default
#   --twice        builds each a second time, from a copy in another folder, and compares the archives' bytes
#   --check        x86_64-linux alone
#
# The archives and SHA256SUMS are left in target/dist. Their bytes depend on the commit, the toolchain and the C
# compiler, not on folders, the time, or who builds them.
#
# It installs what is missing: the targets' standard libraries by rustup, and compilers, QEMU and Wine from Debian's
# or Ubuntu's packages, which needs root or sudo.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
dist=$root/target/dist
work=$root/target/release-work
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

# The most that levels of a picture may differ on average where the instruction set is another.
most_levels=2

all=(x86_64-linux aarch64-linux x86_64-windows)

# What stands for a target: rustc's name, the program that runs its programs here, and its binary's extension.
# They set $triple, $runner and $exe.
target_named() {
    runner=() exe=
    case $1 in
        x86_64-linux) triple=x86_64-unknown-linux-musl ;;
        aarch64-linux) triple=aarch64-unknown-linux-musl runner=(qemu-aarch64-static) ;;
        x86_64-windows) triple=x86_64-pc-windows-gnu runner=(wine) exe=.exe ;;
        *) fail "there is no target $1; there are ${all[*]}" ;;
    esac
}

say() { printf '\n== %s\n' "$*"; }

fail() {
    echo "release.sh: $*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null; }

install_what_is_missing() {
    local name packages=()
    for name in "${targets[@]}"; do
        target_named "$name"
        [ -d "$(rustc --print target-libdir --target "$triple")" ] || rustup target add "$triple"
        case $name in
            x86_64-linux)
                have musl-gcc || packages+=(musl-tools)
                ;;
            aarch64-linux)
                have aarch64-linux-gnu-gcc || packages+=(gcc-aarch64-linux-gnu)
                [ -e /usr/aarch64-linux-gnu/include/stdlib.h ] || packages+=(libc6-dev-arm64-cross)
                have qemu-aarch64-static || packages+=(qemu-user-static)
                ;;
            x86_64-windows)
                have x86_64-w64-mingw32-gcc || packages+=(gcc-mingw-w64-x86-64)
                have wine || packages+=(wine wine64)
                have zip || packages+=(zip)
                have unzip || packages+=(unzip)
                ;;
        esac
    done
    scripts/install_packages.sh "${packages[@]}"
}

# Wine asks for nothing, and keeps its files here. Some versions, such as Debian 12's, have not Windows' source of random
# numbers from which Rust's library seeds its hash maps: one that passes on an older source stands in for it.
prepare_wine() {
    export WINEARCH=win64 WINEPREFIX=$work/wine WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml= DISPLAY=
    local library=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
    # A new prefix says what it has not, which is 32-bit programs.
    wine wineboot --init >/dev/null 2>&1
    [ -e "$library" ] || x86_64-w64-mingw32-gcc -shared -o "$library" -x c - -ladvapi32 <<'C'
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length) { return RtlGenRandom(buffer, length); }
C
}

# Compiles $triple from the source in $1, without its folder or any other inside.
compile() (
    cd "$1"
    export CARGO_TARGET_DIR=$2
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    sysroot=$(rustc --print sysroot)
    compiler_commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
    # The last that fits holds.
    maps=("$HOME=home" "$cargo_home=cargo" "$1=impasto" "$CARGO_TARGET_DIR=target" "$sysroot=toolchain"
        "$sysroot/lib/rustlib/src/rust=/rustc/$compiler_commit")
    for registry in "$cargo_home"/registry/src/*/; do
        maps+=("${registry%/}=crates")
    done
    flags=() c_flags=
    for map in "${maps[@]}"; do
        flags+=("--remap-path-prefix=$map")
        c_flags+=" -ffile-prefix-map=$map"
    done
    case $triple in
        aarch64-unknown-linux-musl)
            # Rust brings the linker and musl; ring's C and assembly need no C library.
            export CC_aarch64_unknown_linux_musl=aarch64-linux-gnu-gcc AR_aarch64_unknown_linux_musl=aarch64-linux-gnu-ar
            export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
            flags+=(-Clink-self-contained=yes)
            ;;
        x86_64-pc-windows-gnu) flags+=(-Clink-arg=-Wl,--no-insert-timestamp) ;;
    esac
    export CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f' && echo "${flags[*]}")" TARGET_CFLAGS=$c_flags
    export CARGO_PROFILE_RELEASE_STRIP=symbols SOURCE_DATE_EPOCH=$date IMPASTO_COMMIT=$commit
    cargo build --locked --release --target "$triple" --bin impasto
)

# The licences of the crates that are compiled in, which ask for their text to go with the program.
third_parties() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo} package licence folder text
    echo "The program has code of Rust's standard library (MIT or Apache-2.0), of the target's C library, and of these crates."
    cargo tree --locked --target "$triple" --edges normal,no-proc-macro --prefix none --format '{p}|{l}' |
        sed 's/ (\*)$//; s/ v\([^ |]*\)[^|]*/-\1/' | grep -v '^impasto-' | LC_ALL=C sort -u |
        while IFS='|' read -r package licence; do
            printf '\n==== %s: %s\n' "$package" "$licence"
            for folder in "$cargo_home"/registry/src/*/"$package"; do
                [ -d "$folder" ] || continue
                find "$folder" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*' \) |
                    LC_ALL=C sort >"$work/licences"
                # Of two that one may choose from, the shorter.
                if grep -qi mit "$work/licences"; then sed -i '/apache/Id' "$work/licences"; fi
                while read -r text; do
                    printf '\n---- %s\n\n' "${text##*/}"
                    tr -d '\r' <"$text"
                done <"$work/licences"
                break
            done
        done
}

# Packs what is in the folder $1 into $2, in the order of names, with the commit's date and nobody's name.
pack() (
    cd "$(dirname "$1")"
    folder=$(basename "$1")
    find "$folder" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
    [ -z "$exe" ] && chmod 755 "$folder/impasto"
    find "$folder" -exec touch --no-dereference --date "@$date" {} +
    rm -f "$2"
    if [ -n "$exe" ]; then
        find "$folder" | LC_ALL=C sort | TZ=UTC zip -q -X "$2" -@
    else
        tar --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime "@$date" -cf - "$folder" | gzip -n -9 >"$2"
    fi
)

# Builds the archive of the target $1 from the source in $2, with $3 for what comes of compiling, in the folder $4. Sets
# $archive.
build() {
    target_named "$1"
    local folder=$work/pack/impasto-$version-$1 binary=$3/$triple/release/impasto$exe extension=tar.gz file
    [ -n "$exe" ] && extension=zip
    archive=$4/impasto-$version-$1.$extension
    compile "$2" "$3"
    for file in "$2" "$3" "${CARGO_HOME:-$HOME/.cargo}" "$HOME/" "$(rustc --print sysroot)" registry/src/; do
        if grep -qaF -- "$file" "$binary"; then fail "$binary has $file inside"; fi
    done
    rm -rf "$folder"
    mkdir -p "$folder/completions" "$4"
    cp "$binary" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE NOTICE "$folder"
    third_parties >"$folder/THIRD-PARTY.txt"
    # As the program itself writes them: that tries it as well.
    "${runner[@]}" "$binary" man "$folder/man/man1"
    "${runner[@]}" "$binary" completions bash >"$folder/completions/impasto.bash"
    "${runner[@]}" "$binary" completions zsh >"$folder/completions/_impasto"
    "${runner[@]}" "$binary" completions fish >"$folder/completions/impasto.fish"
    "${runner[@]}" "$binary" completions powershell >"$folder/completions/impasto.ps1"
    pack "$folder" "$archive"
}

# Prints by how many levels two uncompressed pictures differ on average.
levels_between() {
    [ "$(stat -c %s "$1")" = "$(stat -c %s "$2")" ] || fail "$1 and $2 are pictures of other sizes"
    { cmp -l "$1" "$2" || true; } | awk -v bytes="$(stat -c %s "$1")" '
        function octal(digits,  value, at) {
            for (at = 1; at <= length(digits); at++) value = 8 * value + substr(digits, at, 1)
            return value
        }
        { difference = octal($2) - octal($3); sum += difference < 0 ? -difference : difference }
        END { printf "%.3f\n", sum / bytes }'
}

# Unpacks the archive of the target $1, and makes a picture with its binary, which must be alike that of a build for this
# machine: the same bytes where the instruction set is the same.
try() {
    target_named "$1"
    local place=$work/try-$1 folder start levels isa
    rm -rf "$place"
    mkdir -p "$place"
    if [ -n "$exe" ]; then unzip -q "$archive" -d "$place"; else tar -xzf "$archive" -C "$place"; fi
    folder=$place/impasto-$version-$1
    "${runner[@]}" "$folder/impasto$exe" --version --verbose | tr -d '\r' >"$place/version"
    grep -q '^features .*cli, embedded, fetch$' "$place/version" || fail "$1: its features are not all there"
    grep -qF "$commit" "$place/version" || fail "$1: it does not know its commit"
    isa=$(sed -n 's/^instruction set *//p' "$place/version")
    # A file that is there is replaced.
    echo "an older one" >"$place/made.tiff"
    start=$(date +%s.%N)
    (cd "$place" && "${runner[@]}" "$folder/impasto$exe" "${stylize[@]}" -o made.tiff --quiet)
    echo "$1 ($isa): a picture in $(awk "BEGIN { printf \"%.1f\", $(date +%s.%N) - $start }") s"
    levels=$(levels_between "$work/reference/made.tiff" "$place/made.tiff")
    if cmp -s "$work/reference/made.tiff" "$place/made.tiff"; then
        echo "$1 ($isa): the same bytes as here"
    elif [ "$isa" = "$reference_isa" ]; then
        fail "$1: other bytes than here with the same instruction set, $isa; $levels levels on average"
    else
        awk "BEGIN { exit !($levels <= $most_levels) }" || fail "$1: $levels levels from the picture made here"
        echo "$1 ($isa): $levels levels on average from the picture made here ($reference_isa)"
    fi
}

targets=() twice=
while [ "$#" -gt 0 ]; do
    case $1 in
        --target) targets+=("${2:?a name}") && target_named "$2" && shift ;;
        --twice) twice=yes ;;
        --check) targets=(x86_64-linux) ;;
        *) fail "unknown option $1" ;;
    esac
    shift
done
[ "${#targets[@]}" -gt 0 ] || targets=("${all[@]}")

commit=$(git rev-parse HEAD)
date=$(git log -1 --format=%ct)
[ -z "$(git status --porcelain --untracked-files=no)" ] || commit="$commit, changed"

install_what_is_missing
rm -rf "$dist"
mkdir -p "$work/reference" "$work/pack" "$dist"
if [[ " ${targets[*]} " = *windows* ]]; then prepare_wine; fi

stylize=(stylize "$root/demo/content.png" "$root/demo/style.jpg" --size 128 --steps 8)
if [ "$(uname -m)" = x86_64 ]; then
    say "a picture by a build for this machine"
    cargo build --locked --bin impasto
    (cd "$work/reference" && "$root/target/debug/impasto" "${stylize[@]}" -o made.tiff --quiet)
    reference_isa=$("$root/target/debug/impasto" --version --verbose | sed -n 's/^instruction set *//p')
else
    fail "this machine's $(uname -m) does not run the programs for x86_64"
fi

for name in "${targets[@]}"; do
    say "$name"
    SECONDS=0
    build "$name" "$root" "$work/build" "$dist"
    echo "$name: built in $SECONDS s, $(stat -c %s "$archive") bytes, of them the binary $(
        stat -c %s "$work/build/$triple/release/impasto$exe") unpacked"
    try "$name"
    if [ -n "$twice" ]; then
        say "$name from another folder"
        again=$(mktemp -d)
        first=$archive
        git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory "$again"
        build "$name" "$again" "$again/other/target" "$again/dist"
        cmp "$first" "$archive" || fail "$name: two builds differ ($archive)"
        rm -rf "$again"
        echo "$name: the same bytes from two folders"
    fi
done

say SHA256SUMS
cd "$dist"
sha256sum impasto-* >SHA256SUMS
cat SHA256SUMS
