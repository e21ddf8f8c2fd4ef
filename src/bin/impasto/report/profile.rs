//! The page about a profile.

use super::machine;
use super::page::Page;
use crate::profile::{Measured, Samples, chart, counters, median};
use crate::terminal;

/// The page.
pub(crate) fn html(measured: &Measured) -> String {
    let Measured { network, side, .. } = measured;
    let mut page = Page::new(&format!("Profile of {network} at {side}×{side} pixels"));
    let evaluations = Samples::new(&measured.evaluations);
    page.paragraph(&format!(
        "One evaluation of the loss and its gradient: {:.3} s in the middle of {} rounds, {:.3} s at the least. Pooling: {}; \
         statistic of the style: {}.",
        evaluations.median(),
        measured.evaluations.len(),
        evaluations.least(),
        measured.pooling,
        measured.statistic,
    ));
    page.heading("Roofline");
    page.wide_chart(&chart(measured));
    layers(&mut page, measured);
    let memory = [
        ("peak", format!("{:.0} GFLOP/s of multiply-adds", measured.peak_gflops)),
        ("bandwidth", format!("{:.1} GB/s", measured.bandwidth.bytes_per_second / 1e9)),
        ("last-level caches", measured.bandwidth.caches.map_or("unknown".to_owned(), terminal::bytes)),
        ("hardware counters", counters(measured)),
        ("memory foreseen", terminal::bytes(measured.memory_foreseen)),
        ("memory taken", measured.peak_memory.map_or("unknown".to_owned(), terminal::bytes)),
    ];
    machine::section(&mut page, measured.isa, measured.threads, &memory);
    page.html()
}

fn layers(page: &mut Page, measured: &Measured) {
    let evaluation = median(&measured.evaluations);
    let row =
        |name: &str, algorithm: &str, shape: String, flop: f64, bytes: f64, forward: f64, backward: f64| {
            let seconds = forward + backward;
            let rate = 2.0 * flop / seconds / 1e9;
            let of_flop = |text: String| if flop > 0.0 { text } else { String::new() };
            vec![
                name.to_owned(),
                algorithm.to_owned(),
                shape,
                of_flop(format!("{:.2}", flop / 1e9)),
                format!("{:.2}", forward * 1e3),
                format!("{:.2}", backward * 1e3),
                format!("{:.1} %", 100.0 * seconds / evaluation),
                of_flop(format!("{rate:.0}")),
                of_flop(format!("{:.0} %", 100.0 * rate / measured.peak_gflops)),
                format!("{:.1}", bytes / 1e6),
                format!("{:.1}", bytes / seconds / 1e9),
            ]
        };
    let mut rows: Vec<_> = measured
        .layers
        .iter()
        .map(|layer| {
            let (channels, height, width) = layer.shape;
            let shape = format!("{channels}×{height}×{width}");
            let (forward, backward) = (median(&layer.forward), median(&layer.backward));
            let bytes = layer.forward_bytes + layer.backward_bytes;
            row(&layer.name, layer.algorithm, shape, layer.flop, bytes, forward, backward)
        })
        .collect();
    let forward = median(&measured.passes(|layer| &layer.forward));
    let backward = median(&measured.passes(|layer| &layer.backward));
    let flop = measured.layers.iter().map(|layer| layer.flop).sum();
    let bytes = measured.layers.iter().map(|layer| layer.forward_bytes + layer.backward_bytes).sum();
    rows.push(row("network", "", String::new(), flop, bytes, forward, backward));
    page.heading("Layers");
    let heads = [
        "layer:",
        "algorithm:",
        "output:",
        "GFLOP",
        "forward ms",
        "backward ms",
        "of evaluation",
        "GFLOP/s",
        "of peak",
        "MB",
        "GB/s",
    ];
    page.table(&heads, &rows, true);
    page.paragraph(
        "GFLOP of one pass, by the convolutions' definition; a pool's are not counted. MB that both passes have to read and write, \
         each value once. What of the evaluation is in no layer is the loss.",
    );
}
