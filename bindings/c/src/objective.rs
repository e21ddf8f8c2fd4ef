//! The loss and its gradient as a function of a picture.

use std::ptr::NonNull;
use std::sync::Mutex;

use impasto_rs::Objective;
use impasto_rs::ndarray::{Array3, ArrayViewMut3};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::picture::planes_of;
use crate::progress::ImpastoLosses;
use crate::raw;
use crate::status::{Failure, guard, release};

/// The loss of a job as a function of a picture. It is evaluated by one thread at a time:
/// impasto_objective_evaluate() returns IMPASTO_STATUS_ERROR_BUSY meanwhile.
pub struct ImpastoObjective {
    objective: Mutex<Objective>,
    /// Height and width.
    size: (usize, usize),
    /// The job's own threads, if it has some.
    threads: Option<ThreadPool>,
}

impl ImpastoObjective {
    pub fn new(objective: Objective, threads: Option<usize>) -> Result<Self, Failure> {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
        let threads = threads.map(pool).transpose();
        let threads = threads.map_err(|error| Failure::Setting(format!("threads: {error}")))?;
        Ok(Self { size: objective.size(), objective: Mutex::new(objective), threads })
    }
}

/// The width in pixels of the pictures that it takes; 0 where `objective` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_objective_width(objective: Option<&ImpastoObjective>) -> usize {
    objective.map_or(0, |objective| objective.size.1)
}

/// The height in pixels of the pictures that it takes; 0 where `objective` is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_objective_height(objective: Option<&ImpastoObjective>) -> usize {
    objective.map_or(0, |objective| objective.size.0)
}

/// The losses of a picture, and the gradient of the total by the picture's values.
///
/// @param planes The picture's values, 0 to 1: 3 * width * height floats, all red ones, then green, then blue, each row by row from
///     top to bottom, as impasto_picture_to_planes() writes them.
/// @param gradient As many floats, for the gradient, which must not overlap the picture's; or NULL.
/// @param count How many floats there are in each.
/// @param losses The losses; or NULL.
/// @param losses_size sizeof(ImpastoLosses).
/// @return IMPASTO_STATUS_ERROR_SHAPE for another number of floats, IMPASTO_STATUS_ERROR_ARGUMENT for floats that are not aligned
///     or overlap, IMPASTO_STATUS_ERROR_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn impasto_objective_evaluate(
    objective: Option<NonNull<ImpastoObjective>>,
    planes: *const f32,
    gradient: *mut f32,
    count: usize,
    losses: *mut ImpastoLosses,
    losses_size: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the header asks for an objective that is not freed. It is only ever used by shared reference.
        let objective = unsafe { raw::present(objective, "the objective")?.as_ref() };
        let (height, width) = objective.size;
        // SAFETY: the header asks for `count` floats.
        let planes = unsafe { raw::elements(planes, count, "the picture's buffer") }?;
        let picture = planes_of(planes, [width, height])?;
        if overlap(planes, gradient) {
            return Err(Failure::Argument("the picture and the gradient overlap".to_owned()));
        }
        let mut own;
        let gradient = if gradient.is_null() {
            own = Array3::zeros((3, height, width));
            own.view_mut()
        } else {
            // SAFETY: the header asks for `count` floats, which do not overlap the picture's.
            let gradient = unsafe { raw::zeroed(gradient, count, "the gradient's buffer") }?;
            ArrayViewMut3::from_shape((3, height, width), gradient).expect("as many values as the picture")
        };
        let mut evaluated = objective.objective.try_lock().map_err(|_| Failure::Busy("objective"))?;
        let evaluated = &mut *evaluated;
        let evaluate = || evaluated.evaluate(picture, gradient).map(ImpastoLosses::from);
        let found = match &objective.threads {
            Some(threads) => threads.install(evaluate),
            None => evaluate(),
        }?;
        // SAFETY: the header asks for a struct of this size.
        unsafe { raw::write_struct(losses, losses_size, found) };
        Ok(())
    })
}

/// Whether as many floats as there are in one buffer overlap it from this address on.
fn overlap(buffer: &[f32], other: *const f32) -> bool {
    let bytes = size_of_val(buffer);
    buffer.as_ptr().addr().abs_diff(other.addr()) < bytes
}

/// Frees an objective, which must not be at work.
#[unsafe(no_mangle)]
pub extern "C" fn impasto_objective_free(objective: Option<Box<ImpastoObjective>>) {
    release(objective);
}
