//! The moments of a layer that comes in parts.

use crate::parallel::ranks::Ranks;
use crate::simd::Isa;
use crate::tensor::Part;

use super::{Moments, PositionWeights, forward_part};

/// The moments of a layer, summed over its parts as they come. A layer in one part costs nothing beside [`forward_part`].
pub struct Sum {
    moments: Moments,
    /// Of the parts, where there are several.
    parts: Option<Box<Parts>>,
}

/// Sums over the positions of several parts, in f64, so that their number does not matter.
struct Parts {
    /// n of the last part.
    part: Moments,
    count: f64,
    /// Σ t_p f_p, N values.
    mean: Vec<f64>,
    /// Σ t_p f_p f_pᵀ, N×N.
    second: Vec<f64>,
}

impl Sum {
    /// Of N channels and no positions.
    pub fn new(channels: usize) -> Self {
        Self { moments: Moments::zeros(channels), parts: None }
    }

    /// Bytes of the sum of a layer with so many channels, in one part or in several.
    pub fn bytes(channels: usize, in_parts: bool) -> u64 {
        let floats = channels * channels;
        let of_parts = if in_parts { floats * (size_of::<f32>() + size_of::<f64>()) } else { 0 };
        (floats * size_of::<f32>() + of_parts) as u64
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.moments.count = 0.0;
        if let Some(parts) = &mut self.parts {
            parts.count = 0.0;
            parts.mean.fill(0.0);
            parts.second.fill(0.0);
        }
    }

    /// Adds a part of the layer, whose positions have these weights, one for each of the layer's positions.
    ///
    /// # Panics
    /// If it has other channels, or the weights are of another size than the layer.
    pub fn add(&mut self, isa: Isa, part: &Part, weights: Option<&PositionWeights>) {
        if part.is_whole() {
            forward_part(isa, part, weights, &mut self.moments);
            return;
        }
        let channels = self.moments.channels();
        let parts = self.parts.get_or_insert_with(|| {
            Box::new(Parts {
                part: Moments::zeros(channels),
                count: 0.0,
                mean: vec![0.0; channels],
                second: vec![0.0; channels * channels],
            })
        });
        forward_part(isa, part, weights, &mut parts.part);
        let count = parts.part.count;
        parts.count += count;
        let add = |(sum, value): (&mut f64, &f32)| *sum += count * f64::from(*value);
        parts.mean.iter_mut().zip(&parts.part.mean).for_each(add);
        parts.second.iter_mut().zip(&parts.part.second).for_each(add);
    }

    /// Adds what the other ranks added of their rows.
    pub fn sum_over(&mut self, ranks: &Ranks) {
        if ranks.is_alone() {
            return;
        }
        self.moments();
        self.parts = None;
        let Moments { count, mean, second } = &mut self.moments;
        let upper = |row: usize| row..mean.len();
        let means = mean.iter().map(|mean| *count * f64::from(*mean));
        let products = (0..mean.len()).flat_map(|row| upper(row).map(move |column| (row, column)));
        let products = products.map(|at| *count * f64::from(second[at]));
        let mut sums: Vec<f64> = [*count].into_iter().chain(means).chain(products).collect();
        ranks.sum(&mut sums);
        let mut sums = sums.into_iter();
        *count = sums.next().unwrap_or(0.0);
        let scale = if *count > 0.0 { 1.0 / *count } else { 0.0 };
        let mut next = || (sums.next().unwrap_or(0.0) * scale) as f32;
        mean.iter_mut().for_each(|mean| *mean = next());
        for row in 0..mean.len() {
            for column in row..mean.len() {
                let product = next();
                (second[[row, column]], second[[column, row]]) = (product, product);
            }
        }
    }

    /// The moments of all parts that were added.
    pub fn into_moments(mut self) -> Moments {
        self.moments();
        self.moments
    }

    /// The moments of all parts that were added.
    pub fn moments(&mut self) -> &Moments {
        if let Some(Parts { count, mean, second, .. }) = self.parts.as_deref() {
            let scale = if *count > 0.0 { 1.0 / count } else { 0.0 };
            let set = |(moment, sum): (&mut f32, &f64)| *moment = (sum * scale) as f32;
            self.moments.count = *count;
            self.moments.mean.iter_mut().zip(mean).for_each(set);
            self.moments.second.iter_mut().zip(second).for_each(set);
        }
        &self.moments
    }
}
