//! The programs in examples/ do what they say.

#[path = "common/command.rs"]
mod command;

use std::path::Path;
use std::process;

use command::{Folder, Ran, demo};

/// Runs an example in the folder. `cargo test` builds all of them before it runs any test, beside the command.
fn run(folder: &Folder, example: &str, arguments: &[&str]) -> Ran {
    let command = Path::new(env!("CARGO_BIN_EXE_impasto"));
    let program = command.with_file_name("examples").join(example);
    assert!(program.exists(), "{} is missing: `cargo build --examples` makes it", program.display());
    let mut command = process::Command::new(program);
    command.args(arguments).current_dir(folder.path(""));
    Ran::to_its_end(command)
}

/// Asserts that a picture was written that is not the content.
#[track_caller]
fn assert_painted(folder: &Folder, name: &str) {
    let painted = folder.decode(name).to_rgb8();
    let content = image::open(demo("content.png")).unwrap();
    let content =
        content.resize_exact(painted.width(), painted.height(), image::imageops::Triangle).to_rgb8();
    let difference: u64 = painted.iter().zip(content.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(difference > 3 * painted.len() as u64, "{name} is hardly painted: {difference}");
}

#[test]
fn bytes_to_bytes() {
    let folder = Folder::new();
    let ran = run(&folder, "bytes_to_bytes", &[&demo("content.png"), &demo("style.jpg"), "out.png"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().filter(|line| line.contains("loss")).count(), 20, "{}", ran.stderr);
    assert_painted(&folder, "out.png");
}

#[test]
fn one_style_many_photographs() {
    let folder = Folder::new();
    std::fs::copy(demo("content.png"), folder.path("first.png")).unwrap();
    std::fs::copy(demo("style.jpg"), folder.path("second.jpg")).unwrap();
    std::fs::create_dir(folder.path("made")).unwrap();
    let arguments = [&demo("style.jpg")[..], "made", "first.png", "second.jpg"];
    let answer = run(&folder, "one_style_many_photographs", &arguments).answer();
    assert_eq!(answer.lines().count(), 2, "{answer}");
    assert_painted(&folder, "made/first.png");
    assert_painted(&folder, "made/second.png");
}

#[test]
fn progress_and_cancel() {
    let folder = Folder::new();
    let arguments = [&demo("content.png")[..], &demo("style.jpg"), "out.png"];
    let answer = run(&folder, "progress_and_cancel", &arguments).answer();
    assert!(answer.contains("step 10: loss") && answer.contains("cancelled after"), "{answer}");
    assert_painted(&folder, "out.png");
}

#[test]
fn own_optimizer() {
    let folder = Folder::new();
    let arguments = [&demo("content.png")[..], &demo("style.jpg"), "out.png"];
    let answer = run(&folder, "own_optimizer", &arguments).answer();
    let losses: Vec<f64> =
        answer.lines().map(|line| line.trim_start_matches("loss ").parse().unwrap()).collect();
    assert!(losses.len() > 5 && losses.is_sorted_by(|a, b| a > b), "{answer}");
    assert_painted(&folder, "out.png");
}
