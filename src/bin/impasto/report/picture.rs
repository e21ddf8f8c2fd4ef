//! Pictures within a page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use impasto::picture::{OutputFormat, Picture, fit};

/// The most pixels of a picture that is shown as PNG: so small, every pixel may be looked at.
const SMALL: usize = 128 * 128;

/// A picture that a page shows.
pub(crate) struct Shown {
    /// What it is.
    pub(super) caption: String,
    /// Below the caption.
    pub(super) detail: String,
    /// Its size in the page.
    pub(super) size: (usize, usize),
    /// The picture's file, as an address.
    pub(super) uri: String,
}

impl Shown {
    /// A picture, reduced where its longest side is more than `longest` pixels. `None` where it can't be encoded.
    pub(crate) fn new(caption: &str, detail: &str, picture: &Picture, longest: usize) -> Option<Self> {
        let (width, height) = (picture.width(), picture.height());
        let size = match width.max(height) > longest {
            true => fit(width, height, longest),
            false => (width, height),
        };
        let reduced = picture.resized(size.0, size.1).ok()?;
        let (format, kind) = match reduced.alpha().is_some() || size.0 * size.1 <= SMALL {
            true => (OutputFormat::Png, "png"),
            false => (OutputFormat::Jpeg, "jpeg"),
        };
        let file = reduced.encode(format).ok()?;
        let uri = format!("data:image/{kind};base64,{}", STANDARD.encode(file));
        Some(Self { caption: caption.to_owned(), detail: detail.to_owned(), size, uri })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn large_pictures_are_reduced() {
        for (size, longest, shown, kind) in [
            ((40, 30), 480, (40, 30), "png"),
            ((900, 300), 480, (480, 160), "jpeg"),
            ((300, 900), 480, (160, 480), "jpeg"),
        ] {
            let planes = Array3::from_elem((3, size.1, size.0), 0.25);
            let found = Shown::new("a", "b", &Picture::from_planes(planes).unwrap(), longest).unwrap();
            assert_eq!(found.size, shown);
            let file = found.uri.strip_prefix(&format!("data:image/{kind};base64,")).unwrap();
            let decoded = Picture::from_bytes(&STANDARD.decode(file).unwrap()).unwrap();
            assert_eq!((decoded.width(), decoded.height()), shown);
        }
    }
}
