//! The content term: the squared distance of a layer's features from those of the content picture.

use crate::parallel::ranks::Ranks;
use crate::parallel::reduce;
use crate::tensor::{FeatureMap, Part};

use super::terms::Form;

/// The content picture's features P at one layer.
pub struct ContentTarget {
    features: FeatureMap,
    /// ΣP², or 1 if all features are 0.
    energy: f64,
    /// Σ(F−P)² over the parts of the features F that were added.
    squares: f64,
}

impl ContentTarget {
    /// The target with these features, of which each of the `ranks` has its rows.
    pub fn new(features: FeatureMap, ranks: &Ranks) -> Self {
        let squares = |block, y| reduce::dot(features.row(block, y), features.row(block, y));
        let energy = ranks.total(sum_rows(&Part::whole(&features), squares));
        Self { energy: if energy > 0.0 { energy } else { 1.0 }, features, squares: 0.0 }
    }

    /// Forgets the features of the evaluation before.
    pub fn clear(&mut self) {
        self.squares = 0.0;
    }

    /// Adds the features of a part of the layer.
    ///
    /// # Panics
    /// If its channels or width are not the target's.
    pub fn add(&mut self, part: &Part) {
        let (f, p) = (part.map, &self.features);
        assert_eq!((f.channels(), f.width()), (p.channels(), p.width()));
        let squared = |f, p| (f - p) * (f - p);
        let of_layer = |y| part.first + y - part.rows.start;
        let squares = |block, y| reduce::sum2(f.row(block, y), p.row(block, of_layer(y)), squared);
        self.squares += sum_rows(part, squares);
    }

    /// The content term of the features that were added on all ranks, without its weight.
    pub fn value(&self, form: Form, ranks: &Ranks) -> f64 {
        self.factor(form) * ranks.total(self.squares)
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

/// The sum of `value(block, y)` over the part's rows of all blocks, in an order that does not depend on the number of threads.
fn sum_rows(part: &Part, value: impl Fn(usize, usize) -> f64 + Sync) -> f64 {
    let rows = part.rows.len();
    reduce::sum_of(0..part.map.blocks() * rows, |row| value(row / rows, part.rows.start + row % rows))
}
