//! The versions of the library and of its interface.

use std::ffi::{CStr, c_char};

/// The version of this interface that the header describes; impasto_abi_version() is that of the library in use.
pub const IMPASTO_ABI_VERSION: u32 = 1;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no zero byte"),
};

/// The library's version, such as "0.1.0". The text is static.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the binary interface of the library in use: a program works with it if this equals the
/// IMPASTO_ABI_VERSION that it was compiled with. It is the number in the shared library's soname.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_abi_version() -> u32 {
    IMPASTO_ABI_VERSION
}
