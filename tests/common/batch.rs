//! Photographs to be painted by `impasto batch`, and what it made of them.

// Not all of it is used by each of the tests.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use crate::command::{Folder, Ran};

/// Work of a moment for each photograph.
pub const QUICK: &str = "--style style.png --size 32 --steps 2";

/// The same with steps to be said.
pub const STEPS: &str = "--style style.png --size 32 --steps";

/// A folder with a style, and photographs in `photos`.
pub fn with_photographs(names: &[&str]) -> Folder {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("photos")).unwrap();
    for (index, name) in names.iter().enumerate() {
        folder.picture(&format!("photos/{name}"), 40 - 4 * index as u32, 30);
    }
    folder
}

/// Names of all that is in a folder and those below it, sorted.
pub fn names_in(folder: &Folder, name: &str) -> Vec<String> {
    fn add(folder: &Path, below: &str, names: &mut Vec<String>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.map(Result::unwrap) {
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => add(&entry.path(), &format!("{name}/"), names),
                false => names.push(name),
            }
        }
    }
    let mut names = Vec::new();
    add(&folder.path(name), "", &mut names);
    names.sort();
    names
}

/// The command with arguments that may have spaces.
pub fn run(folder: &Folder, arguments: &[&str], others: &str) -> Ran {
    let mut command = folder.command("batch");
    command.args(arguments).args(others.split_whitespace());
    Ran::to_its_end(command)
}

/// What a command said that could not do all.
#[track_caller]
pub fn failed(ran: Ran, words: &[&str]) -> String {
    assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "stderr: {}", ran.stderr);
    assert!(words.iter().all(|word| ran.stderr.contains(word)), "not all of {words:?} in: {}", ran.stderr);
    ran.stderr
}
