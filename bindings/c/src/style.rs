//! Styles: one picture or a blend, and the size of their strokes.

use std::mem::MaybeUninit;

use impasto_rs::{Style, StyleSize};

use crate::picture::ImpastoPicture;
use crate::raw;
use crate::status::{Failure, guard, release};

/// A style, with what was computed of it for the jobs that had it, which later jobs need not compute again.
pub struct ImpastoStyle(pub Style);

/// Uses the style's pictures at these sizes.
fn set_sizes(
    style: Option<&mut ImpastoStyle>,
    sizes: impl IntoIterator<Item = StyleSize>,
) -> Result<(), Failure> {
    let ImpastoStyle(style) = raw::present(style, "the style")?;
    *style = style.with_sizes(sizes)?;
    Ok(())
}

/// The style of pictures: of one, or a blend of several.
///
/// @param pictures `count` pictures, of which the style keeps copies.
/// @param shares `count` shares of the pictures, 0 or above and one above 0, of which only the ratios matter; or NULL for
///     equal shares.
/// @param count At least 1.
/// @return IMPASTO_STATUS_ERROR_SETTING for invalid shares, or no picture.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_style_new(
    pictures: *const Option<&ImpastoPicture>,
    shares: *const f64,
    count: usize,
    style: Option<&mut MaybeUninit<Option<Box<ImpastoStyle>>>>,
) -> i32 {
    guard(|| {
        raw::give(style, || {
            // SAFETY: the header asks for `count` pictures.
            let pictures = unsafe { pictures_of(pictures, count) }?;
            let shares = match shares.is_null() {
                true => vec![1.0; count],
                // SAFETY: the header asks for `count` shares.
                false => unsafe { raw::elements(shares, count, "the shares") }?.to_vec(),
            };
            let parts = pictures.into_iter().map(|picture| picture.0.clone()).zip(shares);
            Ok(ImpastoStyle(Style::blend(parts)?))
        })
    })
}

/// The pictures of an array.
///
/// # Safety
/// If `pictures` is not NULL, it has `count` elements.
pub unsafe fn pictures_of(
    pictures: *const Option<&ImpastoPicture>,
    count: usize,
) -> Result<Vec<&ImpastoPicture>, Failure> {
    // SAFETY: asked of the caller.
    let pictures = unsafe { raw::elements(pictures, count, "the array of pictures") }?;
    pictures.iter().map(|picture| raw::present(*picture, "a picture of the array")).collect()
}

/// The size of the strokes: each picture is used this many times as long and wide as the result, by number of pixels. 0.5
/// gives finer strokes, 2 coarser ones; 1 by default. It applies to the jobs that are given the style afterwards.
///
/// @param scales One scale for all pictures or one for each, 0.01 to 100.
/// @return IMPASTO_STATUS_ERROR_SETTING for another number of scales, or one out of its range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_style_set_scales(
    style: Option<&mut ImpastoStyle>,
    scales: *const f64,
    count: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the header asks for `count` scales.
        let scales = unsafe { raw::elements(scales, count, "the scales") }?;
        set_sizes(style, scales.iter().map(|scale| StyleSize::Scale(*scale)))
    })
}

/// The size of the strokes: each picture is used with this longest side, in pixels. It applies to the jobs that are given the
/// style afterwards.
///
/// @param longest One longest side for all pictures or one for each, 1 to 1000000, or 0 for the picture's own size.
/// @return IMPASTO_STATUS_ERROR_SETTING for another number of sides, or one out of its range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_style_set_sizes(
    style: Option<&mut ImpastoStyle>,
    longest: *const usize,
    count: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the header asks for `count` sides.
        let longest = unsafe { raw::elements(longest, count, "the sizes") }?;
        let size = |longest: &usize| match longest {
            0 => StyleSize::Own,
            _ => StyleSize::Longest(*longest),
        };
        set_sizes(style, longest.iter().map(size))
    })
}

/// Frees a style. Jobs that have it stay as they are.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_style_free(style: Option<Box<ImpastoStyle>>) {
    release(style);
}
