//! The content term: the squared distance of a layer's features from the content's.

use crate::parallel::reduce;
use crate::tensor::FeatureMap;

use super::terms::Form;

/// A content's features at one layer.
pub struct ContentTarget {
    features: FeatureMap,
    /// ΣP², or 1 where all features are 0.
    energy: f64,
}

impl ContentTarget {
    /// A target from the features themselves.
    pub fn new(features: FeatureMap) -> Self {
        let squares = |block, y| reduce::dot(features.row(block, y), features.row(block, y));
        let energy = sum_rows(&features, squares);
        Self { energy: if energy > 0.0 { energy } else { 1.0 }, features }
    }

    /// The content term of the features `f`, unweighted.
    ///
    /// # Panics
    /// Where the shapes differ.
    pub fn value(&self, form: Form, f: &FeatureMap) -> f64 {
        let p = &self.features;
        assert_eq!((f.channels(), f.height(), f.width()), (p.channels(), p.height(), p.width()));
        let squares = |block, y| reduce::sum2(f.row(block, y), p.row(block, y), |f, p| (f - p) * (f - p));
        self.factor(form) * sum_rows(f, squares)
    }

    /// `weight` times the content term's gradient by the features F: slope · (F − P), as P and the slope (equation 2
    /// without its case F < 0, which is the ReLU's own derivative and applied with it).
    pub fn gradient(&self, form: Form, weight: f64) -> (&FeatureMap, f32) {
        (&self.features, (2.0 * self.factor(form) * weight) as f32)
    }

    /// What the sum of the squared errors is multiplied by.
    fn factor(&self, form: Form) -> f64 {
        match form {
            Form::Relative => 1.0 / self.energy,
            Form::Gatys => 0.5,
        }
    }
}

/// The sum of a value over the rows of all blocks, in an order of its own.
fn sum_rows(f: &FeatureMap, value: impl Fn(usize, usize) -> f64 + Sync) -> f64 {
    reduce::sum_of(0..f.blocks() * f.height(), |row| value(row / f.height(), row % f.height()))
}
