//! What was measured, as a table for a terminal.

use std::fmt::Write;

use super::measure::{Measured, median};
use super::samples::Samples;
use crate::terminal;

/// The table, and what is said below it.
pub(super) fn of(measured: &Measured) -> String {
    let mut table = format!(
        "{}, {side}×{side} pixels, {}, {} threads, peak {:.0} GFLOP/s and {:.1} GB/s{}\n\n",
        measured.network,
        measured.isa,
        measured.threads,
        measured.peak_gflops,
        measured.bandwidth.bytes_per_second / 1e9,
        if measured.bandwidth.is_of_caches() { " (of the caches: more does not fit)" } else { "" },
        side = measured.side
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
            _ => writeln!(table, " {rate:>8.1} {:>4.0} %", 100.0 * rate / measured.peak_gflops),
        };
    };
    for layer in &measured.layers {
        let (forward, backward) = (median(&layer.forward), median(&layer.backward));
        row(&layer.name, layer.algorithm, layer.flop, forward, backward);
    }
    let forward = median(&measured.passes(|layer| &layer.forward));
    let backward = median(&measured.passes(|layer| &layer.backward));
    row("network", "", measured.layers.iter().map(|layer| layer.flop).sum(), forward, backward);
    let _ = writeln!(
        table,
        "\none evaluation with its losses: {:.3} s (the fastest of {} {:.3} s); peak memory {}, foreseen {}",
        median(&measured.evaluations),
        measured.evaluations.len(),
        Samples::new(&measured.evaluations).least(),
        measured.peak_memory.map_or("unknown".to_owned(), terminal::bytes),
        terminal::bytes(measured.memory_foreseen)
    );
    let _ = writeln!(table, "hardware counters: {}", counters(measured));
    table
}

/// The counts of an evaluation, or why there are none.
pub(crate) fn counters(measured: &Measured) -> String {
    match &measured.counts {
        Ok(counts) => format!(
            "{:.2} G cycles, {:.2} G instructions ({:.2} a cycle), {:.2} M cache misses an evaluation",
            counts.cycles as f64 / 1e9,
            counts.instructions as f64 / 1e9,
            counts.instructions as f64 / counts.cycles.max(1) as f64,
            counts.cache_misses as f64 / 1e6
        ),
        Err(reason) => reason.clone(),
    }
}
