//! README's table of ways in: each shortest example is what it says. Those of Python, MPI and Ray are run by
//! bindings/python/tests and tests/cli_mpi.rs.

#[path = "common/command.rs"]
mod command;

use std::fs;

use command::{Folder, Ran, demo};

const README: &str = include_str!("../README.md");

/// The ways in, each with its shortest example.
fn examples() -> Vec<(&'static str, &'static str)> {
    let table = README.split_once("\n## Ways in\n").unwrap().1.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        let example = cells[1].strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
        (cells[0].trim_start_matches("| "), example.unwrap_or_else(|| panic!("no code: {row}")))
    })
    .collect()
}

fn example(way: &str) -> &'static str {
    examples().into_iter().find(|(name, _)| *name == way).unwrap_or_else(|| panic!("no {way}")).1
}

/// The blocks of README in this language, without spaces.
fn code(language: &str) -> String {
    let fence = format!("\n```{language}");
    let blocks = README.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.collect::<String>().split_whitespace().collect()
}

/// A folder with what the examples name, small.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.picture("photo.jpg", 40, 30);
    folder.picture("painting.jpg", 32, 36);
    fs::create_dir(folder.path("photographs")).unwrap();
    folder.picture("photographs/a.jpg", 40, 30);
    folder.picture("photographs/b.png", 30, 40);
    folder
}

/// Runs an example as it stands, but for fewer steps and a smaller picture.
fn run(folder: &Folder, example: &str) -> Ran {
    let arguments = example.strip_prefix("impasto ").unwrap_or_else(|| panic!("{example}"));
    folder.run(&format!("{arguments} --size 32 --steps 2"))
}

#[test]
fn all_ways_are_there() {
    let ways: Vec<_> = examples().into_iter().map(|(way, _)| way).collect();
    let expected =
        ["command", "folder", "Rust", "Python", "C", "cluster, one large picture", "cluster, many pictures"];
    assert_eq!(ways, expected);
}

#[test]
fn the_command() {
    let folder = folder();
    run(&folder, example("command")).notes();
    assert_eq!(folder.decode("out.png").width(), 32);
}

#[test]
fn a_folder() {
    let folder = folder();
    let notes = run(&folder, example("folder")).notes();
    assert!(notes.contains("2 made, 0 made already, 0 failed"), "{notes}");
    assert_eq!((folder.decode("painted/a.png").width(), folder.decode("painted/b.png").height()), (32, 32));
}

/// The calls are those of the section's program, which is compiled: as a test of the documentation, and by scripts/check_c.sh.
#[test]
fn rust_and_c() {
    let program = code("rust,no_run");
    let calls = example("Rust").replace("photo)", "Picture::from_bytes(photograph)?)");
    let calls = calls.replace("painting)", "Picture::from_bytes(painting)?)");
    let (calls, rest) = calls.split_once('…').unwrap();
    assert_eq!(rest, ")");
    let calls: String = calls.replace("&Weights::embedded()", "&weights").split_whitespace().collect();
    assert!(
        program.contains(&calls) && program.contains("weights=Weights::embedded();"),
        "{calls}: {program}"
    );
    let call: String = example("C").split_whitespace().collect();
    assert!(code("c\n").contains(&call), "{call}");
}

/// The demonstration picture's.
#[test]
fn the_two_commands_first() {
    let command = "cargo run --release -- stylize demo/content.png demo/style.jpg -o out.png";
    assert!(README.contains(&format!("\n```sh\n{command}\n```\n")));
    let folder = Folder::new();
    let arguments = command.split_once(" -- ").unwrap().1;
    let arguments = arguments
        .replace("demo/content.png", &demo("content.png"))
        .replace("demo/style.jpg", &demo("style.jpg"));
    folder.run(&format!("{arguments} --size 32 --steps 2")).notes();
    assert_eq!(folder.decode("out.png").width(), 32);
}
