//! The job: its handle, and what is made of it.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ops::ControlFlow;
use std::ptr::NonNull;
use std::sync::{RwLock, RwLockReadGuard};

use impasto_rs::{End, Stylize};

use crate::controls::ImpastoEnd;
use crate::objective::ImpastoObjective;
use crate::picture::ImpastoPicture;
use crate::progress::{ImpastoEstimate, ImpastoOutcome, ImpastoProgressCallback, goes_on};
use crate::raw;
use crate::status::{Failure, ImpastoStatus, guard, release, remember, status_of};
use crate::weights::ImpastoWeights;

/// A style transfer job: pictures and settings. Functions that change it return IMPASTO_STATUS_ERROR_BUSY while it is at work.
pub struct ImpastoJob(RwLock<State>);

/// What a job is set to.
struct State {
    /// There but for the moment of a change.
    stylize: Option<Stylize>,
    threads: Option<usize>,
}

/// A job that does not change for as long as this is held.
struct Fixed<'a>(RwLockReadGuard<'a, State>);

impl Fixed<'_> {
    fn of(job: Option<&ImpastoJob>) -> Result<Fixed<'_>, Failure> {
        let state = raw::present(job, "the job")?.0.try_read();
        state.ok().filter(|state| state.stylize.is_some()).map(Fixed).ok_or(Failure::Busy("job"))
    }

    fn stylize(&self) -> &Stylize {
        self.0.stylize.as_ref().expect("a job that is not being changed")
    }
}

/// Changes a job: the body of the functions that set something, once they have the value.
pub fn change<T>(
    job: Option<NonNull<ImpastoJob>>,
    value: impl FnOnce() -> Result<T, Failure>,
    set: impl FnOnce(Stylize, T) -> Stylize,
) -> i32 {
    guard(|| {
        let job = raw::present(job, "the job")?;
        let value = value()?;
        // SAFETY: the header asks for a job that is not freed. It is only ever used by shared reference.
        let job = unsafe { job.as_ref() };
        let mut state = job.0.try_write().map_err(|_| Failure::Busy("job"))?;
        state.stylize = state.stylize.take().map(|stylize| set(stylize, value));
        Ok(())
    })
}

/// A job with the network of these weights, the default settings and no pictures.
///
/// @param weights Not needed afterwards: the job keeps what it needs of them.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_new(
    weights: Option<&ImpastoWeights>,
    job: Option<&mut MaybeUninit<Option<Box<ImpastoJob>>>>,
) -> i32 {
    guard(|| {
        raw::give(job, || {
            let ImpastoWeights(weights) = raw::present(weights, "the weights")?;
            Ok(ImpastoJob(RwLock::new(State { stylize: Some(Stylize::new(weights)), threads: None })))
        })
    })
}

/// Frees a job, which must not be at work. What it made stays.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_free(job: Option<Box<ImpastoJob>>) {
    release(job);
}

/// Runs the job on this many threads of its own, above 0. By default all jobs share as many threads as the machine has cores. The
/// result does not depend on the number.
///
/// @return IMPASTO_STATUS_ERROR_SETTING for 0.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_set_threads(job: Option<NonNull<ImpastoJob>>, threads: usize) -> i32 {
    guard(|| {
        let job = raw::present(job, "the job")?;
        if threads == 0 {
            return Err(Failure::Setting("threads: must be above 0".to_owned()));
        }
        // SAFETY: as in `change`.
        let mut state = unsafe { job.as_ref() }.0.try_write().map_err(|_| Failure::Busy("job"))?;
        state.threads = Some(threads);
        state.stylize = state.stylize.take().map(|stylize| stylize.threads(threads));
        Ok(())
    })
}

/// The size of the result.
///
/// @param width, height In pixels.
/// @return IMPASTO_STATUS_ERROR_SETTING without a picture.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_result_size(
    job: Option<&ImpastoJob>,
    width: *mut usize,
    height: *mut usize,
) -> i32 {
    guard(|| {
        let job = Fixed::of(job)?;
        if width.is_null() || height.is_null() {
            return Err(Failure::null("the address of the result"));
        }
        let size = job.stylize().result_size()?;
        // SAFETY: neither is NULL, and the header asks for addresses that can be written to.
        unsafe { (width.write(size.0), height.write(size.1)) };
        Ok(())
    })
}

/// The memory that the process is estimated to take at its peak, within about 10 %. It takes no time to speak of.
///
/// @param bytes The bytes.
/// @return What impasto_job_run() returns, but for IMPASTO_STATUS_ERROR_OUT_OF_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_memory(job: Option<&ImpastoJob>, bytes: *mut u64) -> i32 {
    guard(|| {
        let job = Fixed::of(job)?;
        if bytes.is_null() {
            return Err(Failure::null("the address of the result"));
        }
        let foreseen = job.stylize().memory_foreseen()?;
        // SAFETY: not NULL, and the header asks for an address that can be written to.
        unsafe { bytes.write(foreseen) };
        Ok(())
    })
}

/// Estimates what impasto_job_run() will take, by evaluating the loss of some small pictures: a fraction of a second with the
/// embedded network, more with larger ones.
///
/// @param estimate The estimate.
/// @param estimate_size sizeof(ImpastoEstimate).
/// @return What impasto_job_run() returns; IMPASTO_STATUS_ERROR_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_estimate(
    job: Option<&ImpastoJob>,
    estimate: *mut ImpastoEstimate,
    estimate_size: usize,
) -> i32 {
    guard(|| {
        let job = Fixed::of(job)?;
        if estimate.is_null() {
            return Err(Failure::null("the address of the result"));
        }
        let (width, height) = job.stylize().result_size()?;
        let found = job.stylize().estimate()?;
        let (memory, seconds, scales) = (found.memory, found.seconds, found.scales.len());
        let found = ImpastoEstimate { seconds, memory, width, height, scales };
        // SAFETY: the header asks for a struct of this size.
        unsafe { raw::write_struct(estimate, estimate_size, found) };
        Ok(())
    })
}

/// The program's own pointer, which goes to the thread that calls its function.
struct User(*mut c_void);

impl User {
    fn pointer(&self) -> *mut c_void {
        self.0
    }
}

// SAFETY: the library does no more with it than pass it on, and the header says on which threads.
unsafe impl Sync for User {}

/// Makes the picture. It takes seconds to hours.
///
/// @param progress A function that is called after every step; or NULL.
/// @param user Passed on to it.
/// @param picture The result: the best picture found.
/// @param outcome How it ended; or NULL.
/// @param outcome_size sizeof(ImpastoOutcome).
/// @return IMPASTO_STATUS_OK where there is a picture, also where the job ended early: `outcome` tells.
///     IMPASTO_STATUS_ERROR_SETTING for an invalid setting, or without a picture; IMPASTO_STATUS_ERROR_UNKNOWN_LAYER,
///     IMPASTO_STATUS_ERROR_WEIGHTS, IMPASTO_STATUS_ERROR_WEIGHTS_CHANGED, IMPASTO_STATUS_ERROR_TOO_SMALL,
///     IMPASTO_STATUS_ERROR_OUT_OF_MEMORY, IMPASTO_STATUS_ERROR_NOT_FINITE; IMPASTO_STATUS_ERROR_READ,
///     IMPASTO_STATUS_ERROR_CHECKPOINT where it goes on from a checkpoint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_job_run(
    job: Option<&ImpastoJob>,
    progress: ImpastoProgressCallback,
    user: *mut c_void,
    picture: Option<&mut MaybeUninit<Option<Box<ImpastoPicture>>>>,
    outcome: *mut ImpastoOutcome,
    outcome_size: usize,
) -> i32 {
    let mut failed = None;
    let status = guard(|| {
        raw::give(picture, || {
            let user = User(user);
            let made = Fixed::of(job)?.stylize().run(|state| {
                match progress.is_none_or(|callback| goes_on(callback, state, user.pointer())) {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })?;
            let (end, error) = match made.end {
                End::Done => (ImpastoEnd::Done, None),
                End::Cancelled => (ImpastoEnd::Cancelled, None),
                End::TimeUp => (ImpastoEnd::TimeUp, None),
                End::Failed(error) => (ImpastoEnd::Failed, Some(error)),
                other => return Err(Failure::Setting(format!("an end that is not known here: {other:?}"))),
            };
            let found = ImpastoOutcome {
                end: end as i32,
                error: error.as_ref().map_or(ImpastoStatus::Ok, status_of) as i32,
                steps: made.steps,
                evaluations: made.evaluations,
                checkpoint_error: made.checkpoint_error.as_ref().map_or(ImpastoStatus::Ok, status_of) as i32,
            };
            // SAFETY: the header asks for a struct of this size.
            unsafe { raw::write_struct(outcome, outcome_size, found) };
            failed = error.or(made.checkpoint_error).map(|error| error.to_string());
            Ok(ImpastoPicture(made.picture))
        })
    });
    if let Some(text) = failed {
        remember(&text);
    }
    status
}

/// The loss of the job as a function of a picture of the result's size, for an optimiser of the program's own. Later changes
/// to the job do not change it.
///
/// @return What impasto_job_run() returns.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_job_objective(
    job: Option<&ImpastoJob>,
    objective: Option<&mut MaybeUninit<Option<Box<ImpastoObjective>>>>,
) -> i32 {
    guard(|| {
        raw::give(objective, || {
            let job = Fixed::of(job)?;
            ImpastoObjective::new(job.stylize().objective()?, job.0.threads)
        })
    })
}
