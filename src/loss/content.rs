//! The content term: the squared distance of a layer's features from those of the content picture.

use crate::parallel::reduce;
use crate::tensor::FeatureMap;

use super::terms::Form;

/// The content picture's features P at one layer.
pub struct ContentTarget {
    features: FeatureMap,
    /// ΣP², or 1 if all features are 0.
    energy: f64,
}

impl ContentTarget {
    /// The target with these features.
    pub fn new(features: FeatureMap) -> Self {
        let squares = |block, y| reduce::dot(features.row(block, y), features.row(block, y));
        let energy = sum_rows(&features, squares);
        Self { energy: if energy > 0.0 { energy } else { 1.0 }, features }
    }

    /// The content term of the features `f`, without its weight.
    ///
    /// # Panics
    /// If their shape is not the target's.
    pub fn value(&self, form: Form, f: &FeatureMap) -> f64 {
        let p = &self.features;
        assert_eq!((f.channels(), f.height(), f.width()), (p.channels(), p.height(), p.width()));
        let squares = |block, y| reduce::sum2(f.row(block, y), p.row(block, y), |f, p| (f - p) * (f - p));
        self.factor(form) * sum_rows(f, squares)
    }

    /// `weight` times the content term's gradient with respect to the features F, which is slope · (F − P): returns P and
    /// the slope. This is equation 2 of Gatys et al. 2015 without its case F < 0, which is the derivative of the ReLU and is
    /// applied by the epilogue.
    pub fn gradient(&self, form: Form, weight: f64) -> (&FeatureMap, f32) {
        (&self.features, (2.0 * self.factor(form) * weight) as f32)
    }

    /// The factor of the sum of squared errors.
    fn factor(&self, form: Form) -> f64 {
        match form {
            Form::Relative => 1.0 / self.energy,
            Form::Gatys => 0.5,
        }
    }
}

/// The sum of `value(block, y)` over the rows of all blocks, in an order that does not depend on the number of threads.
fn sum_rows(f: &FeatureMap, value: impl Fn(usize, usize) -> f64 + Sync) -> f64 {
    reduce::sum_of(0..f.blocks() * f.height(), |row| value(row / f.height(), row % f.height()))
}
