//! `impasto profile`: its answer, its trace and its roofline.

#[path = "common/command.rs"]
mod command;
#[path = "common/markup.rs"]
mod markup;

use std::collections::BTreeMap;

use command::Folder;
use markup::{check_loads_nothing, elements};
use serde_json::Value;

fn json_of(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice(&folder.read(name)).unwrap()
}

/// A complete event of a trace.
#[derive(Clone, Debug)]
struct Event {
    name: String,
    category: String,
    start: f64,
    end: f64,
    args: Value,
}

impl Event {
    fn seconds(&self) -> f64 {
        (self.end - self.start) / 1e6
    }

    fn contains(&self, other: &Self) -> bool {
        // Times are whole nanoseconds, and their sums are rounded.
        self.start <= other.start + 1e-3 && other.end <= self.end + 1e-3
    }
}

/// The events of each track, and the tracks' names.
fn tracks(trace: &Value) -> (BTreeMap<u64, Vec<Event>>, BTreeMap<u64, String>) {
    let (mut tracks, mut names) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
    for event in trace["traceEvents"].as_array().unwrap() {
        let track = event["tid"].as_u64().unwrap();
        assert!(event["pid"].is_u64(), "{event}");
        match (event["ph"].as_str().unwrap(), event["name"].as_str().unwrap()) {
            ("M", "thread_name") => {
                names.insert(track, event["args"]["name"].as_str().unwrap().to_owned());
            }
            ("M", _) => {}
            ("X", name) => {
                let start = event["ts"].as_f64().unwrap();
                let end = start + event["dur"].as_f64().unwrap();
                assert!(start >= 0.0 && end >= start, "{event}");
                tracks.entry(track).or_default().push(Event {
                    name: name.to_owned(),
                    category: event["cat"].as_str().unwrap().to_owned(),
                    start,
                    end,
                    args: event["args"].clone(),
                });
            }
            (kind, _) => panic!("an event of kind {kind}"),
        }
    }
    (tracks, names)
}

/// Checks that of any two events either one contains the other or they are apart, and gives each event's parent.
fn parents(events: &[Event]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut parents = Vec::new();
    for (index, event) in events.iter().enumerate() {
        while open.last().is_some_and(|last| events[*last].end <= event.start + 1e-3) {
            open.pop();
        }
        if let Some(last) = open.last() {
            assert!(events[*last].contains(event), "{event:?} crosses {:?}", events[*last]);
        }
        parents.push(open.last().copied());
        open.push(index);
    }
    parents
}

#[test]
fn a_trace_has_what_every_thread_does() {
    let folder = Folder::new();
    // The embedded network's loops are long enough that a helper comes in time, on a busy machine as well.
    let profile = folder
        .run("profile --weights slim --size 160 --rounds 4 --threads 2 --json --trace trace.json")
        .json();
    let (tracks, names) = tracks(&json_of(&folder, "trace.json"));
    assert!(tracks.len() >= 2, "{names:?}");
    assert!(tracks.keys().all(|track| names.contains_key(track)), "{names:?}");

    let leader = &tracks[&0];
    let parents_of_leader = parents(leader);
    let of = |category: &str| leader.iter().filter(|event| event.category == category).collect::<Vec<_>>();
    let evaluations = of("evaluation");
    assert_eq!(evaluations.len(), 4);
    assert_eq!(of("pass").len(), 2 * 4);
    let layers = profile["layers"].as_array().unwrap();
    for pass in ["forward", "backward"] {
        assert_eq!(of(pass).len(), 4 * layers.len(), "{pass}");
    }
    for name in ["moments of relu1_1", "style at relu5_1", "content at relu4_2", "total variation"] {
        assert!(of("loss").iter().any(|event| event.name == name), "no {name}");
    }
    // A pass is in its evaluation, a layer in its pass.
    for (event, parent) in leader.iter().zip(&parents_of_leader) {
        let parent = parent.map(|parent| &*leader[parent].name);
        match &*event.category {
            "evaluation" => assert_eq!(parent, None),
            "pass" => assert_eq!(parent, Some("evaluation")),
            pass @ ("forward" | "backward") => assert_eq!(parent, Some(pass), "{event:?}"),
            _ => assert!(parent.is_some(), "{event:?}"),
        }
    }

    // What an evaluation takes is in its parts: only gathering the team is not, and what a busy machine pauses the thread for
    // between two of them. So it is of the round that was paused least.
    let is_part =
        |event: &&Event| ["forward", "backward", "loss", "preprocessing"].contains(&&*event.category);
    let shares = evaluations.iter().map(|evaluation| {
        let parts = leader.iter().filter(is_part).filter(|event| evaluation.contains(event));
        parts.map(Event::seconds).sum::<f64>() / evaluation.seconds()
    });
    let (least, most) =
        shares.fold((f64::INFINITY, 0.0f64), |(least, most), share| (least.min(share), most.max(share)));
    assert!(least > 0.0 && most <= 1.0 + 1e-6 && most > 0.9, "parts are {least} to {most} of an evaluation");

    // The same times as in the answer, which are taken around the events.
    for layer in layers {
        let name = layer["name"].as_str().unwrap();
        for pass in ["forward", "backward"] {
            let events = of(pass).into_iter().filter(|event| event.name == format!("{name} {pass}"));
            let rounds = layer[format!("{pass}_rounds")].as_array().unwrap();
            let events: Vec<_> = events.collect();
            assert_eq!(events.len(), rounds.len());
            let is_near = |(event, round): (&&Event, &Value)| {
                let round = round.as_f64().unwrap();
                event.seconds() <= round && event.seconds() > 0.5 * round
            };
            // A busy machine may pause the thread between the two clocks.
            assert!(events.iter().zip(rounds).any(is_near), "{name} {pass}: {events:?} {rounds:?}");
            assert_eq!(events[0].args["gflop"], layer["gflop"]);
            assert_eq!(events[0].args["bytes"], layer[format!("{pass}_bytes")]);
        }
    }
    assert_eq!(of("forward")[0].args["shape"], "32×160×160");

    // Helpers run parts of loops, each named after the work that the leader did then.
    for (track, events) in tracks.iter().filter(|(track, _)| **track != 0) {
        assert!(parents(events).iter().all(Option::is_none), "a loop in a loop on track {track}");
        assert!(events.iter().all(|event| event.category == "loop"), "{events:?}");
        for event in events {
            assert!(leader.iter().any(|work| work.name == event.name && work.contains(event)), "{event:?}");
        }
    }
    let of_helpers = tracks.iter().filter(|(track, _)| **track != 0).flat_map(|(_, events)| events);
    assert!(of_helpers.clone().any(|event| event.name.ends_with(" forward")), "{of_helpers:?}");
}

#[test]
fn a_trace_of_one_thread_has_one_track() {
    let folder = Folder::new();
    folder.run("profile --size 32 --rounds 1 --threads 1 --trace trace.json").answer();
    let (tracks, names) = tracks(&json_of(&folder, "trace.json"));
    assert_eq!((tracks.len(), names.len()), (1, 1), "{names:?}");
    parents(&tracks[&0]);
}

#[test]
fn the_answer_has_bytes_and_bandwidth_rounds_and_memory() {
    let folder = Folder::new();
    let profile = folder.run("profile --size 48 --rounds 3 --json").json();
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} in {profile}"));
    assert!(number(&profile["peak_bandwidth_gbytes"]) > 0.01);
    assert!(number(&profile["bandwidth_buffer_bytes"]) > 1e6);
    let rounds = profile["evaluation_seconds"]["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 3);
    let least = rounds.iter().map(number).fold(f64::INFINITY, f64::min);
    assert_eq!(least, number(&profile["evaluation_seconds"]["min"]));
    let foreseen = number(&profile["memory_foreseen_bytes"]);
    assert!(foreseen > 1e7);
    if cfg!(target_os = "linux") {
        // The measurement of the bandwidth is not in it.
        assert!(number(&profile["peak_rss_bytes"]) < 2.0 * foreseen, "{profile}");
    }
    let counters = &profile["hardware_counters"];
    assert!(counters.is_null() || number(&counters["instructions"]) > 1e6, "{counters}");

    // f32 values: the first convolution has 3 inputs and 6 outputs. The picture is no tap, and has no ReLU.
    let layers = profile["layers"].as_array().unwrap();
    let pixels = 48.0 * 48.0;
    let bytes = |values: f64| 4.0 * values;
    let first = bytes((3.0 + 6.0) * pixels + 9.0 * 3.0 * 6.0);
    assert_eq!((number(&layers[0]["forward_bytes"]), number(&layers[0]["backward_bytes"])), (first, first));
    // The second reads its input for the ReLU's mask and writes the gradient over it.
    let outputs = number(&layers[1]["shape"][0]);
    let second = bytes((6.0 + outputs) * pixels + 9.0 * 6.0 * outputs);
    assert_eq!(number(&layers[1]["forward_bytes"]), second);
    assert_eq!(number(&layers[1]["backward_bytes"]), second + bytes(6.0 * pixels));
    assert_eq!(layers[2]["name"], "pool1");
    assert_eq!(number(&layers[2]["forward_bytes"]), bytes(1.25 * outputs * pixels));
    assert_eq!(number(&layers[2]["backward_bytes"]), bytes(2.25 * outputs * pixels));

    let table = folder.run("profile --size 32 --rounds 1").answer();
    for word in ["GB/s", "foreseen", "hardware counters: "] {
        assert!(table.contains(word), "no {word:?} in {table}");
    }
    assert!(
        table.contains("not given by this kernel")
            || table.contains("cache misses")
            || !cfg!(target_os = "linux")
    );
}

#[test]
fn a_roofline_has_every_convolution_and_both_peaks() {
    let folder = Folder::new();
    let profile = folder.run("profile --size 64 --rounds 2 --json --roofline roofline.svg").json();
    let svg = String::from_utf8(folder.read("roofline.svg")).unwrap();
    check_loads_nothing(&svg);
    let found = elements(&svg);
    assert_eq!(found[0].0, "svg");
    let convolutions = profile["layers"].as_array().unwrap().iter().filter(|layer| layer["gflop"] != 0.0);
    let convolutions: Vec<_> = convolutions.map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(convolutions.len(), 13);
    for name in &convolutions {
        for pass in ["forward", "backward"] {
            assert!(svg.contains(&format!("<title>{name} {pass}: ")), "no {name} {pass}");
        }
    }
    for word in [
        format!("{:.0} GFLOP/s: multiply-adds", profile["peak_gflops"].as_f64().unwrap()),
        format!("{:.1} GB/s: memory", profile["peak_bandwidth_gbytes"].as_f64().unwrap()),
        "arithmetic intensity, FLOP/byte".to_owned(),
        "forward pass".to_owned(),
        "prefers-color-scheme:dark".to_owned(),
    ] {
        assert!(svg.contains(&word), "no {word}");
    }
    // Everything is in the picture.
    let view: Vec<f64> = found[0]
        .1
        .iter()
        .find(|(name, _)| name == "viewBox")
        .unwrap()
        .1
        .split(' ')
        .map(|value| value.parse().unwrap())
        .collect();
    for (name, attributes) in &found {
        let value = |key: &str| {
            attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.parse::<f64>().unwrap())
        };
        let places =
            [(value("cx"), view[2]), (value("cy"), view[3]), (value("x"), view[2]), (value("y"), view[3])];
        assert!(
            places.iter().all(|(place, most)| place.is_none_or(|place| (0.0..=*most).contains(&place))),
            "{name} {attributes:?}"
        );
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn files_that_cannot_be_written_are_refused_before_anything_is_measured() {
    let folder = Folder::new();
    folder.write(
        "network.safetensors",
        std::fs::read(command::reference_folder().join("tiny_vgg19.safetensors")).unwrap(),
    );
    for (arguments, word) in [
        ("profile --trace -", "--trace"),
        ("profile --roofline no/such/folder.svg", "no/such/folder.svg"),
        ("profile --report .", "is a folder"),
        ("profile --trace a.json --roofline a.json", "same file"),
        ("profile --weights network.safetensors --report network.safetensors", "same file"),
    ] {
        // It would take minutes.
        let ran = folder.run(&format!("{arguments} --rounds 60000"));
        assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains(word) && ran.stderr.lines().count() == 1, "{arguments}: {}", ran.stderr);
    }
    assert_eq!(folder.names(), ["network.safetensors"]);
}
