//! `include/impasto.h` is what cbindgen makes of `src/`. With `IMPASTO_WRITE_HEADER` set, it is written.

use std::path::Path;
use std::{env, fs};

#[test]
fn the_header_is_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = cbindgen::generate(folder).expect("the sources are such as cbindgen reads");
    let mut text = Vec::new();
    made.write(&mut text);
    let header = folder.join("include/impasto.h");
    if env::var_os("IMPASTO_WRITE_HEADER").is_some() {
        fs::write(&header, &text).expect("the header can be written");
    }
    let committed = fs::read(&header).unwrap_or_default();
    assert!(
        committed == text,
        "run this with IMPASTO_WRITE_HEADER=1, and look at what changes in the header"
    );
}
