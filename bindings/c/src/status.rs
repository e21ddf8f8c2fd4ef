//! What functions return: a code of the kind of error, and its text for the thread that called.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use impasto_rs::Error;

/// What functions return. The numbers never change; new ones may be added.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum ImpastoStatus {
    /// It worked.
    Ok = 0,
    /// An argument is NULL where it must not be, is not one of the enum's numbers, or is not text in UTF-8.
    ErrorArgument = 1,
    /// A setting of the job or the style has an invalid value, or does not go with the others.
    ErrorSetting = 2,
    /// A buffer does not have the size, the stride or the values expected.
    ErrorShape = 3,
    /// A file could not be read.
    ErrorRead = 4,
    /// A file could not be written. What was there before is unchanged.
    ErrorWrite = 5,
    /// The data is damaged, or not a picture of a supported format.
    ErrorDecode = 6,
    /// A picture could not be encoded.
    ErrorEncode = 7,
    /// The name of an output file does not end in a supported format's extension.
    ErrorUnknownFormat = 8,
    /// A side of a picture is longer than the file format allows.
    ErrorTooLarge = 9,
    /// The file format has no samples of this depth.
    ErrorDepth = 10,
    /// A picture is too small for a layer of the network.
    ErrorTooSmall = 11,
    /// The work would need more memory than its limit, or than is available.
    ErrorOutOfMemory = 12,
    /// The weights are damaged, incomplete, or not of a VGG.
    ErrorWeights = 13,
    /// The weights file changed after it was opened.
    ErrorWeightsChanged = 14,
    /// The network has no layer of this name.
    ErrorUnknownLayer = 15,
    /// The work was cancelled before there was a result.
    ErrorCancelled = 16,
    /// The loss or its gradient was not finite.
    ErrorNotFinite = 17,
    /// The handle is at work in another call.
    ErrorBusy = 18,
    /// A fault in impasto: a panic was caught. The handles of the call should be freed.
    ErrorPanic = 19,
    /// An error of another kind. The text says which.
    ErrorOther = 20,
    /// A file is not a whole checkpoint, or not one of this job.
    ErrorCheckpoint = 21,
}

/// Why a function failed.
pub enum Failure {
    /// An error of the library.
    Library(Error),
    /// An argument that C passed.
    Argument(String),
    /// A buffer that C passed.
    Buffer(String),
    /// A setting that does not fit the library's types.
    Setting(String),
    /// The handle is in use.
    Busy(&'static str),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl Failure {
    /// The failure for a NULL argument.
    pub fn null(what: &str) -> Self {
        Self::Argument(format!("{what} is NULL"))
    }

    fn status(&self) -> ImpastoStatus {
        match self {
            Self::Library(error) => status_of(error),
            Self::Argument(_) => ImpastoStatus::ErrorArgument,
            Self::Buffer(_) => ImpastoStatus::ErrorShape,
            Self::Setting(_) => ImpastoStatus::ErrorSetting,
            Self::Busy(_) => ImpastoStatus::ErrorBusy,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Library(error) => error.to_string(),
            Self::Argument(text) | Self::Buffer(text) | Self::Setting(text) => text.clone(),
            Self::Busy(what) => format!("the {what} is at work in another call"),
        }
    }
}

/// The code of an error's kind.
pub fn status_of(error: &Error) -> ImpastoStatus {
    match error {
        Error::Setting { .. } => ImpastoStatus::ErrorSetting,
        Error::Shape { .. } => ImpastoStatus::ErrorShape,
        Error::Read { .. } => ImpastoStatus::ErrorRead,
        Error::Write { .. } => ImpastoStatus::ErrorWrite,
        Error::Decode { .. } => ImpastoStatus::ErrorDecode,
        Error::Encode { .. } => ImpastoStatus::ErrorEncode,
        Error::UnknownFormat { .. } => ImpastoStatus::ErrorUnknownFormat,
        Error::TooLarge { .. } => ImpastoStatus::ErrorTooLarge,
        Error::Depth { .. } => ImpastoStatus::ErrorDepth,
        Error::TooSmall { .. } => ImpastoStatus::ErrorTooSmall,
        Error::OutOfMemory { .. } => ImpastoStatus::ErrorOutOfMemory,
        Error::Weights { .. } => ImpastoStatus::ErrorWeights,
        Error::WeightsChanged { .. } => ImpastoStatus::ErrorWeightsChanged,
        Error::UnknownLayer { .. } => ImpastoStatus::ErrorUnknownLayer,
        Error::Cancelled => ImpastoStatus::ErrorCancelled,
        Error::Checkpoint { .. } => ImpastoStatus::ErrorCheckpoint,
        Error::NotFinite { .. } => ImpastoStatus::ErrorNotFinite,
        _ => ImpastoStatus::ErrorOther,
    }
}

thread_local! {
    /// The text of the last error on this thread.
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// A text for C.
pub fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "?")).unwrap_or_default()
}

/// Keeps the text of an error for impasto_last_error().
pub fn remember(text: &str) {
    let text = c_text(text);
    // Where the thread is at its end there is nobody left to ask for it. What is replaced is dropped after the borrow.
    let _ = LAST_ERROR.try_with(|last| last.replace(text));
}

/// Runs the body of a function that C called, and returns its status. Nothing unwinds into C.
pub fn guard(work: impl FnOnce() -> Result<(), Failure>) -> i32 {
    // What a panic leaves behind is in handles whose locks are then poisoned.
    let (status, text) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => (ImpastoStatus::Ok, String::new()),
        Ok(Err(failure)) => (failure.status(), failure.text()),
        Err(payload) => (ImpastoStatus::ErrorPanic, panic_text(payload)),
    };
    remember(&text);
    status as i32
}

/// Drops a handle. Nothing unwinds into C.
pub fn release<T>(handle: Option<Box<T>>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(handle))) {
        drop(panic_text(payload));
    }
}

/// The message of a panic. A payload that is neither text may panic when dropped, and is kept.
fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|payload| payload.downcast::<String>().map(|text| *text));
    let text = text.unwrap_or_else(|payload| {
        std::mem::forget(payload);
        "without a message".to_owned()
    });
    format!("a fault in impasto: {text}")
}

/// The text of the last error on this thread: one line in UTF-8. It is empty after a function that returned IMPASTO_STATUS_OK,
/// but for impasto_job_run() with a job that failed on its way or could not write a checkpoint. Never NULL. It is valid until the
/// next function of this library that returns a status is called on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_last_error() -> *const c_char {
    const NONE: &CStr = c"";
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(NONE.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_error() -> String {
        LAST_ERROR.with(|last| last.borrow().to_str().unwrap().to_owned())
    }

    #[test]
    fn a_panic_becomes_a_code_and_a_text() {
        let status = guard(|| panic!("{} layers", 3));
        assert_eq!(status, ImpastoStatus::ErrorPanic as i32);
        assert_eq!(last_error(), "a fault in impasto: 3 layers");
        assert_eq!(guard(|| std::panic::panic_any(7)), ImpastoStatus::ErrorPanic as i32);
        assert_eq!(guard(|| Ok(())), ImpastoStatus::Ok as i32);
        assert_eq!(last_error(), "");
    }

    #[test]
    fn a_text_with_a_zero_byte_is_kept() {
        assert_eq!(guard(|| Err(Failure::Argument("a\0b".into()))), ImpastoStatus::ErrorArgument as i32);
        assert_eq!(last_error(), "a?b");
    }

    #[test]
    fn a_handle_that_panics_when_dropped_does_not_unwind() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        release(Some(Box::new(Panics)));
    }
}
