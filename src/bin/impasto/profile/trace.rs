//! `--trace`: what each thread did when, in the trace event format of Chrome and Perfetto.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::measure::Measured;
use impasto::network::profile::LayerTimes;
use impasto::parallel::trace::{Kind, Recorder, Span};

/// There is one process.
const PROCESS: u32 = 1;

/// The trace: for each thread a track of complete events, which nest, and its name.
pub(super) fn json(measured: &Measured, recorder: &Recorder) -> Value {
    let threads = recorder.spans();
    // What the threads' parts of loops belong to is what the leader did then.
    let mut leaders: Vec<&Span> =
        threads.iter().flat_map(|(_, spans)| spans).filter(|span| span.kind != Kind::Loop).collect();
    leaders.sort_by_key(|span| span.start);

    let mut events = vec![metadata("process_name", 0, json!({ "name": "impasto profile" }))];
    for (thread, spans) in &threads {
        let track = thread.map_or(0, |index| index + 1);
        let name = match thread {
            None => "main thread, leads the team".to_owned(),
            Some(index) => format!("pool thread {index}"),
        };
        events.push(metadata("thread_name", track, json!({ "name": name })));
        events.push(metadata("thread_sort_index", track, json!({ "sort_index": track })));
        // Those that contain others come first, as some readers want it.
        let mut spans: Vec<_> = spans.iter().collect();
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        events.extend(spans.iter().map(|span| event(measured, track, span, &leaders)));
    }
    json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "version": env!("CARGO_PKG_VERSION"),
            "network": measured.network,
            "width": measured.side,
            "height": measured.side,
            "threads": measured.threads,
            "isa": measured.isa,
        },
        "traceEvents": events,
    })
}

fn metadata(name: &str, track: usize, args: Value) -> Value {
    json!({ "ph": "M", "name": name, "pid": PROCESS, "tid": track, "args": args })
}

/// A complete event.
fn event(measured: &Measured, track: usize, span: &Span, leaders: &[&Span]) -> Value {
    let layer = |span: &Span| measured.layers.iter().find(|layer| layer.name == span.name);
    let (name, category, args) = match span.kind {
        Kind::Evaluation => (span.name.clone(), "evaluation", Map::new()),
        Kind::Pass => (span.name.clone(), "pass", Map::new()),
        Kind::Loss => (span.name.clone(), "loss", Map::new()),
        Kind::Preprocessing => (span.name.clone(), "preprocessing", Map::new()),
        Kind::Forward | Kind::Backward => {
            let args = layer(span).map_or_else(Map::new, |layer| args(layer, span.kind));
            (layer_name(span), category(span.kind), args)
        }
        Kind::Loop => {
            let of = work_at(leaders, span.start).map_or_else(|| "loop".to_owned(), layer_name);
            (of, "loop", Map::new())
        }
    };
    json!({
        "ph": "X",
        "name": name,
        "cat": category,
        "ts": microseconds(span.start),
        "dur": microseconds(span.end) - microseconds(span.start),
        "pid": PROCESS,
        "tid": track,
        "args": args,
    })
}

fn layer_name(span: &Span) -> String {
    match span.kind {
        Kind::Forward | Kind::Backward => format!("{} {}", span.name, category(span.kind)),
        _ => span.name.clone(),
    }
}

fn category(kind: Kind) -> &'static str {
    if kind == Kind::Forward { "forward" } else { "backward" }
}

fn args(layer: &LayerTimes, kind: Kind) -> Map<String, Value> {
    let (channels, height, width) = layer.shape;
    let bytes = if kind == Kind::Forward { layer.forward_bytes } else { layer.backward_bytes };
    let args = [
        ("algorithm", json!(layer.algorithm)),
        ("shape", json!(format!("{channels}×{height}×{width}"))),
        ("gflop", json!(layer.flop / 1e9)),
        ("bytes", json!(bytes)),
    ];
    args.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The innermost of the leader's spans, in the order of their starts, at a time: the last to start before it that has not ended.
fn work_at<'s>(leaders: &[&'s Span], time: Duration) -> Option<&'s Span> {
    let started = leaders.partition_point(|span| span.start <= time);
    leaders[..started].iter().rev().find(|span| time < span.end).copied()
}

fn microseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_belongs_to_the_innermost_work_of_its_time() {
        let at = Duration::from_micros;
        let span = |name: &str, start, end| Span {
            name: name.to_owned(),
            kind: Kind::Forward,
            start: at(start),
            end: at(end),
        };
        let spans = [span("all", 0, 100), span("first", 10, 30), span("second", 40, 60)];
        let leaders: Vec<_> = spans.iter().collect();
        let name = |time| work_at(&leaders, at(time)).map(|span| &*span.name);
        assert_eq!(
            [5, 10, 29, 35, 45, 99].map(name).map(Option::unwrap),
            ["all", "first", "first", "all", "second", "all"]
        );
        assert_eq!(name(100), None);
    }
}
