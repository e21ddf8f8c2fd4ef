//! Style statistics: functions of a layer's moments and a target's, each with its gradient with respect to the moments.
//!
//! A new statistic is added here; the layers and the network depend only on moments.

mod cholesky;
mod gram;
mod polar;
mod principal;
mod wasserstein;

use crate::layers::moments::{Gradient, Moments};
use crate::named::named;
use crate::simd::Isa;

use super::terms::Form;

use gram::Gram;
use wasserstein::Wasserstein;

/// How the style term compares a layer's features with the style's. Both see only the features' moments: n, the mean μ and the
/// second moment S.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Statistic {
    /// The squared distance of the second moments, which are the Gram matrices of Gatys, Ecker and Bethge 2015 divided by the
    /// number of positions.
    Gram,
    /// The squared 2-Wasserstein distance of the normal distributions with these means and covariances C = S − μμᵀ:
    /// ‖μ−μ_a‖² + tr(C + C_a − 2(C_a^½ C C_a^½)^½), over its target's energy ‖μ_a‖² + tr C_a. The effort to move the features
    /// onto the style's. Along the principal directions in which the style hardly varies it counts as constant: those with a
    /// variance below 0.3 of a channel's mean energy.
    Wasserstein,
}

named!(Statistic { Gram => "gram", Wasserstein => "wasserstein" });

/// The distance of moments from a target by a statistic.
pub enum Distance {
    /// By [`Statistic::Gram`].
    Gram(Gram),
    /// By [`Statistic::Wasserstein`].
    Wasserstein(Box<Wasserstein>),
}

impl Distance {
    /// The distance from a style's moments.
    pub fn new(isa: Isa, statistic: Statistic, target: Moments) -> Self {
        match statistic {
            Statistic::Gram => Self::Gram(Gram::new(target)),
            Statistic::Wasserstein => Self::Wasserstein(Box::new(Wasserstein::new(isa, target))),
        }
    }

    /// Bytes of a distance of moments of this many channels, with what its evaluation takes.
    pub fn bytes(statistic: Statistic, channels: usize) -> u64 {
        let matrices = match statistic {
            Statistic::Gram => gram::MATRICES,
            Statistic::Wasserstein => wasserstein::MATRICES,
        };
        matrices * (channels * channels * size_of::<f32>()) as u64
    }

    /// The style term of `moments`, without its weight. Sets `gradient` to `weight` times the term's gradient.
    ///
    /// # Panics
    /// If the channels of `moments` are not the target's.
    pub fn evaluate(&mut self, form: Form, weight: f64, moments: &Moments, gradient: &mut Gradient) -> f64 {
        match self {
            Self::Gram(gram) => gram.evaluate(form, weight, moments, gradient),
            Self::Wasserstein(wasserstein) => wasserstein.evaluate(weight, moments, gradient),
        }
    }
}
