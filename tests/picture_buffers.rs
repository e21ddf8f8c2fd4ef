//! Pictures from and to what other programs hold in memory: bytes of files, 8-bit pixels, `image`'s pictures, planes.

use std::borrow::Cow;
use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use impasto::Error;
use impasto::picture::{OutputFormat, Picture};
use ndarray::{Array2, Array3, array, s};

// Bytes of files.

#[test]
fn a_file_in_memory_is_read_as_on_the_disk() {
    let folder = tempfile::TempDir::new().unwrap();
    for format in [OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::WebP, OutputFormat::Tiff] {
        let bytes = gradient().encode(format).unwrap();
        let path = folder.path().join("picture");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Picture::from_bytes(&bytes).unwrap(), Picture::open(&path).unwrap(), "{format:?}");
    }
}

#[test]
fn bytes_that_are_no_picture_are_a_decode_error() {
    let png = gradient().encode(OutputFormat::Png).unwrap();
    for bytes in [&b""[..], b"\x89", b"no picture", &png[..png.len() / 2]] {
        let error = Picture::from_bytes(bytes).unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error:?}");
        assert!(error.to_string().starts_with("the data given is not a picture"), "{error}");
    }
}

// 8-bit pixels.

#[test]
fn rgb_rows_may_be_padded() {
    let mut padded = [77; 2 * 11];
    padded[..6].copy_from_slice(&[1, 2, 3, 4, 5, 6]);
    padded[11..17].copy_from_slice(&[7, 8, 9, 10, 11, 12]);
    // The last row's padding may be missing.
    for bytes in [&padded[..], &padded[..17]] {
        let picture = Picture::from_rgb8(bytes, 2, 2, 11).unwrap();
        assert_eq!(picture.to_rgb8(), (1..=12).collect::<Vec<_>>());
        assert!(picture.alpha().is_none());
    }
    assert_shape_error(Picture::from_rgb8(&padded[..16], 2, 2, 11), "found 16 bytes");
}

#[test]
fn rgba_rows_keep_their_alpha() {
    let bytes = [255, 0, 51, 102, 9, 9, 0, 255, 0, 0, 9, 9];
    let picture = Picture::from_rgba8(&bytes, 1, 2, 6).unwrap();
    assert_eq!(picture.planes().slice(s![.., 0, 0]).to_vec(), [1.0, 0.0, 0.2]);
    assert_eq!(picture.alpha().unwrap(), array![[0.4], [0.0]]);
    assert_eq!(picture.to_rgba8(), [255, 0, 51, 102, 0, 255, 0, 0]);
    assert_eq!(picture.to_rgb8(), [255, 0, 51, 0, 255, 0]);
}

#[test]
fn every_level_comes_back() {
    let levels: Vec<u8> = (0..=255).flat_map(|level| [level, 255 - level, level / 2, level]).collect();
    assert_eq!(Picture::from_rgba8(&levels, 16, 16, 64).unwrap().to_rgba8(), levels);
    let opaque = Picture::from_rgb8(&levels[..768], 16, 16, 48).unwrap();
    assert_eq!(opaque.to_rgb8(), levels[..768]);
    assert!(opaque.to_rgba8().iter().skip(3).step_by(4).all(|alpha| *alpha == 255));
}

#[test]
fn pixels_of_a_wrong_shape_are_errors() {
    let bytes = [0; 64];
    for (width, height, stride, found) in [
        (0, 4, 12, "0×4"),
        (4, 0, 12, "4×0"),
        (4, 4, 11, "11 bytes"),
        (4, 4, 0, "0 bytes"),
        (4, 6, 16, "64 bytes"),
        (1, usize::MAX, 4, "64 bytes"),
        (1, 2, usize::MAX, "64 bytes"),
        (2, usize::MAX / 2, usize::MAX / 2, "64 bytes"),
        (usize::MAX, 1, usize::MAX, "bytes"),
        (usize::MAX / 2, usize::MAX / 2, 6, "6 bytes"),
        (usize::MAX / 4, 5, usize::MAX, "bytes"),
    ] {
        assert_shape_error(Picture::from_rgb8(&bytes, width, height, stride), found);
        assert_shape_error(Picture::from_rgba8(&bytes, width, height, stride), found);
    }
    assert_shape_error(Picture::from_rgba8(&bytes, 4, 4, 15), "15 bytes");
    assert!(Picture::from_rgba8(&bytes, 4, 4, 16).is_ok());
    assert_shape_error(Picture::from_rgb8(&[], 1, 1, 3), "0 bytes");
}

// `image`.

#[test]
fn every_kind_of_dynamic_image_is_taken() {
    let kinds: [DynamicImage; 10] = [
        ImageBuffer::from_pixel(3, 2, Luma([51_u8])).into(),
        ImageBuffer::from_pixel(3, 2, LumaA([51_u8, 102])).into(),
        ImageBuffer::from_pixel(3, 2, Rgb([51_u8; 3])).into(),
        ImageBuffer::from_pixel(3, 2, Rgba([51_u8, 51, 51, 102])).into(),
        ImageBuffer::from_pixel(3, 2, Luma([13107_u16])).into(),
        ImageBuffer::from_pixel(3, 2, LumaA([13107_u16, 26214])).into(),
        ImageBuffer::from_pixel(3, 2, Rgb([13107_u16; 3])).into(),
        ImageBuffer::from_pixel(3, 2, Rgba([13107_u16, 13107, 13107, 26214])).into(),
        ImageBuffer::from_pixel(3, 2, Rgb([0.2_f32; 3])).into(),
        ImageBuffer::from_pixel(3, 2, Rgba([0.2_f32, 0.2, 0.2, 0.4])).into(),
    ];
    for image in kinds {
        let picture = Picture::from_image(&image).unwrap();
        assert_eq!(picture.planes(), Array3::from_elem((3, 2, 3), 0.2), "{image:?}");
        assert_eq!(picture.alpha().is_some(), image.color().has_alpha());
        assert!(picture.alpha().is_none_or(|alpha| alpha == Array2::from_elem((2, 3), 0.4)));
    }
    assert_shape_error(Picture::from_image(&DynamicImage::new_rgb8(0, 5)), "0×5");
}

#[test]
fn floats_outside_of_range_are_clamped_as_in_files() {
    let image: ImageBuffer<Rgb<f32>, _> = ImageBuffer::from_raw(1, 1, vec![-1.0, f32::NAN, 2.0]).unwrap();
    let picture = Picture::from_image(&image.into()).unwrap();
    assert_eq!(picture.planes().iter().copied().collect::<Vec<_>>(), [0.0, 0.0, 1.0]);
}

#[test]
fn a_dynamic_image_has_what_is_encoded() {
    let transparent = gradient().with_alpha(Some(Array2::from_elem((13, 17), 0.25))).unwrap();
    for picture in [gradient(), transparent] {
        let mut png = Cursor::new(Vec::new());
        let image = picture.to_image();
        image.write_to(&mut png, ImageFormat::Png).unwrap();
        assert_eq!(image.color().has_alpha(), picture.alpha().is_some());
        let encoded = picture.encode(OutputFormat::Png).unwrap();
        assert_eq!(Picture::from_bytes(png.get_ref()).unwrap(), Picture::from_bytes(&encoded).unwrap());
    }
}

// Planes.

#[test]
fn planes_come_back_as_they_were() {
    let planes = gradient().into_planes();
    assert_eq!(Picture::from_planes(planes.clone()).unwrap().planes(), planes);
    assert_eq!(Picture::from_planes(planes.clone()).unwrap().into_planes(), planes);
}

#[test]
fn planes_of_any_layout_are_taken() {
    let pixels = Array3::from_shape_fn((4, 5, 3), |(y, x, colour)| (y + 4 * x + 20 * colour) as f32 / 60.0);
    let planes = pixels.permuted_axes([2, 0, 1]);
    let picture = Picture::from_planes(planes.clone()).unwrap();
    assert_eq!(picture.planes(), planes);
    assert!(picture.planes().is_standard_layout());
    let alpha = Array2::from_shape_fn((5, 4), |(x, y)| (x + y) as f32 / 10.0).reversed_axes();
    assert!(picture.with_alpha(Some(alpha)).unwrap().alpha().unwrap().is_standard_layout());
}

#[test]
fn values_are_clamped() {
    let values = [-0.5, 0.5, 1.5, f32::MAX, f32::MIN, -0.0];
    let planes = Array3::from_shape_fn((3, 1, 6), |(_, _, x)| values[x]);
    let alpha = Array2::from_shape_fn((1, 6), |(_, x)| values[x]);
    let picture = Picture::from_planes(planes).unwrap().with_alpha(Some(alpha)).unwrap();
    let clamped = [0.0, 0.5, 1.0, 1.0, 0.0, 0.0];
    assert_eq!(picture.planes().slice(s![2, 0, ..]).to_vec(), clamped);
    assert_eq!(picture.alpha().unwrap().row(0).to_vec(), clamped);
}

#[test]
fn planes_of_a_wrong_shape_or_value_are_errors() {
    for shape in [(4, 2, 2), (1, 2, 2), (0, 2, 2), (3, 0, 2), (3, 2, 0)] {
        let found = format!("found {}×{}×{}", shape.0, shape.1, shape.2);
        assert_shape_error(Picture::from_planes(Array3::zeros(shape)), &found);
    }
    for (value, found) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut planes = Array3::zeros((3, 2, 2));
        planes[[1, 1, 0]] = value;
        assert_shape_error(Picture::from_planes(planes), found);
        assert_shape_error(gradient().with_alpha(Some(Array2::from_elem((13, 17), value))), found);
    }
    assert_shape_error(gradient().with_alpha(Some(Array2::zeros((17, 13)))), "found 17×13");
}

// Without copies.

#[test]
fn an_opaque_picture_is_flattened_without_a_copy() {
    let opaque = gradient();
    assert!(matches!(opaque.flattened(), Cow::Borrowed(same) if std::ptr::eq(same, &opaque)));
    let pixels = opaque.planes().as_ptr();
    assert_eq!(opaque.into_flattened().into_resized(17, 13).unwrap().planes().as_ptr(), pixels);
}

#[test]
fn flattening_in_place_is_flattening() {
    let alpha = Array2::from_shape_fn((13, 17), |(y, x)| ((x + y) % 3) as f32 / 2.0);
    let picture = gradient().with_alpha(Some(alpha)).unwrap();
    let flattened = picture.flattened().into_owned();
    assert!(flattened.alpha().is_none());
    assert_eq!(picture.into_flattened(), flattened);
}

#[test]
fn a_size_that_cannot_be_is_an_error() {
    for (width, height) in [(0, 5), (5, 0)] {
        assert_shape_error(gradient().resized(width, height), &format!("{width}×{height}"));
        assert_shape_error(gradient().into_resized(width, height), &format!("{width}×{height}"));
    }
    for (width, height) in [(usize::MAX, usize::MAX), (1 << 40, 1), (1 << 22, 1 << 22)] {
        let error = gradient().resized(width, height).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error:?}");
    }
}

#[test]
fn the_memory_of_a_picture_is_that_of_its_planes() {
    assert_eq!(gradient().memory(), 3 * 4 * 13 * 17);
    assert_eq!(gradient().with_alpha(Some(Array2::zeros((13, 17)))).unwrap().memory(), 4 * 4 * 13 * 17);
}

// Helpers.

/// 17×13 pixels.
fn gradient() -> Picture {
    let planes = Array3::from_shape_fn((3, 13, 17), |(plane, y, x)| match plane {
        0 => x as f32 / 17.0,
        1 => y as f32 / 13.0,
        _ => 0.3,
    });
    Picture::from_planes(planes).unwrap()
}

#[track_caller]
fn assert_shape_error(made: impasto::Result<Picture>, found: &str) {
    let error = made.unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains(found) && !message.contains('\n'), "{message}");
}
