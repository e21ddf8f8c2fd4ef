//! `impasto profile`.

use std::fmt::Write;
use std::time::Instant;

use clap::Args;
use ndarray::Array3;
use serde_json::{Value, json};

use crate::compute::ComputeOptions;
use crate::failure::Result;
use crate::network::NetworkOptions;
use crate::terminal::{self, VerboseOption};
use crate::values::{memory_size, named, pixels};
use impasto::layers::pool::Pooling;
use impasto::loss::Statistic;
use impasto::memory;
use impasto::network::profile::LayerTimes;
use impasto::picture::Picture;
use impasto::simd::peak::peak_gflops;
use impasto::stylize::{Size, Stylize, defaults};
use impasto::vgg::PICTURE_CHANNELS;

/// Measure where the time of an evaluation goes, layer by layer
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto profile --size 256
  impasto profile --threads 1 --json

Evaluates the default loss and its gradient for N×N pictures of noise. GFLOP count the layers' definitions; the \
peak is that of a loop of multiply-adds, measured there and then.")]
pub(crate) struct Options {
    /// Side of the pictures in pixels
    #[arg(long, value_name = "N", default_value_t = defaults::SIZE as u64,
          value_parser = pixels(1), allow_negative_numbers = true)]
    size: u64,

    /// Evaluations to measure, after a first one to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// What the network's pools do
    #[arg(long, value_parser = named::<Pooling>(), value_name = "KIND", default_value_t = defaults::POOLING)]
    pooling: Pooling,

    /// Statistic of the style term
    #[arg(long, value_parser = named::<Statistic>(), value_name = "NAME", default_value_t = defaults::STATISTIC)]
    statistic: Statistic,

    /// Memory that the process may take, such as 4G or 1500M. Where an evaluation doesn't fit as a whole, it is computed in
    /// strips [default: what the machine has free]
    #[arg(long, value_name = "SIZE", value_parser = memory_size)]
    max_memory: Option<u64>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    network: NetworkOptions,

    #[command(flatten)]
    compute: ComputeOptions,

    #[command(flatten)]
    verbose: VerboseOption,
}

impl Options {
    pub(crate) fn run(&self) -> Result<()> {
        let detail = self.verbose.detail();
        let compute = self.compute.start(detail)?;
        let weights = self.network.open(detail)?;
        let job = Stylize::new(&weights).compute(compute).pooling(self.pooling).statistic(self.statistic);
        let job = job.size(Size::Own);
        // At most LONGEST_SIZE.
        let side = self.size as usize;
        // Before the pictures take memory: those given, that evaluated and its gradient.
        let picture = (PICTURE_CHANNELS * size_of::<f32>() * side * side) as u64;
        let available = self.max_memory.unwrap_or_else(memory::available);
        let job = job.memory_limit(Some(available.saturating_sub(4 * picture)));
        let needed = job.objective_bytes(side, side)? + 4 * picture;
        memory::require_of(available, "an evaluation", needed, side, side)?;
        // The job knows of all but the gradient itself.
        let job = job.memory_limit(Some(available.saturating_sub(picture)));

        let [image, content, style] = [1, 2, 3].map(|seed| noise(side, seed));
        let mut objective = job.content(content).style(style).objective()?;
        let mut gradient = Array3::zeros(image.planes().dim());
        // The first evaluation finds cold caches and untouched memory.
        objective.evaluate(image.planes(), gradient.view_mut())?;
        objective.start_profile();
        let mut evaluations = Vec::with_capacity(self.rounds.into());
        for _ in 0..self.rounds {
            let start = Instant::now();
            objective.evaluate(image.planes(), gradient.view_mut())?;
            evaluations.push(start.elapsed().as_secs_f64());
        }
        let layers = objective.profile().map_or_else(Vec::new, |profile| profile.layers.clone());
        let measured = Measured {
            network: weights.architecture().to_string(),
            side,
            isa: compute.isa.name(),
            peak_gflops: peak_gflops(compute.isa),
            evaluations,
            layers,
        };
        match self.json {
            true => terminal::print_json(&measured.json()),
            false => terminal::print(measured.table().trim_end()),
        }
    }
}

/// A picture of noise.
fn noise(side: usize, seed: u64) -> Picture {
    let mut random = fastrand::Rng::with_seed(seed);
    let planes = Array3::from_shape_simple_fn((PICTURE_CHANNELS, side, side), || random.f32());
    Picture::from_planes(planes).expect("sides above 0")
}

struct Measured {
    network: String,
    side: usize,
    isa: &'static str,
    peak_gflops: f64,
    /// Seconds of each.
    evaluations: Vec<f64>,
    layers: Vec<LayerTimes>,
}

impl Measured {
    fn json(&self) -> Value {
        let layers = self.layers.iter().map(|layer| {
            json!({
                "name": layer.name,
                "algorithm": layer.algorithm,
                "gflop": layer.flop / 1e9,
                "forward_seconds": median(&layer.forward),
                "backward_seconds": median(&layer.backward),
            })
        });
        json!({
            "network": self.network,
            "width": self.side,
            "height": self.side,
            "threads": rayon::current_num_threads(),
            "isa": self.isa,
            "peak_gflops": self.peak_gflops,
            "evaluation_seconds": { "min": least(&self.evaluations), "median": median(&self.evaluations) },
            "forward_seconds": median(&self.passes(|layer| &layer.forward)),
            "backward_seconds": median(&self.passes(|layer| &layer.backward)),
            "peak_rss_bytes": memory::peak(),
            "layers": layers.collect::<Vec<_>>(),
        })
    }

    /// Seconds of each pass through the whole network.
    fn passes(&self, of: impl Fn(&LayerTimes) -> &[f64]) -> Vec<f64> {
        (0..self.evaluations.len())
            .map(|round| self.layers.iter().map(|layer| of(layer)[round]).sum())
            .collect()
    }

    fn table(&self) -> String {
        let mut table = format!(
            "{}, {side}×{side} pixels, {}, {} threads, peak {:.0} GFLOP/s\n\n",
            self.network,
            self.isa,
            rayon::current_num_threads(),
            self.peak_gflops,
            side = self.side
        );
        let _ = writeln!(
            table,
            "{:<9} {:<12} {:>7} {:>10} {:>11} {:>8} {:>6}",
            "layer", "algorithm", "GFLOP", "forward ms", "backward ms", "GFLOP/s", "peak"
        );
        let mut row = |name: &str, algorithm: &str, flop: f64, forward: f64, backward: f64| {
            let _ = write!(
                table,
                "{name:<9} {algorithm:<12} {:>7.2} {:>10.2} {:>11.2}",
                flop / 1e9,
                forward * 1e3,
                backward * 1e3
            );
            // Both passes have as many operations; a pool's are not counted.
            let rate = 2.0 * flop / (forward + backward) / 1e9;
            let _ = match flop {
                0.0 => writeln!(table),
                _ => writeln!(table, " {rate:>8.1} {:>4.0} %", 100.0 * rate / self.peak_gflops),
            };
        };
        for layer in &self.layers {
            let (forward, backward) = (median(&layer.forward), median(&layer.backward));
            row(&layer.name, layer.algorithm, layer.flop, forward, backward);
        }
        let (forward, backward) =
            (median(&self.passes(|layer| &layer.forward)), median(&self.passes(|layer| &layer.backward)));
        row("network", "", self.layers.iter().map(|layer| layer.flop).sum(), forward, backward);
        let _ = writeln!(
            table,
            "\none evaluation with its losses: {:.3} s (the fastest of {} {:.3} s); peak memory {}",
            median(&self.evaluations),
            self.evaluations.len(),
            least(&self.evaluations),
            memory::peak().map_or("unknown".to_owned(), terminal::bytes)
        );
        table
    }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The middle value, or the mean of the middle two.
fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    0.5 * (values[low] + values[high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
    }
}
