//! Pictures in and out: what is decoded from files of every kind, what is refused, sizes, alpha, encoding.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::imageops::FilterType::CatmullRom;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use impasto::Error;
use impasto::picture::{MAX_PIXELS, OutputFormat, Picture, fit};
use ndarray::{Array2, Array3, ArrayView3, array, s};
use proptest::prelude::*;
use tempfile::TempDir;

// Decoding.

#[test]
fn sixteen_bits_are_kept() {
    let image = ImageBuffer::from_fn(3, 2, |x, y| Rgb([0x1234 + x as u16, 0x8000 + y as u16, 0xFFFF]));
    let picture = decoded(&encoded(image.into(), ImageFormat::Png));
    assert_eq!(picture.planes().shape(), [3, 2, 3]);
    assert!(picture.alpha().is_none());
    for y in 0..2 {
        for x in 0..3 {
            let expected = [0x1234 + x, 0x8000 + y, 0xFFFF].map(|sample| sample as f32 / 65535.0);
            assert_eq!(colour(&picture, x, y), expected);
        }
    }
}

#[test]
fn grey_becomes_three_equal_planes() {
    let grey8: DynamicImage = ImageBuffer::from_fn(5, 3, |x, _| Luma([x as u8 * 60])).into();
    let grey16: DynamicImage = ImageBuffer::from_fn(5, 3, |x, _| Luma([x as u16 * 60 * 257])).into();
    for image in [grey8, grey16] {
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            let picture = decoded(&encoded(image.clone(), format));
            assert!(picture.alpha().is_none());
            for x in 0..5 {
                assert_eq!(colour(&picture, x, 2), [x as f32 * 60.0 / 255.0; 3], "{format:?}");
            }
        }
    }
}

#[test]
fn grey_with_alpha_keeps_both() {
    let image = ImageBuffer::from_fn(2, 2, |x, y| LumaA([x as u8 * 100, y as u8 * 255]));
    let picture = decoded(&encoded(image.into(), ImageFormat::Png));
    assert_eq!(colour(&picture, 1, 0), [100.0 / 255.0; 3]);
    assert_eq!(picture.alpha().unwrap(), array![[0.0, 0.0], [1.0, 1.0]]);
}

#[test]
fn colour_with_alpha_keeps_both() {
    let image = ImageBuffer::from_fn(4, 3, |x, y| Rgba([x as u8, y as u8, 200, 10 * x as u8]));
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::WebP] {
        let picture = decoded(&encoded(image.clone().into(), format));
        assert_eq!(colour(&picture, 3, 2), [3.0 / 255.0, 2.0 / 255.0, 200.0 / 255.0], "{format:?}");
        assert_eq!(picture.alpha().unwrap()[[2, 3]], 30.0 / 255.0, "{format:?}");
    }
}

#[test]
fn a_palette_is_looked_up() {
    let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255, 51, 102, 153];
    let rows = [0, 0b00_01_10_00, 0, 0b11_11_00_00]; // filter byte, then three indices of two bits
    let bytes = png([3, 2], 2, 3, &[(b"PLTE", &palette), (b"tRNS", &[255, 0])], &rows);
    let picture = decoded(&bytes);
    assert_eq!(colour(&picture, 0, 0), [1.0, 0.0, 0.0]);
    assert_eq!(colour(&picture, 2, 0), [0.0, 0.0, 1.0]);
    assert_eq!(colour(&picture, 1, 1), [51.0, 102.0, 153.0].map(|sample: f32| sample / 255.0));
    assert_eq!(picture.alpha().unwrap(), array![[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]);
}

#[test]
fn floats_are_clamped_to_colours() {
    let image = ImageBuffer::from_raw(2, 1, vec![0.25_f32, -3.0, 7.5, f32::NAN, f32::INFINITY, 1.0]);
    let image: ImageBuffer<Rgb<f32>, _> = image.unwrap();
    let picture = decoded(&encoded(image.into(), ImageFormat::Tiff));
    assert_eq!(colour(&picture, 0, 0), [0.25, 0.0, 1.0]);
    assert_eq!(colour(&picture, 1, 0), [0.0, 1.0, 1.0]);
}

#[test]
fn a_lossy_webp_is_near_its_original() {
    let picture = decoded(LOSSY_WEBP);
    let original = Array3::from_shape_fn((3, 16, 24), |(plane, y, x)| match plane {
        0 => x as f32 * 10.0 / 255.0,
        1 => y as f32 * 15.0 / 255.0,
        _ => 120.0 / 255.0,
    });
    assert_near(picture.planes(), original.view(), 0.12);
}

#[test]
fn content_tells_the_format_not_the_name() {
    let folder = TempDir::new().unwrap();
    for (name, format) in
        [("a.png", ImageFormat::Jpeg), ("b.jpg", ImageFormat::Bmp), ("c", ImageFormat::WebP)]
    {
        let path = folder.path().join(name);
        fs::write(&path, encoded(corners(), format)).unwrap();
        assert_eq!(Picture::open(&path).unwrap().width(), 24, "{name}");
    }
}

#[test]
fn every_orientation_is_applied() {
    // The corners' colours as shown, top left, top right, bottom left, bottom right, where the file has 0 1 2 3.
    let shown = [
        [0, 1, 2, 3],
        [1, 0, 3, 2],
        [3, 2, 1, 0],
        [2, 3, 0, 1],
        [0, 2, 1, 3],
        [2, 0, 3, 1],
        [3, 1, 2, 0],
        [1, 3, 0, 2],
    ];
    for (corners_shown, tag) in shown.into_iter().zip(1..) {
        for big_endian in [false, true] {
            let jpeg = with_orientation(&encoded(corners(), ImageFormat::Jpeg), tag, big_endian);
            let picture = decoded(&jpeg);
            let (right, bottom) = (picture.width() - 1, picture.height() - 1);
            assert_eq!(
                (right + 1, bottom + 1),
                if tag < 5 { (24, 16) } else { (16, 24) },
                "orientation {tag}"
            );
            let places = [(0, 0), (right, 0), (0, bottom), (right, bottom)];
            for ((x, y), corner) in places.into_iter().zip(corners_shown) {
                let expected = CORNERS[corner].map(|sample| f32::from(sample) / 255.0);
                for (found, expected) in colour(&picture, x, y).into_iter().zip(expected) {
                    assert!((found - expected).abs() < 0.05, "orientation {tag} at {x}, {y}");
                }
            }
        }
    }
}

#[test]
fn damaged_metadata_do_not_matter() {
    let mut jpeg = with_orientation(&encoded(corners(), ImageFormat::Jpeg), 6, false);
    jpeg[12..30].fill(0xEE);
    assert_eq!(decoded(&jpeg).width(), 24);
}

#[test]
fn one_pixel_is_a_picture() {
    let image: DynamicImage = ImageBuffer::from_pixel(1, 1, Rgb([255_u8, 0, 51])).into();
    let picture = decoded(&encoded(image, ImageFormat::Png));
    assert_eq!(picture.planes().iter().copied().collect::<Vec<_>>(), [1.0, 0.0, 0.2]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, encoded(corners(), ImageFormat::Jpeg)).unwrap()
    });
    assert_eq!(Picture::open(&pipe).unwrap().width(), 24);
    writer.join().unwrap();
}

// What is refused.

#[test]
fn what_cannot_be_read_is_a_read_error() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [folder.path().join("missing.png"), folder.path().to_owned(), file.join("below.png")] {
        let error = Picture::open(&path).unwrap_err();
        assert!(matches!(&error, Error::Read { path: named, .. } if *named == path), "{error:?}");
        assert_one_line(&error, &path);
    }
}

#[test]
fn what_is_no_picture_is_a_decode_error() {
    let not_pictures: [(&[u8], &str); 6] = [
        (b"", "empty"),
        (b"\x89", "not that of a PNG, JPEG"),
        (b"A letter, and no picture at all.\n", "not that of a PNG, JPEG"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "Gif"),
        (b"\x89PNG\r\n\x1a\n", ""),
        (b"\xFF\xD8\xFF\xD9", ""),
    ];
    for (bytes, reason) in not_pictures {
        let message = refusal_of(bytes);
        assert!(message.contains(reason), "{bytes:?}: {message}");
    }
}

#[test]
fn a_picture_cut_short_is_refused_wherever_it_is_cut() {
    for (name, whole) in files() {
        let file = TemporaryFile::of(&whole);
        assert_eq!(Picture::open(&file.path).unwrap().width(), 24, "{name}");
        // What follows PNG's pixels (a checksum and an empty chunk) can be missed.
        let needed = if name == "PNG" { whole.len() - 20 } else { whole.len() };
        for length in (0..needed).rev() {
            file.cut(length);
            refusal(&file.path);
        }
    }
}

#[test]
fn a_header_that_promises_too_much_is_refused_at_once() {
    let size = 30_000_u32;
    let jpeg = {
        let mut bytes = encoded(corners(), ImageFormat::Jpeg);
        let frame = position(&bytes, &[0xFF, 0xC0]) + 5;
        bytes[frame..frame + 2].copy_from_slice(&(size as u16).to_be_bytes());
        bytes[frame + 2..frame + 4].copy_from_slice(&(size as u16).to_be_bytes());
        bytes
    };
    let bmp = {
        let mut bytes = encoded(corners(), ImageFormat::Bmp);
        bytes[18..22].copy_from_slice(&size.to_le_bytes());
        bytes[22..26].copy_from_slice(&size.to_le_bytes());
        bytes
    };
    let tiff = {
        let mut bytes = encoded(corners(), ImageFormat::Tiff);
        // Width, height and rows a strip.
        for tag in [0x00, 0x01, 0x16] {
            let entry = position(&bytes, &[tag, 1, 4, 0, 1, 0, 0, 0]) + 8;
            bytes[entry..entry + 4].copy_from_slice(&size.to_le_bytes());
        }
        bytes
    };
    for (name, bytes) in
        [("PNG", png([size, size], 8, 2, &[], &[])), ("JPEG", jpeg), ("BMP", bmp), ("TIFF", tiff)]
    {
        let start = Instant::now();
        let reason = refusal_of(&bytes);
        assert!(
            reason.contains("30000×30000") && reason.contains(&MAX_PIXELS.to_string()),
            "{name}: {reason}"
        );
        assert!(start.elapsed() < Duration::from_secs(2), "{name} took {:?}", start.elapsed());
    }
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let mut bmp = encoded(corners(), ImageFormat::Bmp);
    bmp[18..22].fill(0);
    refusal_of(&bmp);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_never_panics(
        file in 0..6_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = files()[file].1.clone();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(error) = Picture::open(&TemporaryFile::of(&bytes).path) {
            prop_assert!(matches!(error, Error::Decode { .. }), "{error:?}");
        }
    }
}

// Sizes.

#[test]
fn the_longer_side_becomes_exactly_what_is_asked_for() {
    for (size, longest, fitted) in [
        ((1, 1), 512, (512, 512)),
        ((1, 1), 1, (1, 1)),
        ((4000, 3000), 512, (512, 384)),
        ((3000, 4000), 512, (384, 512)),
        ((640, 427), 512, (512, 342)),
        ((3, 5), 512, (307, 512)),
        ((3, 2), 5, (5, 3)),
        ((2, 1), 5, (5, 3)),
        ((100_000, 1), 512, (512, 1)),
        ((1, 100_000), 512, (1, 512)),
        ((512, 511), 512, (512, 511)),
        ((usize::MAX, usize::MAX), 7, (7, 7)),
    ] {
        assert_eq!(fit(size.0, size.1, longest), fitted, "{size:?} to {longest}");
    }
}

proptest! {
    #[test]
    fn fitting_keeps_the_aspect(width in 1..20_000_usize, height in 1..20_000_usize, longest in 1..5000_usize) {
        let (fitted_width, fitted_height) = fit(width, height, longest);
        prop_assert_eq!(fitted_width.max(fitted_height), longest);
        prop_assert_eq!((fitted_height, fitted_width), fit(height, width, longest));
        let scale = longest as f64 / width.max(height) as f64;
        for (side, fitted) in [(width, fitted_width), (height, fitted_height)] {
            let exact = side as f64 * scale;
            prop_assert!((fitted as f64 - exact).abs() <= 0.5 + 1e-9 || (exact < 1.0 && fitted == 1));
        }
    }

    #[test]
    fn a_resized_picture_has_the_size_and_stays_in_range(
        from in (1..24_usize, 1..24_usize), to in (1..48_usize, 1..48_usize), seed in any::<u32>(),
    ) {
        let picture = noise(from.0, from.1, seed);
        let resized = picture.resized(to.0, to.1).unwrap();
        prop_assert_eq!((resized.width(), resized.height()), to);
        prop_assert_eq!(resized.alpha().unwrap().dim(), (to.1, to.0));
        prop_assert!(resized.planes().iter().chain(resized.alpha().unwrap()).all(|value| (0.0..=1.0).contains(value)));
    }

    #[test]
    fn a_plain_picture_stays_plain(
        from in (1..24_usize, 1..24_usize), to in (1..48_usize, 1..48_usize), value in 0.0..1.0_f32,
    ) {
        let resized = Picture::from_planes(Array3::from_elem((3, from.1, from.0), value)).unwrap().resized(to.0, to.1).unwrap();
        prop_assert!(resized.planes().iter().all(|found| (found - value).abs() < 1e-5));
    }
}

#[test]
fn the_same_size_is_the_same_picture() {
    let picture = noise(7, 5, 1);
    assert_eq!(picture.resized(7, 5).unwrap(), picture);
}

#[test]
fn resizing_keeps_the_mean() {
    let picture = noise(64, 48, 2).with_alpha(None).unwrap();
    let mean = |picture: &Picture| picture.planes().mean().unwrap();
    for (width, height) in [(32, 24), (16, 12), (37, 53), (128, 96)] {
        let resized = picture.resized(width, height).unwrap();
        assert!((mean(&resized) - mean(&picture)).abs() < 0.01, "{width}×{height}");
    }
}

#[test]
fn resizing_agrees_with_the_image_crate() {
    // Away from 0 and 1, where that clamps in between.
    let planes = noise(31, 23, 5).planes().mapv(|value| 0.3 + 0.4 * value);
    let picture = Picture::from_planes(planes).unwrap();
    let image = ImageBuffer::from_fn(31, 23, |x, y| Rgb(colour(&picture, x as usize, y as usize)));
    for (width, height) in [(17, 9), (64, 50), (31, 7), (5, 47), (1, 1), (300, 2)] {
        let resized = picture.resized(width, height).unwrap();
        let expected = image::imageops::resize(&image, width as u32, height as u32, CatmullRom);
        let expected = Array3::from_shape_fn((3, height, width), |(plane, y, x)| {
            expected.get_pixel(x as u32, y as u32)[plane]
        });
        assert_near(resized.planes(), expected.view(), 1e-4);
    }
}

#[test]
fn shrinking_does_not_alias() {
    let checkers = Array3::from_shape_fn((3, 64, 64), |(_, y, x)| ((x + y) % 2) as f32);
    let resized = Picture::from_planes(checkers).unwrap().resized(13, 13).unwrap();
    assert!(resized.planes().iter().all(|value| (value - 0.5).abs() < 0.06), "{resized:?}");
}

#[test]
fn enlarging_keeps_an_edge_sharp() {
    let edge = Array3::from_shape_fn((3, 4, 16), |(_, _, x)| if x < 8 { 0.2 } else { 0.8 });
    let resized = Picture::from_planes(edge).unwrap().resized(64, 16).unwrap();
    let row = resized.planes().slice_move(s![0, 8, ..]);
    // Three of the old pixels hold the whole edge, and nothing rings beyond a tenth of its height.
    for (x, value) in row.iter().enumerate() {
        assert!((0.14..=0.86).contains(value), "{value} at {x}");
        if !(26..38).contains(&x) {
            assert!((value - if x < 32 { 0.2 } else { 0.8 }).abs() < 0.06, "{value} at {x}");
        }
    }
}

// Alpha.

/// Red and opaque on the left, hidden green and transparent on the right.
fn half_transparent() -> Picture {
    let planes = Array3::from_shape_fn((3, 8, 16), |(plane, _, x)| match plane {
        0 => f32::from(x < 8),
        1 => f32::from(x >= 8),
        _ => 0.5,
    });
    Picture::from_planes(planes)
        .unwrap()
        .with_alpha(Some(Array2::from_shape_fn((8, 16), |(_, x)| f32::from(x < 8))))
        .unwrap()
}

#[test]
fn hidden_colours_do_not_bleed_when_resized() {
    for (width, height) in [(7, 3), (33, 20), (16, 3)] {
        let resized = half_transparent().resized(width, height).unwrap();
        let alpha = resized.alpha().unwrap();
        assert!(alpha[[0, 0]] > 1.0 - 1e-6 && alpha[[0, width - 1]] < 1e-6, "{alpha}");
        for ((y, x), _) in alpha.indexed_iter().filter(|(_, opacity)| **opacity > 1e-3) {
            for (found, expected) in colour(&resized, x, y).into_iter().zip([1.0, 0.0, 0.5]) {
                assert!((found - expected).abs() < 1e-3, "{:?} at {x}, {y}", colour(&resized, x, y));
            }
        }
    }
}

#[test]
fn flattening_hides_what_is_transparent() {
    let flattened = half_transparent().into_flattened();
    assert!(flattened.alpha().is_none());
    assert_eq!(colour(&flattened, 0, 0), [1.0, 0.0, 0.5]);
    assert_eq!(colour(&flattened, 15, 7), [1.0, 0.0, 0.5]);
}

#[test]
fn flattening_blends_what_is_half_transparent() {
    // Opaque black and half-transparent white: their mean by opacity is a third.
    let planes = Array3::from_shape_fn((3, 1, 2), |(_, _, x)| x as f32);
    let flattened =
        Picture::from_planes(planes).unwrap().with_alpha(Some(array![[1.0, 0.5]])).unwrap().into_flattened();
    assert_eq!(colour(&flattened, 0, 0), [0.0; 3]);
    assert!((colour(&flattened, 1, 0)[0] - (0.5 + 0.5 / 3.0)).abs() < 1e-6);
}

#[test]
fn flattening_nothing_is_grey_and_opaque_pictures_stay() {
    let invisible = noise(3, 3, 3).with_alpha(Some(Array2::zeros((3, 3)))).unwrap().into_flattened();
    assert!(invisible.planes().iter().all(|value| *value == 0.5));
    let opaque = noise(3, 3, 4).with_alpha(None).unwrap();
    assert_eq!(*opaque.flattened(), opaque);
}

// Encoding.

const LOSSLESS: [OutputFormat; 3] = [OutputFormat::Png, OutputFormat::WebP, OutputFormat::Tiff];

#[test]
fn lossless_formats_keep_every_level_and_alpha() {
    let levels = |(_, y, x): (usize, usize, usize)| (16 * y + x) as f32 / 255.0;
    let opaque = Picture::from_planes(Array3::from_shape_fn((3, 16, 16), levels)).unwrap();
    let alpha = Array2::from_shape_fn((16, 16), |(y, x)| levels((0, x, y)));
    let transparent = opaque.clone().with_alpha(Some(alpha)).unwrap();
    for format in LOSSLESS {
        for picture in [&opaque, &transparent] {
            assert_eq!(decoded(&picture.encode(format).unwrap()), *picture, "{format:?}");
        }
    }
}

#[test]
fn levels_are_clamped_and_rounded_to_the_nearest() {
    let values = [-0.2, 0.49 / 255.0, 0.51 / 255.0, 254.49 / 255.0, 254.51 / 255.0, 1.3, f32::MAX, f32::MIN];
    let planes = Array3::from_shape_fn((3, 1, 8), |(_, _, x)| values[x]);
    let expected = [0.0, 0.0, 1.0, 254.0, 255.0, 255.0, 255.0, 0.0].map(|level| level / 255.0);
    for format in LOSSLESS {
        let picture = decoded(&Picture::from_planes(planes.clone()).unwrap().encode(format).unwrap());
        assert_eq!(picture.planes().slice(s![1, 0, ..]).to_vec(), expected, "{format:?}");
    }
}

#[test]
fn jpeg_is_near_the_picture() {
    let planes = Array3::from_shape_fn((3, 37, 53), |(plane, y, x)| match plane {
        0 => x as f32 / 53.0,
        1 => y as f32 / 37.0,
        _ => 0.3,
    });
    let bytes = Picture::from_planes(planes.clone()).unwrap().encode(OutputFormat::Jpeg).unwrap();
    assert_near(decoded(&bytes).planes(), planes.view(), 0.03);
}

#[test]
fn jpeg_lays_transparent_pictures_on_white() {
    let picture = decoded(&half_transparent().encode(OutputFormat::Jpeg).unwrap());
    assert!(picture.alpha().is_none());
    for ((x, y), expected) in [((0, 0), [1.0, 0.0, 0.5]), ((15, 7), [1.0, 1.0, 1.0])] {
        for (found, expected) in colour(&picture, x, y).into_iter().zip(expected) {
            assert!((found - expected).abs() < 0.04, "{:?} at {x}, {y}", colour(&picture, x, y));
        }
    }
}

#[test]
fn a_side_too_long_for_the_format_is_refused() {
    for (format, longest) in [(OutputFormat::WebP, 16_383), (OutputFormat::Jpeg, 65_535)] {
        assert_eq!(format.longest_side(), longest);
        assert!(Picture::from_planes(Array3::zeros((3, 1, longest))).unwrap().encode(format).is_ok());
        let error =
            Picture::from_planes(Array3::zeros((3, longest + 1, 1))).unwrap().encode(format).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("1×{}", longest + 1)), "{error}");
    }
}

#[test]
fn the_extension_tells_the_output_format() {
    for (name, format) in [
        ("a.png", OutputFormat::Png),
        ("a.PNG", OutputFormat::Png),
        ("dir.jpg/b.Jpg", OutputFormat::Jpeg),
        ("a.jpeg", OutputFormat::Jpeg),
        ("a.b.webp", OutputFormat::WebP),
        ("a.tif", OutputFormat::Tiff),
        ("a.tiff", OutputFormat::Tiff),
    ] {
        assert_eq!(OutputFormat::of(Path::new(name)).unwrap(), format, "{name}");
    }
    for name in ["a", "a.gif", "png", ".png", "a.png.txt", "", "a."] {
        assert!(matches!(OutputFormat::of(Path::new(name)), Err(Error::UnknownFormat { .. })), "{name}");
    }
}

// Helpers.

/// A gradient of 24×16 pixels, encoded by libwebp 1 at quality 50.
#[rustfmt::skip]
const LOSSY_WEBP: &[u8] = &[
    0x52, 0x49, 0x46, 0x46, 0x64, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38, 0x20, 0x58, 0x00,
    0x00, 0x00, 0x90, 0x03, 0x00, 0x9D, 0x01, 0x2A, 0x18, 0x00, 0x10, 0x00, 0x3E, 0xD1, 0x5A, 0xA6, 0x4B, 0xA8,
    0x25, 0xA3, 0xA1, 0xB0, 0x08, 0x01, 0x00, 0x1A, 0x09, 0x6C, 0x00, 0x9D, 0x32, 0x84, 0x77, 0x00, 0x29, 0xBB,
    0xDF, 0x16, 0x20, 0x00, 0xFE, 0xF1, 0x0E, 0x03, 0xB4, 0xC7, 0xC1, 0xF8, 0x53, 0xED, 0xF1, 0xAD, 0xF5, 0x5A,
    0x84, 0x50, 0x41, 0x5C, 0x3F, 0x9B, 0xF9, 0x2D, 0x39, 0xD8, 0x79, 0xD5, 0x6B, 0xBF, 0xC2, 0x04, 0xE2, 0xCE,
    0xF1, 0x21, 0xA0, 0x3A, 0x2B, 0xE3, 0x72, 0x9C, 0x7B, 0x99, 0xDE, 0xA0, 0x50, 0x8E, 0x5D, 0x22, 0x90, 0x00,
];

/// Top left, top right, bottom left, bottom right of [`corners`].
const CORNERS: [[u8; 3]; 4] = [[220, 30, 30], [30, 200, 40], [40, 40, 210], [240, 240, 230]];

/// 24×16 pixels whose quarters tell them apart.
fn corners() -> DynamicImage {
    ImageBuffer::from_fn(24, 16, |x, y| Rgb(CORNERS[usize::from(x >= 12) + 2 * usize::from(y >= 8)])).into()
}

/// A file of each kind that is read, 24 pixels wide.
fn files() -> [(&'static str, Vec<u8>); 6] {
    [
        ("PNG", encoded(corners(), ImageFormat::Png)),
        ("JPEG", with_orientation(&encoded(corners(), ImageFormat::Jpeg), 1, false)),
        ("WebP", encoded(corners(), ImageFormat::WebP)),
        ("lossy WebP", LOSSY_WEBP.to_vec()),
        ("TIFF", encoded(corners(), ImageFormat::Tiff)),
        ("BMP", encoded(corners(), ImageFormat::Bmp)),
    ]
}

fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A file that goes away with its folder.
struct TemporaryFile {
    path: PathBuf,
    _folder: TempDir,
}

impl TemporaryFile {
    fn of(bytes: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("picture");
        fs::write(&path, bytes).unwrap();
        Self { path, _folder: folder }
    }

    fn cut(&self, length: usize) {
        fs::File::options().write(true).open(&self.path).unwrap().set_len(length as u64).unwrap();
    }
}

fn decoded(bytes: &[u8]) -> Picture {
    Picture::open(&TemporaryFile::of(bytes).path).unwrap()
}

fn refusal_of(bytes: &[u8]) -> String {
    refusal(&TemporaryFile::of(bytes).path)
}

/// Why the file isn't decoded, which it must not be. The message is one line that names the file.
#[track_caller]
fn refusal(path: &Path) -> String {
    match Picture::open(path) {
        Err(error @ Error::Decode { .. }) => {
            assert_one_line(&error, path);
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_one_line(error: &Error, path: &Path) {
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    assert!(message.contains(path.to_str().unwrap()), "{message}");
}

#[track_caller]
fn assert_near(found: ArrayView3<'_, f32>, expected: ArrayView3<'_, f32>, tolerance: f32) {
    assert_eq!(found.dim(), expected.dim());
    for ((place, found), expected) in found.indexed_iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} in place of {expected} at {place:?}");
    }
}

fn colour(picture: &Picture, x: usize, y: usize) -> [f32; 3] {
    [0, 1, 2].map(|plane| picture.planes()[[plane, y, x]])
}

/// A picture with alpha of pseudo-random values in 0–1.
fn noise(width: usize, height: usize, seed: u32) -> Picture {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let planes = Array3::from_shape_simple_fn((3, height, width), &mut next);
    Picture::from_planes(planes)
        .unwrap()
        .with_alpha(Some(Array2::from_shape_simple_fn((height, width), next)))
        .unwrap()
}

/// The JPEG with EXIF metadata in which the orientation is the only entry.
fn with_orientation(jpeg: &[u8], orientation: u8, big_endian: bool) -> Vec<u8> {
    #[rustfmt::skip]
    let tiff = if big_endian {
        [b'M', b'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]
    } else {
        [b'I', b'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]
    };
    let mut segment = vec![0xFF, 0xE1, 0, 2 + 6 + tiff.len() as u8];
    segment.extend(b"Exif\0\0");
    segment.extend(tiff);
    // Right after the start-of-image marker.
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

/// A PNG file by hand: size, bits a sample, colour type, chunks before the pixels, rows with filter bytes.
fn png(size: [u32; 2], bits: u8, colour: u8, chunks: &[(&[u8; 4], &[u8])], rows: &[u8]) -> Vec<u8> {
    let mut header = size.map(u32::to_be_bytes).concat();
    header.extend([bits, colour, 0, 0, 0]);
    // One stored deflate block in a zlib envelope.
    let length = rows.len() as u16;
    let mut pixels = vec![0x78, 0x01, 1];
    pixels.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
    pixels.extend(rows);
    pixels.extend(adler32(rows).to_be_bytes());

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let ends: [(&[u8; 4], &[u8]); 2] = [(b"IDAT", &pixels), (b"IEND", &[])];
    for (kind, data) in [(b"IHDR", &header[..])].iter().chain(chunks).chain(&ends) {
        let named = [&kind[..], data].concat();
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(&named);
        file.extend(crc32(&named).to_be_bytes());
    }
    file
}

fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}

fn position(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).position(|window| window == pattern).expect("the pattern is there")
}
