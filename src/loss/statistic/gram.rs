//! The Gram statistic: the squared distance of the second moments.

use ndarray::Array2;

use crate::layers::moments::{Gradient, Moments};
use crate::parallel::reduce;

use super::Form;

/// N×N matrices that the statistic keeps: the target and the gradient.
pub(super) const MATRICES: u64 = 2;

/// The Gram statistic of one layer: the squared distance of the second moments (Gatys, Ecker and Bethge 2015, equation 4).
/// The mean is not used.
pub struct Gram {
    /// S_a, the style's second moment.
    target: Array2<f32>,
    /// ΣS_a², or 1 if S_a is 0.
    energy: f64,
    /// dS/n of the last evaluation.
    ds: Array2<f32>,
}

impl Gram {
    /// The statistic with a style's moments as target.
    pub(super) fn new(target: Moments) -> Self {
        let energy: f64 = target.second.iter().map(|a| *a as f64 * *a as f64).sum();
        let energy = if energy > 0.0 { energy } else { 1.0 };
        Self { ds: Array2::zeros(target.second.dim()), target: target.second, energy }
    }

    /// See [`Distance::evaluate`](super::Distance::evaluate).
    pub(super) fn evaluate(
        &mut self,
        form: Form,
        weight: f64,
        moments: &Moments,
        gradient: &mut Gradient,
    ) -> f64 {
        let Self { target, energy, ds } = self;
        let channels = moments.channels() as f64;
        let factor = match form {
            Form::Relative => 1.0 / *energy,
            Form::Gatys => 0.25 / (channels * channels),
        };
        let [s, a] = [&moments.second, &*target].map(|matrix| matrix.as_slice().expect("made contiguous"));
        let error = reduce::sum2(s, a, |s, a| (s - a) * (s - a));
        let slope = (2.0 * factor * weight / moments.count) as f32;
        for ((ds, s), a) in ds.iter_mut().zip(s).zip(a) {
            *ds = slope * (s - a);
        }
        gradient.set(ds.view(), None);
        factor * error
    }
}
