//! The variables as argmin's parameter type. Values are shared, so that cloning is cheap, and each point has an id, by which
//! the memo recognises it.

mod arithmetic;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argmin_math::{ArgminDot, ArgminScaledAdd};

use crate::parallel::ranks::Ranks;
use crate::parallel::reduce;
use crate::parallel::team;

use super::bounds::Bounds;

/// Immutable values with a unique id: a point, a direction or a gradient.
#[derive(Clone)]
pub struct Point {
    id: u64,
    values: Arc<Values>,
    /// The bounds to which a step from this point is clamped. Directions and gradients have none.
    bounds: Bounds,
    /// The ranks of which each has a part of the values.
    ranks: Ranks,
}

/// Elements per task: 128 KiB of f32, enough work to outweigh the task's overhead.
const CHUNK: usize = 1 << 15;

impl Point {
    /// A point with these values, of which each of the ranks has a part, a new id and no bounds.
    pub fn new(values: Vec<f32>, ranks: &Ranks) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        #[cfg(test)]
        LIVE.set(LIVE.get() + 1);
        Self { id, values: Arc::new(Values(values)), bounds: Bounds::NONE, ranks: ranks.clone() }
    }

    /// A new point with these values clamped to `bounds`. Steps from it are clamped to them, too.
    pub fn within(mut values: Vec<f32>, bounds: Bounds, ranks: &Ranks) -> Self {
        team::for_each_chunk(&mut values, CHUNK, |_, values| {
            values.iter_mut().for_each(|x| *x = bounds.clamp(*x));
        });
        Self { bounds, ..Self::new(values, ranks) }
    }

    /// Projects the function's `gradient` at this point: sets it to 0 for variables at a bound that descent would cross.
    pub fn project(&self, gradient: &mut [f32]) {
        team::for_each_chunk(gradient, CHUNK, |chunk, gradient| {
            for (g, x) in gradient.iter_mut().zip(self.chunk(chunk)) {
                *g = if self.bounds.blocks(*x, -*g) { 0.0 } else { *g };
            }
        });
    }

    /// The feasible part of `direction` from this point: 0 for variables that it would move out of the bounds, and for those
    /// that are held at a bound, that is where the projected `gradient` is 0.
    pub fn feasible(&self, direction: Self, gradient: &Self) -> Self {
        let mut direction = direction.into_values();
        team::for_each_chunk(&mut direction, CHUNK, |chunk, direction| {
            let [x, g] = [self, gradient].map(|point| point.chunk(chunk));
            for ((d, x), g) in direction.iter_mut().zip(x).zip(g) {
                let fixed = self.bounds.blocks(*x, *d) || self.bounds.is_active(*x) && *g == 0.0;
                *d = if fixed { 0.0 } else { *d };
            }
        });
        Self::new(direction, &self.ranks)
    }

    /// The values, without a copy where no clone shares them.
    fn into_values(self) -> Vec<f32> {
        match Arc::try_unwrap(self.values) {
            Ok(mut values) => std::mem::take(&mut values.0),
            Err(shared) => {
                let mut values = buffer(shared.0.len());
                values.copy_from_slice(&shared.0);
                values
            }
        }
    }

    /// The id, shared only by clones.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The ranks of which each has a part of the values.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// How many values all ranks have.
    pub fn dimension(&self) -> f64 {
        self.ranks.total(self.values().len() as f64)
    }

    /// The values that this rank has.
    pub fn values(&self) -> &[f32] {
        &self.values.0
    }

    /// The values of one task, at most [`CHUNK`].
    fn chunk(&self, index: usize) -> &[f32] {
        let values = self.values();
        &values[index * CHUNK..((index + 1) * CHUNK).min(values.len())]
    }

    fn map(&self, f: impl Fn(f32) -> f32 + Sync) -> Self {
        let mut values = buffer(self.values().len());
        team::for_each_chunk(&mut values, CHUNK, |chunk, to| {
            to.iter_mut().zip(self.chunk(chunk)).for_each(|(to, from)| *to = f(*from));
        });
        Self::new(values, &self.ranks)
    }

    fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32 + Sync) -> Self {
        let mut values = buffer(self.values().len());
        team::for_each_chunk(&mut values, CHUNK, |chunk, to| {
            let (a, b) = (self.chunk(chunk), other.chunk(chunk));
            to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = f(*a, *b));
        });
        Self::new(values, &self.ranks)
    }
}

/// A point's buffer, which is recycled when the point is dropped: argmin creates some thirty points per step, and page faults
/// in new memory would take more time than the arithmetic.
struct Values(Vec<f32>);

/// The most buffers that a thread keeps for later points.
const MAX_FREE_BUFFERS: usize = 4;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Values {
    fn drop(&mut self) {
        #[cfg(test)]
        LIVE.set(LIVE.get() - 1);
        let values = std::mem::take(&mut self.0);
        // While the thread exits, the list may already be gone.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < MAX_FREE_BUFFERS {
                free.push(values);
            }
        });
    }
}

#[cfg(test)]
thread_local! {
    /// How many points with values of their own there are of this thread.
    pub static LIVE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A recycled or new buffer of `len` values, which are unspecified.
pub fn buffer(len: usize) -> Vec<f32> {
    let free = FREE.with_borrow_mut(|free| {
        free.retain(|values| values.len() == len);
        free.pop()
    });
    free.unwrap_or_else(|| vec![0.0; len])
}

/// Frees the buffers that this thread keeps.
pub fn release_buffers() {
    FREE.with_borrow_mut(Vec::clear);
}

impl ArgminDot<Point, f64> for Point {
    fn dot(&self, other: &Point) -> f64 {
        self.ranks.total(reduce::dot(self.values(), other.values()))
    }
}

/// A step of the line search, the only user of this operation: clamped to the bounds.
impl ArgminScaledAdd<Point, f64, Point> for Point {
    fn scaled_add(&self, factor: &f64, other: &Point) -> Point {
        let (factor, bounds) = (*factor as f32, self.bounds);
        Self { bounds, ..self.zip(other, |a, b| bounds.clamp(a + factor * b)) }
    }
}
