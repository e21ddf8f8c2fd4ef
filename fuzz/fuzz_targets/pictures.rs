//! Any bytes become a picture with values of 0–1, of the size foreseen, or an error: no panic but a decoder's, which
//! the library catches, and no memory beyond the limit. What is kept of their metadata can be written and read again.
#![no_main]

use std::panic;

use impasto::picture::{self, Encoding, Metadata, Needed, OutputFormat, Picture, Reading};
use libfuzzer_sys::{Corpus, fuzz_target};

/// Larger pictures, which a few bytes can hold too, only cost time and memory.
const LARGEST: u64 = 1 << 18;

/// The longest side that is needed of a reduced picture.
const LONGEST: usize = 5;

fuzz_target!(init: let_decoders_panic(), |data: &[u8]| -> Corpus {
    let foreseen = Reading::default().foresee_bytes(data);
    if foreseen.as_ref().is_ok_and(|foreseen| (foreseen.width * foreseen.height) as u64 > LARGEST) {
        return Corpus::Reject;
    }
    let read = Picture::from_bytes_with_metadata(data, &Reading::default());
    if let Ok((_, metadata)) = &read {
        check_written(metadata);
    }
    let whole = read.map(|(picture, _)| picture);
    check(&whole);
    if let Ok(whole) = whole {
        let foreseen = foreseen.expect("a picture can be foreseen");
        assert_eq!((whole.width(), whole.height()), (foreseen.width, foreseen.height));
        assert_eq!(whole.memory(), foreseen.kept);

        let reading = Reading::new(Needed::Longest(LONGEST)).within(foreseen.reading);
        let reduced = Picture::from_bytes_with(data, &reading);
        check(&reduced);
        // A file that claims to have much more than its pixels need is refused within this limit.
        if let Ok(reduced) = reduced {
            let size = |picture: &Picture| picture::fit(picture.width(), picture.height(), LONGEST);
            assert_eq!(size(&reduced), size(&whole));
        }
    }
    Corpus::Keep
});

/// Checks that metadata can be written in every format, and are the same when read again.
fn check_written(metadata: &Metadata) {
    let picture = Picture::from_rgb8(&[9; 3], 1, 1, 3).expect("a pixel");
    let encoding = Encoding::default().with_density(metadata.density).with_exif(metadata.exif.clone());
    for format in [OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::WebP, OutputFormat::Tiff] {
        let file = picture.encode_with(format, &encoding).expect("metadata that were read can be written");
        let (_, again) = Picture::from_bytes_with_metadata(&file, &Reading::default()).expect("a picture");
        assert_eq!(again.exif, metadata.exif);
    }
}

/// Checks a picture's values, or that an error's message is one line.
fn check(read: &impasto::Result<Picture>) {
    match read {
        Ok(picture) => {
            assert!(picture.planes().iter().all(|value| (0.0..=1.0).contains(value)));
            if let Some(alpha) = picture.alpha() {
                assert!(alpha.dim() == (picture.height(), picture.width()));
                assert!(alpha.iter().all(|value| (0.0..=1.0).contains(value)));
            }
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
}

/// Lets the fuzzer's panic hook, which ends the process, pass over the panics that the library catches.
fn let_decoders_panic() {
    let end = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !picture::is_decoding() {
            end(info);
        }
    }));
}
