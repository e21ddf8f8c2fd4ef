//! `impasto profile`: its trace, its roofline, and comparing two of its answers.

#[path = "common/command.rs"]
mod command;
#[path = "common/markup.rs"]
mod markup;

use std::collections::BTreeMap;

use command::Folder;
use markup::{check_loads_nothing, elements};
use serde_json::{Value, json};

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

/// An answer of `profile --json` of two layers, with these seconds of the rounds of the first one's forward pass.
fn answer(first: &[f64]) -> Value {
    let rounds = [0.010, 0.011, 0.0105, 0.0102, 0.0108, 0.0104, 0.0107, 0.0109];
    let evaluation: Vec<f64> = first.iter().zip(rounds).map(|(first, round)| first + 3.0 * round).collect();
    json!({
        "network": "vgg19", "width": 64, "height": 64, "pooling": "max", "statistic": "gram", "threads": 2, "isa": "avx2",
        "evaluation_seconds": { "rounds": evaluation },
        "layers": [
            { "name": "relu1_1", "forward_rounds": first, "backward_rounds": rounds },
            { "name": "relu1_2", "forward_rounds": rounds, "backward_rounds": rounds },
        ],
    })
}

const ROUNDS: [f64; 8] = [0.100, 0.101, 0.102, 0.103, 0.104, 0.105, 0.106, 0.107];

#[test]
fn differences_beyond_noise_are_told_from_others() {
    let folder = Folder::new();
    folder.write("a.json", answer(&ROUNDS).to_string());
    folder.write("slower.json", answer(&ROUNDS.map(|seconds| 1.5 * seconds)).to_string());
    folder.write("noise.json", answer(&ROUNDS.map(|seconds| 1.02 * seconds)).to_string());
    let compared = |arguments: &str| {
        let answer = folder.run(&format!("profile --compare {arguments} --json")).json();
        let rows = answer["compared"].as_array().unwrap().clone();
        rows.into_iter()
            .map(|row| (row["name"].as_str().unwrap().to_owned(), row))
            .collect::<BTreeMap<_, _>>()
    };

    let rows = compared("a.json slower.json");
    let names: Vec<_> = rows.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "backward",
            "evaluation",
            "forward",
            "relu1_1 backward",
            "relu1_1 forward",
            "relu1_2 backward",
            "relu1_2 forward"
        ]
    );
    let slower = &rows["relu1_1 forward"];
    let near = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-9;
    assert!(near(&slower["ratio"], 1.5) && slower["verdict"] == "slower", "{slower}");
    // From the least of B over the most of A to the contrary.
    assert!(near(&slower["low"], 0.150 / 0.107) && near(&slower["high"], 0.1605 / 0.100), "{slower}");
    assert_eq!(rows["relu1_2 forward"]["verdict"], "within noise");
    assert_eq!([&rows["evaluation"]["verdict"], &rows["forward"]["verdict"]], ["slower", "slower"]);

    assert_eq!(compared("slower.json a.json")["relu1_1 forward"]["verdict"], "faster");
    assert!(compared("a.json noise.json").values().all(|row| row["verdict"] == "within noise"));

    let table = folder.run("profile --compare a.json slower.json").answer();
    assert!(
        table.contains("relu1_1 forward") && table.contains("1.500") && table.contains("1.402–1.605"),
        "{table}"
    );
    assert!(table.contains("3 of 7 differ beyond the noise"), "{table}");

    // Of a few rounds nobody knows the noise.
    folder.write("few.json", answer(&ROUNDS[..3]).to_string());
    let few = &compared("a.json few.json")["relu1_1 forward"];
    assert_eq!((&few["verdict"], &few["low"]), (&"too few rounds".into(), &Value::Null));
}

#[test]
fn other_work_is_compared_only_when_told() {
    let folder = Folder::new();
    folder.write("a.json", answer(&ROUNDS).to_string());
    for (key, value, word) in [
        ("network", json!("vgg16"), "network is vgg16"),
        ("width", json!(128), "width is 128"),
        ("height", json!(128), "height is 128"),
        ("threads", json!(4), "number of threads is 4"),
        ("isa", json!("portable"), "instruction set is portable"),
        ("statistic", json!("wasserstein"), "statistic is wasserstein"),
        ("pooling", json!("average"), "pooling is average"),
    ] {
        let mut other = answer(&ROUNDS);
        other[key] = value;
        folder.write("b.json", other.to_string());
        let ran = folder.run("profile --compare a.json b.json");
        assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "{key}");
        assert!(ran.stderr.contains(word) && ran.stderr.contains("--anyway"), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1);
        assert!(folder.run("profile --compare a.json b.json --anyway").answer().contains("within noise"));
    }
}

#[test]
fn what_is_no_answer_is_refused_in_a_line() {
    let folder = Folder::new();
    folder.write("a.json", answer(&ROUNDS).to_string());
    let with = |key: &str, value: Value| {
        let mut other = answer(&ROUNDS);
        other[key] = value;
        other.to_string()
    };
    for (text, word) in [
        ("{", "no JSON"),
        ("[1, 2]", "no network"),
        ("null", "no network"),
        (&with("layers", json!(7)), "no layers"),
        (&with("layers", json!([{ "name": "x" }])), "x forward"),
        (&with("layers", json!([{}])), "no name"),
        (&with("evaluation_seconds", json!({ "min": 1, "median": 1 })), "earlier versions"),
        (&with("evaluation_seconds", json!({ "rounds": [0.1, 0.0, -1] })), "earlier versions"),
        (&with("evaluation_seconds", json!({ "rounds": [] })), "earlier versions"),
    ] {
        folder.write("b.json", text);
        for files in ["a.json b.json", "b.json a.json"] {
            let ran = folder.run(&format!("profile --compare {files}"));
            assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "{text}: {}", ran.stderr);
            assert!(ran.stderr.contains("b.json") && ran.stderr.contains(word), "{text}: {}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        }
    }
    assert!(folder.run("profile --compare a.json missing.json").stderr.contains("missing.json"));
    // It measures nothing.
    for arguments in [
        "--compare a.json",
        "--compare a.json a.json --size 64",
        "--anyway",
        "--compare a.json a.json --trace t.json",
    ] {
        assert_eq!(folder.run(&format!("profile {arguments}")).code, Some(2), "{arguments}");
    }
}

#[test]
fn real_answers_compare() {
    let folder = Folder::new();
    folder.write("a.json", folder.run("profile --size 32 --rounds 6 --json").answer());
    let same = folder.run("profile --compare a.json a.json --json").json();
    let rows = same["compared"].as_array().unwrap();
    // The evaluation, two passes, and two of each of 17 layers.
    assert_eq!(rows.len(), 3 + 2 * 17);
    assert!(rows.iter().all(|row| row["ratio"] == 1.0 && row["verdict"] == "within noise"), "{same}");
    // im2col in place of Winograd's filtering is the same work.
    folder.write("b.json", folder.run("profile --size 32 --rounds 6 --convolution im2col --json").answer());
    assert!(folder.run("profile --compare a.json b.json").answer().contains("relu5_1 backward"));
}
