//! Pictures: from and to buffers, files and the bytes of files.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;

use impasto_rs::ndarray::{Array3, ArrayView3};
use impasto_rs::picture::Needed;
use impasto_rs::whole_file::write_whole;
use impasto_rs::{Encoding, OutputFormat, Picture, Reading};

use crate::buffer::Layout;
use crate::controls;
use crate::raw;
use crate::status::{Failure, guard, release};

/// A picture: red, green and blue in sRGB, and alpha (not premultiplied) where its source had one. It does not change: any
/// number of threads may use it.
pub struct ImpastoPicture(pub Picture);

/// A picture from rows of pixels, from top to bottom, the channels side by side.
///
/// @param pixels The first row's first sample, at any alignment. The buffer is not needed afterwards.
/// @param length The buffer's size in bytes. The last row may end with its pixels.
/// @param width, height In pixels, at least 1.
/// @param channels 1: grey; 2: grey and alpha; 3: red, green, blue; 4: red, green, blue, alpha, which is not premultiplied.
/// @param sample An ImpastoSample: 8-bit, 16-bit or float.
/// @param stride Bytes from the beginning of a row to that of the next; 0 for rows without gaps.
/// @return IMPASTO_STATUS_ERROR_SHAPE for a stride shorter than a row, a buffer shorter than its rows, a side of 0, or a
///     float that is not finite.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_from_buffer(
    pixels: *const c_void,
    length: usize,
    width: usize,
    height: usize,
    channels: i32,
    sample: i32,
    stride: usize,
    picture: Option<&mut MaybeUninit<Option<Box<ImpastoPicture>>>>,
) -> i32 {
    guard(|| {
        raw::give(picture, || {
            let channels = controls::channels(channels, &[1, 2, 3, 4])?;
            let sample = controls::sample(sample)?;
            let layout = Layout::new([width, height], channels, sample, stride, length)?;
            // SAFETY: the header asks for `length` bytes.
            let buffer = unsafe { raw::elements(pixels.cast(), length, "the buffer of pixels") }?;
            Ok(ImpastoPicture(layout.read(buffer)?))
        })
    })
}

/// Writes a picture to rows of pixels, from top to bottom, the channels side by side. Bytes between the rows are not written.
///
/// @param pixels The first row's first sample, at any alignment.
/// @param length The buffer's size in bytes. The last row may end with its pixels.
/// @param channels 3: red, green, blue, where alpha is left out; 4: red, green, blue, alpha, where an opaque picture's alpha
///     is full.
/// @param sample An ImpastoSample: 8-bit, 16-bit or float.
/// @param stride Bytes from the beginning of a row to that of the next; 0 for rows without gaps.
/// @return IMPASTO_STATUS_ERROR_SHAPE for a stride shorter than a row, or a buffer shorter than the picture's rows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_to_buffer(
    picture: Option<&ImpastoPicture>,
    pixels: *mut c_void,
    length: usize,
    channels: i32,
    sample: i32,
    stride: usize,
) -> i32 {
    guard(|| {
        let ImpastoPicture(picture) = raw::present(picture, "the picture")?;
        let channels = controls::channels(channels, &[3, 4])?;
        let size = [picture.width(), picture.height()];
        let layout = Layout::new(size, channels, controls::sample(sample)?, stride, length)?;
        // SAFETY: the header asks for `length` bytes, which need not be initialised.
        let buffer = unsafe { raw::elements_mut(pixels.cast(), length, "the buffer of pixels") }?;
        layout.write(picture, buffer);
        Ok(())
    })
}

/// A picture from planes of floats, as impasto_objective_evaluate() takes them: all red values, then green, then blue, each
/// row by row from top to bottom. Values outside 0 to 1 are clamped.
///
/// @param planes 3 * width * height floats.
/// @param count How many floats there are.
/// @return IMPASTO_STATUS_ERROR_SHAPE for another number of floats, or one that is not finite.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_from_planes(
    planes: *const f32,
    count: usize,
    width: usize,
    height: usize,
    picture: Option<&mut MaybeUninit<Option<Box<ImpastoPicture>>>>,
) -> i32 {
    guard(|| {
        raw::give(picture, || {
            check_count(count, width, height)?;
            // SAFETY: the header asks for `count` floats.
            let planes = unsafe { raw::elements(planes, count, "the planes") }?;
            let planes = Array3::from_shape_vec((3, height, width), planes.to_vec());
            Ok(ImpastoPicture(Picture::from_planes(planes.expect("as many values as were checked"))?))
        })
    })
}

/// Writes a picture's planes of floats: all red values, then green, then blue, each row by row from top to bottom, 0 to 1.
///
/// @param planes 3 * width * height floats.
/// @param count How many floats there are.
/// @return IMPASTO_STATUS_ERROR_SHAPE for another number of floats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_to_planes(
    picture: Option<&ImpastoPicture>,
    planes: *mut f32,
    count: usize,
) -> i32 {
    guard(|| {
        let ImpastoPicture(picture) = raw::present(picture, "the picture")?;
        check_count(count, picture.width(), picture.height())?;
        // SAFETY: the header asks for `count` floats, which need not be initialised.
        let planes = unsafe { raw::elements_mut(planes, count, "the planes") }?;
        for (plane, value) in planes.iter_mut().zip(picture.planes()) {
            plane.write(*value);
        }
        Ok(())
    })
}

/// Checks that there are as many floats as planes of this size have.
fn check_count(count: usize, width: usize, height: usize) -> Result<(), Failure> {
    match width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3)) {
        Some(expected) if expected == count => Ok(()),
        _ => Err(Failure::Buffer(format!("expected 3·{width}·{height} floats, found {count}"))),
    }
}

/// The view of planes of this size.
pub fn planes_of(planes: &[f32], [width, height]: [usize; 2]) -> Result<ArrayView3<'_, f32>, Failure> {
    check_count(planes.len(), width, height)?;
    Ok(ArrayView3::from_shape((3, height, width), planes).expect("as many values as were checked"))
}

/// Reads a PNG, JPEG, WebP, TIFF or BMP file, whose content tells its format. EXIF orientation is applied, and colours are
/// converted to sRGB.
///
/// @param path The file: any bytes on Unix, elsewhere UTF-8.
/// @param longest The longest side in pixels at which it will be used, so that much larger files are read at a reduced size; 0
///     to read all of it.
/// @param memory_limit The most bytes of memory that decoding may take; 0 for what the machine has available.
/// @return IMPASTO_STATUS_ERROR_READ, IMPASTO_STATUS_ERROR_DECODE, IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_open(
    path: *const c_char,
    longest: usize,
    memory_limit: u64,
    picture: Option<&mut MaybeUninit<Option<Box<ImpastoPicture>>>>,
) -> i32 {
    guard(|| {
        raw::give(picture, || {
            // SAFETY: the header asks for a text that ends with a zero byte.
            let path = unsafe { raw::path(path) }?;
            Ok(ImpastoPicture(Picture::open_with(path, &reading(longest, memory_limit))?))
        })
    })
}

/// The picture that the bytes of such a file encode.
///
/// @param bytes The file's bytes, of which there are `length`. They are not needed afterwards.
/// @param longest, memory_limit As for impasto_picture_open().
/// @return IMPASTO_STATUS_ERROR_DECODE, IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_decode(
    bytes: *const u8,
    length: usize,
    longest: usize,
    memory_limit: u64,
    picture: Option<&mut MaybeUninit<Option<Box<ImpastoPicture>>>>,
) -> i32 {
    guard(|| {
        raw::give(picture, || {
            // SAFETY: the header asks for `length` bytes.
            let bytes = unsafe { raw::elements(bytes, length, "the buffer of the file") }?;
            Ok(ImpastoPicture(Picture::from_bytes_with(bytes, &reading(longest, memory_limit))?))
        })
    })
}

fn reading(longest: usize, memory_limit: u64) -> Reading {
    let needed = if longest == 0 { Needed::Whole } else { Needed::Longest(longest) };
    match memory_limit {
        0 => Reading::new(needed),
        limit => Reading::new(needed).within(limit),
    }
}

/// The picture at another size.
///
/// @param width, height In pixels, at least 1.
/// @return IMPASTO_STATUS_ERROR_SHAPE for a side of 0, IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_picture_resize(
    picture: Option<&ImpastoPicture>,
    width: usize,
    height: usize,
    resized: Option<&mut MaybeUninit<Option<Box<ImpastoPicture>>>>,
) -> i32 {
    guard(|| {
        raw::give(resized, || {
            let ImpastoPicture(picture) = raw::present(picture, "the picture")?;
            Ok(ImpastoPicture(picture.resized(width, height)?))
        })
    })
}

/// The width in pixels; 0 where `picture` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_picture_width(picture: Option<&ImpastoPicture>) -> usize {
    picture.map_or(0, |picture| picture.0.width())
}

/// The height in pixels; 0 where `picture` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_picture_height(picture: Option<&ImpastoPicture>) -> usize {
    picture.map_or(0, |picture| picture.0.height())
}

/// 1 where the picture has alpha, 0 where it is opaque or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_picture_has_alpha(picture: Option<&ImpastoPicture>) -> i32 {
    picture.is_some_and(|picture| picture.0.alpha().is_some()).into()
}

/// Encodes a picture as the bytes of a file.
///
/// @param format An ImpastoFormat.
/// @param depth Bits of each sample: 8, or 16 with PNG and TIFF.
/// @param bytes, length The file's bytes, to be freed by impasto_bytes_free(). After an error NULL and 0.
/// @return IMPASTO_STATUS_ERROR_DEPTH, IMPASTO_STATUS_ERROR_TOO_LARGE, IMPASTO_STATUS_ERROR_ENCODE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_encode(
    picture: Option<&ImpastoPicture>,
    format: i32,
    depth: i32,
    bytes: *mut *mut u8,
    length: *mut usize,
) -> i32 {
    guard(|| {
        if bytes.is_null() || length.is_null() {
            return Err(Failure::null("the address of the result"));
        }
        // SAFETY: neither is NULL, and the header asks for addresses that can be written to.
        unsafe { (bytes.write(std::ptr::null_mut()), length.write(0)) };
        let ImpastoPicture(picture) = raw::present(picture, "the picture")?;
        let encoded = picture.encode_with(controls::format(format)?, &encoding(depth)?)?;
        // SAFETY: as above.
        unsafe { raw::give_bytes(encoded, bytes, length) };
        Ok(())
    })
}

/// Writes a picture to a file, whole or not at all: a file that was there is replaced only once the new one is complete.
///
/// @param path The file: any bytes on Unix, elsewhere UTF-8. Its extension tells the format: .png, .jpg, .webp or .tiff.
/// @param depth Bits of each sample: 8, or 16 with PNG and TIFF.
/// @return IMPASTO_STATUS_ERROR_WRITE, IMPASTO_STATUS_ERROR_UNKNOWN_FORMAT, IMPASTO_STATUS_ERROR_DEPTH,
///     IMPASTO_STATUS_ERROR_TOO_LARGE, IMPASTO_STATUS_ERROR_ENCODE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_picture_write(
    picture: Option<&ImpastoPicture>,
    path: *const c_char,
    depth: i32,
) -> i32 {
    guard(|| {
        let ImpastoPicture(picture) = raw::present(picture, "the picture")?;
        // SAFETY: the header asks for a text that ends with a zero byte.
        let path = unsafe { raw::path(path) }?;
        let encoded = picture.encode_with(OutputFormat::of(path)?, &encoding(depth)?)?;
        Ok(write_whole(path, &encoded)?)
    })
}

fn encoding(depth: i32) -> Result<Encoding, Failure> {
    Ok(Encoding::default().with_depth(controls::depth(depth)?))
}

/// Frees bytes that impasto_picture_encode() gave.
///
/// @param bytes, length What it gave. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_bytes_free(bytes: *mut u8, length: usize) {
    // SAFETY: the header asks for what impasto_picture_encode() gave.
    unsafe { raw::take_bytes(bytes, length) };
}

/// Frees a picture. Styles and jobs keep copies of their own.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_picture_free(picture: Option<Box<ImpastoPicture>>) {
    release(picture);
}
