//! `--json`: all that was measured, as one object.

use serde_json::{Value, json};

use super::measure::{Measured, median};
use super::samples::Samples;
use crate::report::machine;
use impasto::network::profile::LayerTimes;

/// The object. The rounds' own seconds are in it, so that two of them can be compared with their noise.
pub(super) fn of(measured: &Measured) -> Value {
    let counters = match &measured.counts {
        Ok(counts) => json!({
            "cycles": counts.cycles,
            "instructions": counts.instructions,
            "cache_misses": counts.cache_misses,
        }),
        Err(_) => Value::Null,
    };
    json!({
        "network": measured.network,
        "width": measured.side,
        "height": measured.side,
        "pooling": measured.pooling.to_string(),
        "statistic": measured.statistic.to_string(),
        "threads": measured.threads,
        "isa": measured.isa,
        "cpu": machine::cpu(),
        "version": env!("CARGO_PKG_VERSION"),
        "peak_gflops": measured.peak_gflops,
        "peak_bandwidth_gbytes": measured.bandwidth.bytes_per_second / 1e9,
        "bandwidth_buffer_bytes": measured.bandwidth.buffers,
        "last_level_cache_bytes": measured.bandwidth.caches,
        "evaluation_seconds": {
            "min": Samples::new(&measured.evaluations).least(),
            "median": median(&measured.evaluations),
            "rounds": measured.evaluations,
        },
        "forward_seconds": median(&measured.passes(|layer| &layer.forward)),
        "backward_seconds": median(&measured.passes(|layer| &layer.backward)),
        "memory_foreseen_bytes": measured.memory_foreseen,
        "peak_rss_bytes": measured.peak_memory,
        "hardware_counters": counters,
        "layers": measured.layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn layer(layer: &LayerTimes) -> Value {
    let (channels, height, width) = layer.shape;
    json!({
        "name": layer.name,
        "algorithm": layer.algorithm,
        "shape": [channels, height, width],
        "gflop": layer.flop / 1e9,
        "forward_bytes": layer.forward_bytes,
        "backward_bytes": layer.backward_bytes,
        "forward_seconds": median(&layer.forward),
        "backward_seconds": median(&layer.backward),
        "forward_rounds": layer.forward,
        "backward_rounds": layer.backward,
    })
}
