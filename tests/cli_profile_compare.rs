//! `impasto profile --compare`: two of its answers.

#[path = "common/command.rs"]
mod command;

use std::collections::BTreeMap;

use command::Folder;
use serde_json::{Value, json};

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
    // Another network of the same architecture is not.
    let weights = command::reference_folder().join("tiny_vgg19.safetensors");
    folder.write("other.safetensors", std::fs::read(weights).unwrap());
    folder.write(
        "c.json",
        folder.run("profile --size 32 --rounds 6 --weights other.safetensors --json").answer(),
    );
    folder
        .run("profile --compare a.json c.json")
        .failed_with(&["its network is other (vgg19)", "a.json is tiny_vgg19 (vgg19)"]);
}
