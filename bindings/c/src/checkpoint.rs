//! Jobs that keep their state in a file, and go on from one.

use std::ffi::c_char;
use std::ptr::NonNull;

use impasto_rs::{Checkpoint, Checkpoints};

use crate::job::{ImpastoJob, change};
use crate::raw;
use crate::settings::time;

/// Lets impasto_job_run() keep the state of the work in a file, from which impasto_job_resume() goes on: after a step once this time
/// is over, at the start of every scale but the first, and where the job is cancelled, by the callback too, or its time is up.
/// Writing takes 2 % of the time at most, but where `seconds` is 0. A file that is there is written over, but only by a whole new
/// one. One that cannot be written does not end the job: `checkpoint_error` of the progress and the outcome tells. The file is as
/// large as 22 pictures of 12 bytes a pixel, 5 with Adam. It stays when the job is done.
///
/// @param path The file: any bytes on Unix, elsewhere UTF-8.
/// @param seconds The time between two, such as 60; 0 for one after every step, however long that takes.
/// @return IMPASTO_STATUS_ERROR_SETTING for a number that is negative, too large or not finite.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_set_checkpoints(
    job: Option<NonNull<ImpastoJob>>,
    path: *const c_char,
    seconds: f64,
) -> i32 {
    let checkpoints = || {
        // SAFETY: the header asks for a text that ends with a zero byte.
        let checkpoints = Checkpoints::to(unsafe { raw::path(path) }?);
        let every = time(seconds)?;
        Ok(if every.is_zero() { checkpoints.every_step() } else { checkpoints.every(every) })
    };
    change(job, checkpoints, |job, checkpoints| job.checkpoints(checkpoints))
}

/// Lets impasto_job_run() go on from such a file, which may be the one that impasto_job_set_checkpoints() names. The job must be the
/// same: pictures, weights and settings, but for threads, memory limit, time, checkpoints and the request to end it. On the same
/// instruction set the picture is then that of a job that was not ended, unless the progress's `in_other_strips` is 1. The file must
/// stay as it is until the job runs; to go on from it once more, call this again.
///
/// @param path The file: any bytes on Unix, elsewhere UTF-8.
/// @return IMPASTO_STATUS_ERROR_READ; IMPASTO_STATUS_ERROR_CHECKPOINT if it is not a whole checkpoint, or of another version of
///     impasto. That it is another job's, impasto_job_run() finds, which then returns the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_resume(job: Option<NonNull<ImpastoJob>>, path: *const c_char) -> i32 {
    // SAFETY: the header asks for a text that ends with a zero byte.
    let checkpoint = || Ok(Checkpoint::open(unsafe { raw::path(path) }?)?);
    change(job, checkpoint, |job, checkpoint| job.resume(&checkpoint))
}
