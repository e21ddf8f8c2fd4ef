//! The variables as argmin's parameter type: shared, so that clones are free; numbered, so that an evaluation
//! can be remembered by the point it was made at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argmin_math::{
    ArgminAdd, ArgminDot, ArgminL1Norm, ArgminL2Norm, ArgminMinMax, ArgminMul, ArgminScaledAdd, ArgminSignum,
    ArgminSub, ArgminZeroLike,
};
use rayon::prelude::*;

use crate::kernels::reduce;

/// Values that never change, and the number that tells them from all others.
#[derive(Clone)]
pub struct Point {
    id: u64,
    values: Arc<Vec<f32>>,
}

/// Elements that one task works on.
const CHUNK: usize = 1 << 15;

impl Point {
    /// A point of these values.
    pub fn new(values: Vec<f32>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), values: Arc::new(values) }
    }

    /// The number of this point and its clones, and of no other.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    fn map(&self, f: impl Fn(f32) -> f32 + Sync) -> Self {
        let mut values = vec![0.0; self.values.len()];
        let chunks = values.par_chunks_mut(CHUNK).zip(self.values.par_chunks(CHUNK));
        chunks.for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, from)| *to = f(*from)));
        Self::new(values)
    }

    fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32 + Sync) -> Self {
        let mut values = vec![0.0; self.values.len()];
        let pairs = self.values.par_chunks(CHUNK).zip(other.values.par_chunks(CHUNK));
        values.par_chunks_mut(CHUNK).zip(pairs).for_each(|(to, (a, b))| {
            to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = f(*a, *b));
        });
        Self::new(values)
    }
}

impl ArgminDot<Point, f64> for Point {
    fn dot(&self, other: &Point) -> f64 {
        reduce::dot(&self.values, &other.values)
    }
}

impl ArgminL2Norm<f64> for Point {
    fn l2_norm(&self) -> f64 {
        reduce::dot(&self.values, &self.values).sqrt()
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

impl ArgminScaledAdd<Point, f64, Point> for Point {
    fn scaled_add(&self, factor: &f64, other: &Point) -> Point {
        let factor = *factor as f32;
        self.zip(other, |a, b| a + factor * b)
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
        reduce::sum2(&self.values, &self.values, |a, _| a.abs())
    }
}

impl ArgminSignum for Point {
    fn signum(self) -> Point {
        self.map(f32::signum)
    }
}

impl ArgminZeroLike for Point {
    fn zero_like(&self) -> Point {
        Point::new(vec![0.0; self.values.len()])
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
