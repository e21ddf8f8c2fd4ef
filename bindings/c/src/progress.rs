//! What a job tells on its way and at its end.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr;

use impasto_rs::{Losses, Picture, Progress};

use crate::picture::ImpastoPicture;
use crate::raw;
use crate::status::{c_text, guard};

/// The values of the loss and its terms for one picture.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ImpastoLosses {
    /// The weighted total.
    pub total: f64,
    /// The content term, without its weight.
    pub content: f64,
    /// The style term, without its weight.
    pub style: f64,
    /// The total variation, without its weight.
    pub tv: f64,
    /// The Laplacian term, without its weight; 0 where it has none.
    pub laplacian: f64,
}

impl From<&Losses> for ImpastoLosses {
    fn from(losses: &Losses) -> Self {
        Self {
            total: losses.total,
            content: losses.content,
            style: losses.style,
            tv: losses.tv,
            laplacian: losses.laplacian.unwrap_or(0.0),
        }
    }
}

/// The picture at work, for as long as the callback runs.
pub struct ImpastoCurrent<'p>(&'p dyn Fn() -> Picture);

/// The state of a job after a step of the optimiser. It and what it points to are valid while the callback runs.
#[repr(C)]
pub struct ImpastoProgress<'p> {
    /// Bytes of this struct in the library in use. Later versions have more fields, at the end.
    pub size: usize,
    /// The current scale, counted from 1.
    pub scale: usize,
    /// The number of scales.
    pub scales: usize,
    /// The current scale's width in pixels.
    pub width: usize,
    /// The current scale's height in pixels.
    pub height: usize,
    /// Steps done, all scales together.
    pub step: usize,
    /// The most steps, all scales together.
    pub steps: usize,
    /// Evaluations of the loss, all scales together.
    pub evaluations: usize,
    /// Seconds since the job began.
    pub seconds: f64,
    /// Seconds that it still takes, estimated.
    pub seconds_left: f64,
    /// The fraction of the arithmetic that is done, 0 to 1.
    pub done: f64,
    /// The estimated peak memory of the process in bytes.
    pub memory: u64,
    /// The losses of the current picture.
    pub losses: &'p ImpastoLosses,
    /// The current picture, for impasto_current_picture().
    pub current: &'p ImpastoCurrent<'p>,
    /// Why a checkpoint could not be written, the first one of those that could not, or NULL. The job goes on without it.
    pub checkpoint_error: *const c_char,
    /// 1 where the job goes on from a checkpoint and is computed in other strips of rows than before, because its memory limit or
    /// the number of threads is another one: then the result may differ in some last bits. 0 elsewhere.
    pub in_other_strips: i32,
}

/// A function of the program that impasto_job_run() calls after every step. It may be called on another thread than that of
/// impasto_job_run(), never twice at a time. It must not leave by an exception or longjmp(), nor free or change the job.
///
/// @param user What the program gave to impasto_job_run().
/// @return 0 to go on; any other number ends the job with the best picture so far.
pub type ImpastoProgressCallback =
    Option<extern "C" fn(progress: &ImpastoProgress<'_>, user: *mut c_void) -> i32>;

/// Calls the program's function with the state of a job, and returns whether the job is to go on.
pub fn goes_on(
    callback: extern "C" fn(progress: &ImpastoProgress<'_>, user: *mut c_void) -> i32,
    progress: &Progress,
    user: *mut c_void,
) -> bool {
    let picture = || progress.picture();
    let error = progress.checkpoint_error.map(|error| c_text(&error.to_string()));
    let state = ImpastoProgress {
        size: size_of::<ImpastoProgress>(),
        scale: progress.scale,
        scales: progress.scales,
        width: progress.width,
        height: progress.height,
        step: progress.step,
        steps: progress.steps,
        evaluations: progress.evaluations,
        seconds: progress.seconds,
        seconds_left: progress.seconds_left,
        done: progress.done,
        memory: progress.memory,
        losses: &ImpastoLosses::from(progress.losses),
        current: &ImpastoCurrent(&picture),
        checkpoint_error: error.as_ref().map_or(ptr::null(), |text| text.as_ptr()),
        in_other_strips: progress.in_other_strips.into(),
    };
    callback(&state, user) == 0
}

/// A copy of the picture at work, of the current scale's size.
///
/// @param current The progress's `current`, in the callback.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_current_picture(
    current: Option<&ImpastoCurrent<'_>>,
    picture: Option<&mut MaybeUninit<Option<Box<ImpastoPicture>>>>,
) -> i32 {
    guard(|| {
        raw::give(picture, || {
            let ImpastoCurrent(current) = raw::present(current, "the current picture")?;
            Ok(ImpastoPicture(current()))
        })
    })
}

/// How a job ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ImpastoOutcome {
    /// An ImpastoEnd.
    pub end: i32,
    /// An ImpastoStatus: why the job failed on its way, where `end` is IMPASTO_END_FAILED, or else IMPASTO_STATUS_OK.
    pub error: i32,
    /// Steps of the optimiser.
    pub steps: usize,
    /// Evaluations of the loss.
    pub evaluations: usize,
    /// An ImpastoStatus: why a checkpoint could not be written, the first one of those that could not, or else
    /// IMPASTO_STATUS_OK. Where the job did not fail, impasto_last_error() has the text.
    pub checkpoint_error: i32,
}

/// What a job is estimated to take.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ImpastoEstimate {
    /// Seconds, if every scale takes all its steps.
    pub seconds: f64,
    /// Peak memory of the process in bytes.
    pub memory: u64,
    /// The result's width in pixels.
    pub width: usize,
    /// The result's height in pixels.
    pub height: usize,
    /// The number of scales.
    pub scales: usize,
}
