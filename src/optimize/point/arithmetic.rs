//! What argmin's L-BFGS does with points beside what its line search does.

use argmin_math::{
    ArgminAdd, ArgminDot, ArgminL1Norm, ArgminL2Norm, ArgminMinMax, ArgminMul, ArgminSignum, ArgminSub,
    ArgminZeroLike,
};

use crate::parallel::reduce;

use super::Point;

impl ArgminL2Norm<f64> for Point {
    fn l2_norm(&self) -> f64 {
        self.dot(self).sqrt()
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

// The following are used only with an L1 penalty.

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
        self.ranks.total(reduce::sum2(self.values(), self.values(), |a, _| a.abs()))
    }
}

impl ArgminSignum for Point {
    fn signum(self) -> Point {
        self.map(f32::signum)
    }
}

impl ArgminZeroLike for Point {
    fn zero_like(&self) -> Point {
        Point::new(vec![0.0; self.values().len()], &self.ranks)
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
