//! Reading pictures, and naming results after them.

use std::panic;
use std::path::Path;
use std::time::Instant;

use crate::failure::Result;
use crate::ranks;
use crate::terminal::Detail;
use impasto::picture::{self, ColourProfile, Metadata, Needed, Picture, Reading, fit};

/// Has a decoder's panic reported by the error that the library makes of it alone. Called once, before any picture
/// is read.
pub(crate) fn silence_decoders() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !picture::is_decoding() {
            report(info);
        }
    }));
}

/// Reads a picture, at a reduced size where it is much larger than needed.
pub(crate) fn open(path: &Path, needed: Needed, detail: Detail) -> Result<Picture> {
    Ok(open_with_metadata(path, needed, detail)?.0)
}

/// The same, with what the file says of itself.
pub(crate) fn open_with_metadata(path: &Path, needed: Needed, detail: Detail) -> Result<(Picture, Metadata)> {
    let start = Instant::now();
    let (picture, metadata) = ranks::open(path, &Reading::new(needed))?;
    let file = path.display();
    if let ColourProfile::Unusable { reason, .. } = &metadata.profile {
        detail.normal(format_args!(
            "{file}: its colours are taken as sRGB: its colour profile is not used: {reason}"
        ));
    }
    detail.verbose(format_args!(
        "picture: {file}, {}×{}{}{}, read in {:.1} ms",
        picture.width(),
        picture.height(),
        if picture.alpha().is_some() { " with alpha" } else { "" },
        match &metadata.profile {
            ColourProfile::Converted { name, .. } if name.is_empty() =>
                ", from its colour profile".to_owned(),
            ColourProfile::Converted { name, .. } => format!(", from the colour profile {name:?}"),
            _ => String::new(),
        },
        start.elapsed().as_secs_f64() * 1e3
    ));
    Ok((picture, metadata))
}

/// What is needed of a picture whose longest side will be `longest` pixels, or else its own.
pub(crate) fn needed(longest: Option<u64>) -> Needed {
    // At most LONGEST_SIZE.
    longest.map_or(Needed::Whole, |longest| Needed::Longest(longest as usize))
}

/// A picture's name without folder and extension.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A picture's width and height once its longest side is `longest` pixels, or else its own.
pub(crate) fn size_of(picture: &Picture, longest: Option<u64>) -> (usize, usize) {
    match longest {
        // At most LONGEST_SIZE.
        Some(longest) => fit(picture.width(), picture.height(), longest as usize),
        None => (picture.width(), picture.height()),
    }
}
