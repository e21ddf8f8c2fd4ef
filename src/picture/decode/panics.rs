//! Decoders that panic on damaged files.
//!
//! A panic is caught here and becomes an error. Before it gets here, the process's panic hook has printed its
//! message. The hook belongs to the program, so a library leaves it alone: replacing it would race with the
//! program's own `take_hook` and `set_hook`, and a thread of our own for decoding would change nothing, as the
//! hook runs on every thread. What the library offers is [`is_decoding`], by which a program's hook can tell these
//! panics from its own; the `impasto` command's does.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use super::Failure;

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is decoding a picture file. A panic that happens then is caught, and becomes an
/// [`Error::Decode`](crate::Error::Decode).
///
/// Panics are reported by the process's panic hook before they are caught. A program that wants no such report for
/// a damaged picture lets its hook ask:
///
/// ```
/// use std::panic;
///
/// let report = panic::take_hook();
/// panic::set_hook(Box::new(move |info| {
///     if !impasto::picture::is_decoding() {
///         report(info);
///     }
/// }));
/// ```
pub fn is_decoding() -> bool {
    DECODING.get()
}

/// Decodes, with a decoder's panic as a failure. Nothing that it may have left half done is used afterwards.
pub(super) fn caught<T>(decode: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let before = DECODING.replace(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(before);
    decoded.unwrap_or_else(|panic| {
        Err(Failure::decode(format!("it is damaged, and its decoder failed: {}", message(&*panic))))
    })
}

/// Does what may panic on damaged metadata, which are no reason to refuse a picture: `None` where it does.
pub(super) fn attempted<T>(attempt: impl FnOnce() -> T) -> Option<T> {
    caught(|| Ok(attempt())).ok()
}

/// A panic's message.
fn message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (None, Some(message)) => message,
        (None, None) => "no reason given",
    }
}
