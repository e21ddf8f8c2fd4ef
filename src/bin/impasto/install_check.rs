//! `impasto install-check`.

use std::fmt::Write;
use std::num::NonZero;
use std::thread;

use clap::Args;
use ndarray::Array3;
use serde_json::{Value, json};

use crate::compute::{ComputeOptions, processors_of_machine};
use crate::dry_run::time;
use crate::failure::Result;
use crate::network::NetworkOptions;
use crate::terminal::{self, VerboseOption};
use crate::version;
use impasto::memory;
use impasto::picture::Picture;
use impasto::simd::Isa;
use impasto::simd::peak::peak_gflops;
use impasto::stylize::{Estimate, Stylize, defaults};
use impasto::vgg::PICTURE_CHANNELS;
use impasto::weights::{Places, Weights};

/// Sides of the picture that is foreseen: those of the default settings.
const SIDE: usize = defaults::SIZE;

/// Check what this machine has, and measure how long a 512×512 picture will take
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  impasto install-check
  impasto install-check --weights vgg19 --threads 4 --json

It measures with small pictures, for some seconds, and writes nothing. Where something makes the work slow or impossible, a \
line says `warning:`; the exit code is 0 all the same. The peak is that of a loop of multiply-adds on all threads.")]
pub(crate) struct Options {
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
        let load = load();
        let compute = self.compute.start(detail)?;
        let available = memory::available();
        let estimated = self.network.open(detail).and_then(|weights| {
            let job = Stylize::new(&weights).compute(compute).memory_limit(Some(available));
            Ok((weights, estimate(job)?))
        });
        let (network, estimate, failure) = match estimated {
            Ok((weights, estimate)) => (Some(described(&weights)), Some(estimate), None),
            Err(failure) => (None, None, Some(failure.to_string())),
        };
        let found = Found {
            isa: compute.isa,
            processors: thread::available_parallelism().map_or(1, NonZero::get),
            processors_of_machine: processors_of_machine(),
            threads: rayon::current_num_threads(),
            load,
            available: (available < u64::MAX).then_some(available),
            memory_of_machine: memory::of_machine(),
            networks: Places::of_user().networks().into_iter().map(|network| network.name).collect(),
            network,
            peak_gflops: peak_gflops(compute.isa),
            estimate,
            failure,
        };
        match self.json {
            true => terminal::print_json(&found.json()),
            false => terminal::print(found.text().trim_end()),
        }
    }
}

/// What a square picture of the default size takes, from two pictures of noise.
fn estimate(job: Stylize) -> Result<Estimate> {
    let noise = |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let planes = Array3::from_shape_simple_fn((PICTURE_CHANNELS, SIDE, SIDE), || random.f32());
        Picture::from_planes(planes).expect("sides above 0")
    };
    Ok(job.content(noise(1)).style(noise(2)).estimate()?)
}

fn described(weights: &Weights) -> String {
    format!("{}: {}", weights.path().display(), weights.architecture())
}

/// How many processes want to compute at once, on average over the last minute.
fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

struct Found {
    isa: Isa,
    /// That this process may use.
    processors: usize,
    processors_of_machine: Option<usize>,
    threads: usize,
    load: Option<f64>,
    /// Bytes that this process can take.
    available: Option<u64>,
    /// Bytes that the machine has, and has available.
    memory_of_machine: Option<(u64, u64)>,
    /// Names of the networks that are found.
    networks: Vec<String>,
    /// The network that is used.
    network: Option<String>,
    peak_gflops: f64,
    estimate: Option<Estimate>,
    /// Why there is no estimate.
    failure: Option<String>,
}

impl Found {
    /// What is wrong, a line each.
    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> =
            self.failure.iter().map(|failure| format!("no estimate: {failure}")).collect();
        if self.isa.name() == "portable" {
            let why = match Isa::best() == self.isa {
                true => "this CPU has neither AVX2, AVX-512 nor NEON",
                false => "--isa portable",
            };
            warnings.push(format!("{why}: pictures take several times as long as with vector instructions"));
        }
        if let Some(of_machine) =
            self.processors_of_machine.filter(|of_machine| *of_machine > self.processors)
        {
            warnings.push(format!(
                "this process may use {} of the machine's {of_machine} processors (affinity, or a control group)",
                self.processors
            ));
        }
        if self.threads == 1 {
            warnings.push(
                "one thread: pictures take as many times as long as more cores would make them faster"
                    .to_owned(),
            );
        } else if self.threads > self.processors {
            warnings.push(format!(
                "{} threads on {} processors: they wait for each other",
                self.threads, self.processors
            ));
        }
        if let Some(load) = self.load.filter(|load| 2.0 * load > self.processors as f64) {
            warnings.push(format!(
                "the machine is busy (a load of {load:.1}): when it is idle, the peak is higher and the picture takes less time"
            ));
        }
        let limited =
            self.available.zip(self.memory_of_machine).filter(|(limit, (_, free))| 10 * limit < 9 * free);
        if let Some((limit, (_, free))) = limited {
            warnings.push(format!(
                "a control group leaves this process {} of the {} of memory that the machine has available",
                terminal::bytes(limit),
                terminal::bytes(free)
            ));
        }
        if let Some((available, estimate)) = self.available.zip(self.estimate.as_ref())
            && available < 2 * estimate.memory
        {
            warnings.push(format!(
                "little memory: larger pictures than this one are computed in strips, slower, or not at all ({} available)",
                terminal::bytes(available)
            ));
        }
        warnings
    }

    fn json(&self) -> Value {
        json!({
            "version": version::VERSION,
            "commit": version::COMMIT,
            "target": version::TARGET,
            "isa": self.isa.name(),
            "isas": Isa::available().iter().map(|isa| isa.name()).collect::<Vec<_>>(),
            "processors": self.processors,
            "processors_of_machine": self.processors_of_machine,
            "threads": self.threads,
            "load": self.load,
            "memory_bytes": self.memory_of_machine.map(|(total, _)| total),
            "memory_available_bytes": self.available,
            "network": self.network,
            "networks": self.networks,
            "peak_gflops": self.peak_gflops,
            "picture": self.estimate.as_ref().map(|estimate| json!({
                "width": SIDE,
                "height": SIDE,
                "seconds": estimate.seconds,
                "memory_bytes": estimate.memory,
            })),
            "warnings": self.warnings(),
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<16} {value}");
        };
        let commit = version::COMMIT.map_or_else(String::new, |commit| format!(", commit {commit}"));
        line("impasto", format!("{}, {}{commit}", version::VERSION, version::TARGET));
        let others: Vec<_> =
            Isa::available().into_iter().filter(|isa| *isa != self.isa).map(|isa| isa.name()).collect();
        let others =
            if others.is_empty() { String::new() } else { format!(" (also: {})", others.join(", ")) };
        line("instruction set", format!("{}{others}", self.isa.name()));
        let of_machine =
            self.processors_of_machine.map_or_else(String::new, |number| format!(" of {number}"));
        line("processors", format!("{}{of_machine}; {} threads", self.processors, self.threads));
        let of_machine = self
            .memory_of_machine
            .map_or_else(String::new, |(total, _)| format!(" of {}", terminal::bytes(total)));
        let available = self.available.map_or("unknown".to_owned(), terminal::bytes);
        line("memory", format!("{available}{of_machine} available"));
        line("network", self.network.clone().unwrap_or_else(|| "none".to_owned()));
        line("networks found", self.networks.join(", "));
        line("peak", format!("{:.0} GFLOP/s", self.peak_gflops));
        if let Some(estimate) = &self.estimate {
            let (seconds, memory) = (time(estimate.seconds), terminal::bytes(estimate.memory));
            line(
                "picture",
                format!("{SIDE}×{SIDE} with the default settings takes some {seconds} and {memory}"),
            );
        }
        let warnings = self.warnings();
        for warning in &warnings {
            line("warning:", warning.clone());
        }
        if warnings.is_empty() {
            line("all is well", String::new());
        }
        text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn found() -> Found {
        Found {
            isa: Isa::best(),
            processors: 8,
            processors_of_machine: Some(8),
            threads: 8,
            load: Some(0.3),
            available: Some(16 * GB),
            memory_of_machine: Some((32 * GB, 16 * GB)),
            networks: vec!["slim".to_owned()],
            network: Some("slim: vgg19".to_owned()),
            peak_gflops: 500.0,
            estimate: None,
            failure: None,
        }
    }

    #[track_caller]
    fn warns(found: Found, words: &[&str]) {
        let warnings = found.warnings();
        assert_eq!(warnings.len(), words.len(), "{warnings:?}");
        for (warning, words) in warnings.iter().zip(words) {
            assert!(warning.contains(words), "no {words:?}: {warnings:?}");
        }
        let text = found.text();
        assert_eq!(text.contains("all is well"), words.is_empty(), "{text}");
        assert_eq!(text.matches("warning:").count(), words.len(), "{text}");
    }

    #[test]
    fn what_is_wrong_is_warned_of() {
        warns(found(), &[]);
        let portable = *Isa::available().last().unwrap();
        warns(Found { isa: portable, ..found() }, &["several times as long"]);
        warns(Found { processors: 2, threads: 2, ..found() }, &["2 of the machine's 8 processors"]);
        warns(Found { threads: 1, ..found() }, &["one thread"]);
        warns(Found { threads: 16, ..found() }, &["16 threads on 8 processors"]);
        warns(Found { load: Some(5.5), ..found() }, &["busy (a load of 5.5)"]);
        warns(Found { available: Some(GB), ..found() }, &["leaves this process 1.00 GB of the 16.00 GB"]);
        warns(
            Found { failure: Some("too little memory".to_owned()), ..found() },
            &["no estimate: too little memory"],
        );
        // What the system doesn't say is not wrong.
        warns(
            Found {
                available: None,
                memory_of_machine: None,
                processors_of_machine: None,
                load: None,
                ..found()
            },
            &[],
        );
    }
}
