//! The weights of a network.

use std::ffi::c_char;
use std::mem::MaybeUninit;

use impasto_rs::Weights;

use crate::raw;
use crate::status::{guard, release};

/// The weights of a network. They do not change: any number of threads may use them, and jobs keep what they need of them.
pub struct ImpastoWeights(pub Weights);

/// The network that is a part of the library, a small VGG-19.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_weights_embedded(
    weights: Option<&mut MaybeUninit<Option<Box<ImpastoWeights>>>>,
) -> i32 {
    guard(|| raw::give(weights, || Ok(ImpastoWeights(Weights::embedded()))))
}

/// Opens a safetensors file with the weights of a VGG, such as vgg19.safetensors, by mapping it into memory. The file must
/// not be written to or cut short while it is in use; replacing it by a rename is safe.
///
/// @param path The file: any bytes on Unix, elsewhere UTF-8.
/// @return IMPASTO_STATUS_ERROR_READ, IMPASTO_STATUS_ERROR_WEIGHTS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_weights_open(
    path: *const c_char,
    weights: Option<&mut MaybeUninit<Option<Box<ImpastoWeights>>>>,
) -> i32 {
    guard(|| {
        raw::give(weights, || {
            // SAFETY: the header asks for a text that ends with a zero byte.
            let path = unsafe { raw::path(path) }?;
            Ok(ImpastoWeights(Weights::open(path)?))
        })
    })
}

/// Reads such a file into memory. What happens to the file afterwards doesn't matter.
///
/// @param path The file: any bytes on Unix, elsewhere UTF-8.
/// @return IMPASTO_STATUS_ERROR_READ, IMPASTO_STATUS_ERROR_WEIGHTS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_weights_read(
    path: *const c_char,
    weights: Option<&mut MaybeUninit<Option<Box<ImpastoWeights>>>>,
) -> i32 {
    guard(|| {
        raw::give(weights, || {
            // SAFETY: the header asks for a text that ends with a zero byte.
            let path = unsafe { raw::path(path) }?;
            Ok(ImpastoWeights(Weights::read(path)?))
        })
    })
}

/// Copies the weights from the bytes of such a file.
///
/// @param bytes The file's bytes, of which there are `length`. They are not needed afterwards.
/// @return IMPASTO_STATUS_ERROR_WEIGHTS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_weights_from_memory(
    bytes: *const u8,
    length: usize,
    weights: Option<&mut MaybeUninit<Option<Box<ImpastoWeights>>>>,
) -> i32 {
    guard(|| {
        raw::give(weights, || {
            // SAFETY: the header asks for `length` bytes.
            let bytes = unsafe { raw::elements(bytes, length, "the buffer of weights") }?;
            Ok(ImpastoWeights(Weights::from_bytes("in memory", bytes.to_vec())?))
        })
    })
}

/// Frees weights. Jobs that were made with them stay as they are.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_weights_free(weights: Option<Box<ImpastoWeights>>) {
    release(weights);
}
