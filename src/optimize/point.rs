//! The variables as argmin's parameter type: shared, so that clones are free; numbered, so that an evaluation
//! can be remembered by the point it was made at.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argmin_math::{
    ArgminAdd, ArgminDot, ArgminL1Norm, ArgminL2Norm, ArgminMinMax, ArgminMul, ArgminScaledAdd, ArgminSignum,
    ArgminSub, ArgminZeroLike,
};

use crate::parallel::reduce;
use crate::parallel::team;

use super::bounds::Bounds;

/// Values that never change, and the number that tells them from all others.
#[derive(Clone)]
pub struct Point {
    id: u64,
    values: Arc<Values>,
    /// Where a step from here ends. Directions and gradients have none.
    bounds: Bounds,
}

/// Elements that one task works on.
const CHUNK: usize = 1 << 15;

impl Point {
    /// A point of these values.
    pub fn new(values: Vec<f32>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { id, values: Arc::new(Values(values)), bounds: Bounds::NONE }
    }

    /// The point inside `bounds` that is nearest to this one, and from which every step ends inside.
    pub fn within(&self, bounds: Bounds) -> Self {
        Self { bounds, ..self.map(|x| bounds.clamp(x)) }
    }

    /// Takes from the function's `gradient` here what leads out of the bounds.
    pub fn project(&self, gradient: &mut [f32]) {
        team::for_each_chunk(gradient, CHUNK, |chunk, gradient| {
            for (g, x) in gradient.iter_mut().zip(self.chunk(chunk)) {
                *g = if self.bounds.blocks(*x, -*g) { 0.0 } else { *g };
            }
        });
    }

    /// The feasible part of `direction` from here: 0 for variables that it would lead out of the bounds, and for those that
    /// stay at a bound because the `gradient`, which is projected, is 0 there.
    pub fn feasible(&self, direction: &Self, gradient: &Self) -> Self {
        let mut feasible = buffer(self.values().len());
        team::for_each_chunk(&mut feasible, CHUNK, |chunk, feasible| {
            let [x, d, g] = [self, direction, gradient].map(|point| point.chunk(chunk));
            for (((feasible, x), d), g) in feasible.iter_mut().zip(x).zip(d).zip(g) {
                let fixed = self.bounds.blocks(*x, *d) || self.bounds.is_active(*x) && *g == 0.0;
                *feasible = if fixed { 0.0 } else { *d };
            }
        });
        Self::new(feasible)
    }

    /// The number of this point and its clones, and of no other.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &self.values.0
    }

    /// The values of a task, at most [`CHUNK`].
    fn chunk(&self, index: usize) -> &[f32] {
        let values = self.values();
        &values[index * CHUNK..((index + 1) * CHUNK).min(values.len())]
    }

    fn map(&self, f: impl Fn(f32) -> f32 + Sync) -> Self {
        let mut values = buffer(self.values().len());
        team::for_each_chunk(&mut values, CHUNK, |chunk, to| {
            to.iter_mut().zip(self.chunk(chunk)).for_each(|(to, from)| *to = f(*from));
        });
        Self::new(values)
    }

    fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32 + Sync) -> Self {
        let mut values = buffer(self.values().len());
        team::for_each_chunk(&mut values, CHUNK, |chunk, to| {
            let (a, b) = (self.chunk(chunk), other.chunk(chunk));
            to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = f(*a, *b));
        });
        Self::new(values)
    }
}

/// A point's memory, used again for a later point when it is dropped: argmin makes some thirty points a step, and memory
/// new from the system costs more time than what is computed in it.
struct Values(Vec<f32>);

/// The most buffers that are kept for later points.
const MOST_FREE: usize = 4;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Values {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.0);
        // Where the thread has ended, so has the list.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < MOST_FREE {
                free.push(values);
            }
        });
    }
}

/// Memory for `len` values, which are unspecified.
pub fn buffer(len: usize) -> Vec<f32> {
    let free = FREE.with_borrow_mut(|free| {
        free.retain(|values| values.len() == len);
        free.pop()
    });
    free.unwrap_or_else(|| vec![0.0; len])
}

/// Gives the buffers that this thread keeps back to the system.
pub fn release_buffers() {
    FREE.with_borrow_mut(Vec::clear);
}

impl ArgminDot<Point, f64> for Point {
    fn dot(&self, other: &Point) -> f64 {
        reduce::dot(self.values(), other.values())
    }
}

impl ArgminL2Norm<f64> for Point {
    fn l2_norm(&self) -> f64 {
        reduce::dot(self.values(), self.values()).sqrt()
    }
}

impl ArgminAdd<Point, Point> for Point {
    fn add(&self, other: &Point) -> Point {
        self.zip(other, |a, b| a + b)
    }
}

impl ArgminSub<Point, Point> for Point {
    fn sub(&self, other: &Point) -> Point {
        self.zip(other, |a, b| a - b)
    }
}

impl ArgminMul<f64, Point> for Point {
    fn mul(&self, factor: &f64) -> Point {
        let factor = *factor as f32;
        self.map(|a| a * factor)
    }
}

/// A step of the line search, which alone uses it: it ends inside the bounds.
impl ArgminScaledAdd<Point, f64, Point> for Point {
    fn scaled_add(&self, factor: &f64, other: &Point) -> Point {
        let (factor, bounds) = (*factor as f32, self.bounds);
        Self { bounds, ..self.zip(other, |a, b| bounds.clamp(a + factor * b)) }
    }
}

// What follows argmin's L-BFGS asks for but uses only with an L1 penalty.

impl ArgminAdd<f64, Point> for Point {
    fn add(&self, term: &f64) -> Point {
        let term = *term as f32;
        self.map(|a| a + term)
    }
}

impl ArgminSub<f64, Point> for Point {
    fn sub(&self, term: &f64) -> Point {
        let term = *term as f32;
        self.map(|a| a - term)
    }
}

impl ArgminMul<Point, Point> for Point {
    fn mul(&self, other: &Point) -> Point {
        self.zip(other, |a, b| a * b)
    }
}

impl ArgminL1Norm<f64> for Point {
    fn l1_norm(&self) -> f64 {
        reduce::sum2(self.values(), self.values(), |a, _| a.abs())
    }
}

impl ArgminSignum for Point {
    fn signum(self) -> Point {
        self.map(f32::signum)
    }
}

impl ArgminZeroLike for Point {
    fn zero_like(&self) -> Point {
        Point::new(vec![0.0; self.values().len()])
    }
}

impl ArgminMinMax for Point {
    fn min(a: &Point, b: &Point) -> Point {
        a.zip(b, f32::min)
    }

    fn max(a: &Point, b: &Point) -> Point {
        a.zip(b, f32::max)
    }
}
