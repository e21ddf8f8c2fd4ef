//! Ending a job from another thread.

use std::mem::MaybeUninit;

use impasto_rs::Cancel;

use crate::raw;
use crate::status::{guard, release};

/// A request to end jobs, from any thread.
pub struct ImpastoCancel(pub Cancel);

/// A request that is not made yet. It is given to jobs by impasto_job_set_cancel().
#[unsafe(no_mangle)]
pub extern "C" fn impasto_cancel_new(cancel: Option<&mut MaybeUninit<Option<Box<ImpastoCancel>>>>) -> i32 {
    guard(|| raw::give(cancel, || Ok(ImpastoCancel(Cancel::new()))))
}

/// Makes the request: the jobs that have it end soon, also in the middle of an evaluation, with the best picture so far. It
/// cannot be taken back. It may be called on any thread, also while the job runs, and in a signal handler. With NULL it does
/// nothing.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_cancel_request(cancel: Option<&ImpastoCancel>) {
    // No more than storing a flag, which can't panic.
    if let Some(ImpastoCancel(cancel)) = cancel {
        cancel.cancel();
    }
}

/// 1 where the request was made, 0 where it was not or `cancel` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_cancel_is_requested(cancel: Option<&ImpastoCancel>) -> i32 {
    cancel.is_some_and(|cancel| cancel.0.is_cancelled()).into()
}

/// Frees this handle. Jobs that have the request keep it, and can then no longer be ended by it.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_cancel_free(cancel: Option<Box<ImpastoCancel>>) {
    release(cancel);
}
