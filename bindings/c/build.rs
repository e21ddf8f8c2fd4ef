//! Gives the shared library its soname where plain Cargo builds it; cargo-c gives it the same.

use std::env;

/// The number of the ABI: IMPASTO_ABI_VERSION.
const ABI: u32 = 1;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if matches!(system.as_str(), "linux" | "freebsd" | "netbsd" | "openbsd" | "dragonfly") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libimpasto.so.{ABI}");
    }
}
