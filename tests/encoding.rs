//! What files hold of a picture: depth.

use std::io::Cursor;

use impasto::{Depth, Encoding, Error, OutputFormat, Picture};
use ndarray::{Array2, Array3};

/// Values between the levels of 8 bits.
fn fine(has_alpha: bool) -> Picture {
    let value = |(plane, y, x): (usize, usize, usize)| {
        ((plane * 7919 + y * 104_729 + x * 1_299_709) % 100_003) as f32 / 100_002.0
    };
    let alpha = Array2::from_shape_fn((11, 13), |(y, x)| value((3, y, x)));
    let picture = Picture::from_planes(Array3::from_shape_fn((3, 11, 13), value)).unwrap();
    picture.with_alpha(has_alpha.then_some(alpha)).unwrap()
}

#[test]
fn sixteen_bits_come_back_within_half_a_level() {
    let encoding = Encoding::default().with_depth(Depth::Sixteen);
    for format in [OutputFormat::Png, OutputFormat::Tiff] {
        for has_alpha in [false, true] {
            let picture = fine(has_alpha);
            let file = picture.encode_with(format, &encoding).unwrap();
            let read = Picture::from_bytes(&file).unwrap();
            let near = |a: f32, b: f32| f64::from(a - b).abs() <= 0.5 / 65535.0 + 1e-7;
            assert!(read.planes().iter().zip(picture.planes()).all(|(a, b)| near(*a, *b)), "{format}");
            assert_eq!(read.alpha().is_some(), has_alpha, "{format}");
            if let (Some(read), Some(given)) = (read.alpha(), picture.alpha()) {
                assert!(read.iter().zip(given).all(|(a, b)| near(*a, *b)), "{format}");
            }
            let image = image::ImageReader::new(Cursor::new(file)).with_guessed_format().unwrap();
            let bits = image.decode().unwrap().color().bits_per_pixel();
            assert_eq!(bits, if has_alpha { 64 } else { 48 }, "{format}");
        }
    }
}

#[test]
fn formats_of_8_bits_refuse_16() {
    let encoding = Encoding::default().with_depth(Depth::Sixteen);
    for format in [OutputFormat::Jpeg, OutputFormat::WebP] {
        let error = fine(false).encode_with(format, &encoding).unwrap_err();
        assert!(matches!(error, Error::Depth { depth: Depth::Sixteen, .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("{format} has no samples of 16 bits; PNG and TIFF have"));
    }
    assert_eq!(
        fine(true).encode_with(OutputFormat::Png, &Encoding::default()).unwrap(),
        fine(true).encode(OutputFormat::Png).unwrap()
    );
}

/// As fast and as small as by `image`, which says neither that colours are sRGB nor anything else.
#[test]
fn a_png_is_packed_as_image_does() {
    let picture = fine(false);
    let mut by_image = Cursor::new(Vec::new());
    picture.to_image().write_to(&mut by_image, image::ImageFormat::Png).unwrap();
    let data = |file: &[u8]| {
        let at = file.windows(4).position(|name| name == b"IDAT").unwrap();
        file[at..].to_vec()
    };
    assert!(data(&picture.encode(OutputFormat::Png).unwrap()) == data(&by_image.into_inner()));
}
