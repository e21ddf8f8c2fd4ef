//! Any bytes become a picture with values of 0–1, or an error: no panic, and no memory beyond the limit.
#![no_main]

use std::io::Cursor;

use image::ImageReader;
use impasto::Picture;
use libfuzzer_sys::{Corpus, fuzz_target};

/// Larger pictures, which a few bytes can hold too, only cost time and memory.
const LARGEST: u64 = 1 << 18;

/// The most pixels that are read.
const MAX_PIXELS: u64 = 1 << 28;

fuzz_target!(|data: &[u8]| -> Corpus {
    let pixels = pixels(data);
    if pixels.is_some_and(|pixels| (LARGEST + 1..=MAX_PIXELS).contains(&pixels)) {
        return Corpus::Reject;
    }
    match Picture::from_bytes(data) {
        Ok(picture) => {
            let (width, height) = (picture.width(), picture.height());
            assert!(Some((width * height) as u64) == pixels, "{width}×{height} for {pixels:?} pixels");
            assert!(picture.planes().iter().all(|value| (0.0..=1.0).contains(value)));
            if let Some(alpha) = picture.alpha() {
                assert!(alpha.dim() == (height, width));
                assert!(alpha.iter().all(|value| (0.0..=1.0).contains(value)));
            }
        }
        // Every message is one line.
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
    Corpus::Keep
});

/// How many pixels the header promises, where it can be read.
fn pixels(data: &[u8]) -> Option<u64> {
    let reader = ImageReader::new(Cursor::new(data)).with_guessed_format().ok()?;
    let (width, height) = reader.into_dimensions().ok()?;
    Some(u64::from(width) * u64::from(height))
}
