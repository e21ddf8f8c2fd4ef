//! The Gram statistic: the squared distance of the second moments.

use ndarray::Array2;

use crate::layers::moments::{Gradient, Moments};
use crate::parallel::reduce;

use super::Form;

/// N×N matrices that the statistic keeps: the target.
pub(super) const MATRICES: u64 = 1;

/// The Gram statistic of one layer: the squared distance of the second moments (Gatys, Ecker and Bethge 2015, equation 4).
/// The mean is not used.
pub struct Gram {
    /// S_a, the style's second moment.
    target: Array2<f32>,
    /// ΣS_a², or 1 if S_a is 0.
    energy: f64,
}

impl Gram {
    /// The statistic with a style's moments as target.
    pub(super) fn new(target: Moments) -> Self {
        let energy: f64 = target.second.iter().map(|a| *a as f64 * *a as f64).sum();
        let energy = if energy > 0.0 { energy } else { 1.0 };
        Self { target: target.second, energy }
    }

    /// See [`Distance::evaluate`](super::Distance::evaluate).
    pub(super) fn evaluate(
        &self,
        form: Form,
        weight: f64,
        moments: &Moments,
        gradient: &mut Gradient,
    ) -> f64 {
        let Self { target, energy } = self;
        let channels = moments.channels();
        let factor = match form {
            Form::Relative => 1.0 / *energy,
            Form::Gatys => 0.25 / (channels * channels) as f64,
        };
        let [s, a] = [&moments.second, &*target].map(|matrix| matrix.as_slice().expect("made contiguous"));
        let error = reduce::sum2(s, a, |s, a| (s - a) * (s - a));
        let slope = (2.0 * factor * weight / moments.count) as f32;
        let ds = |row: usize| {
            let [s, a] = [s, a].map(|matrix| &matrix[row * channels..][..channels]);
            move |column: usize| slope * (s[column] - a[column])
        };
        gradient.set_elements(channels, ds, None);
        factor * error
    }
}
