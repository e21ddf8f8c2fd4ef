//! Buffers, texts and results between C and Rust. NULL is an error, or no elements where there are none to be; what else is
//! asked of pointers is each function's `# Safety`, which the header asks of the program.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::path::Path;
use std::slice;

use crate::status::Failure;

/// Gives C the handle that `made` returns, through an address that C need not have initialised. Where `made` fails it gets NULL,
/// so that it can be freed all the same.
pub fn give<T>(
    out: Option<&mut MaybeUninit<Option<Box<T>>>>,
    made: impl FnOnce() -> Result<T, Failure>,
) -> Result<(), Failure> {
    let out = out.ok_or_else(|| Failure::null("the address of the result"))?;
    out.write(None);
    out.write(Some(Box::new(made()?)));
    Ok(())
}

/// A handle that must not be NULL.
pub fn present<T>(handle: Option<T>, what: &str) -> Result<T, Failure> {
    handle.ok_or_else(|| Failure::null(what))
}

/// `count` elements at `first`.
///
/// # Safety
/// If `first` is not NULL, there are `count` initialised elements, which nobody changes while the slice is used.
pub unsafe fn elements<'a, T>(first: *const T, count: usize, what: &str) -> Result<&'a [T], Failure> {
    check(first, count, what)?;
    match count {
        0 => Ok(&[]),
        // SAFETY: by `check` neither NULL, nor unaligned, nor too large; all else is asked of the caller.
        _ => Ok(unsafe { slice::from_raw_parts(first, count) }),
    }
}

/// `count` elements at `first` to write to, which need not be initialised.
///
/// # Safety
/// If `first` is not NULL, there is room for `count` elements, which nobody else uses while the slice is used.
pub unsafe fn elements_mut<'a, T>(
    first: *mut T,
    count: usize,
    what: &str,
) -> Result<&'a mut [MaybeUninit<T>], Failure> {
    check(first, count, what)?;
    match count {
        0 => Ok(&mut []),
        // SAFETY: as in `elements`, without the need to be initialised.
        _ => Ok(unsafe { slice::from_raw_parts_mut(first.cast(), count) }),
    }
}

/// `count` floats at `first`, set to 0.
///
/// # Safety
/// That of [`elements_mut`].
pub unsafe fn zeroed<'a>(first: *mut f32, count: usize, what: &str) -> Result<&'a mut [f32], Failure> {
    check(first, count, what)?;
    // SAFETY: asked of the caller; zero bytes are a float.
    unsafe {
        first.write_bytes(0, count);
        Ok(slice::from_raw_parts_mut(first, count))
    }
}

fn check<T>(first: *const T, count: usize, what: &str) -> Result<(), Failure> {
    if count > 0 && first.is_null() {
        return Err(Failure::null(what));
    }
    if !first.is_aligned() {
        return Err(Failure::Argument(format!("{what} is not aligned to {} bytes", align_of::<T>())));
    }
    if count > isize::MAX as usize / size_of::<T>() {
        return Err(Failure::Buffer(format!("{what}: {count} elements are more than memory can hold")));
    }
    Ok(())
}

/// A text.
///
/// # Safety
/// If `text` is not NULL, it ends with a zero byte, and nobody changes it while it is used.
pub unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Failure> {
    // SAFETY: asked of the caller.
    let text = unsafe { bytes_of(text, what) }?;
    std::str::from_utf8(text).map_err(|_| Failure::Argument(format!("{what} is not UTF-8")))
}

/// A path: any bytes on Unix, elsewhere UTF-8.
///
/// # Safety
/// That of [`text`].
pub unsafe fn path<'a>(path: *const c_char) -> Result<&'a Path, Failure> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        // SAFETY: asked of the caller.
        let path = unsafe { bytes_of(path, "the path") }?;
        Ok(Path::new(std::ffi::OsStr::from_bytes(path)))
    }
    #[cfg(not(unix))]
    {
        // SAFETY: asked of the caller.
        unsafe { text(path, "the path") }.map(Path::new)
    }
}

/// # Safety
/// That of [`text`].
unsafe fn bytes_of<'a>(text: *const c_char, what: &str) -> Result<&'a [u8], Failure> {
    if text.is_null() {
        return Err(Failure::null(what));
    }
    // SAFETY: not NULL; all else is asked of the caller.
    Ok(unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Writes a struct to the program's, which has `size` bytes and may be of another version: fields that it lacks are left out,
/// and those that only it has are zero. NULL is a struct that is not wanted.
///
/// # Safety
/// If `out` is not NULL, `size` bytes can be written there.
pub unsafe fn write_struct<T: Copy>(out: *mut T, size: usize, value: T) {
    if !out.is_null() {
        let known = size.min(size_of::<T>());
        let (from, to) = ((&raw const value).cast::<u8>(), out.cast::<u8>());
        // SAFETY: `known` bytes are within both structs, which are not the same, and the rest is within that of the caller.
        unsafe {
            to.copy_from_nonoverlapping(from, known);
            to.add(known).write_bytes(0, size - known);
        }
    }
}

/// Hands bytes over to C, to be taken back by [`take_bytes`].
///
/// # Safety
/// Neither address is NULL, and both can be written to.
pub unsafe fn give_bytes(bytes: Vec<u8>, first: *mut *mut u8, length: *mut usize) {
    let bytes = Box::leak(bytes.into_boxed_slice());
    // SAFETY: asked of the caller.
    unsafe {
        length.write(bytes.len());
        first.write(bytes.as_mut_ptr());
    }
}

/// Frees what [`give_bytes`] gave.
///
/// # Safety
/// `first` is NULL, or it and `length` are what `give_bytes` wrote, and not taken back yet.
pub unsafe fn take_bytes(first: *mut u8, length: usize) {
    if !first.is_null() {
        // SAFETY: asked of the caller; `give_bytes` leaked a box of a slice.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(first, length)) });
    }
}
