//! Processes that MPI starts together, and that share a picture: scripts/check_mpi.sh installs what this needs.
#![cfg(feature = "mpi")]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

use command::{Folder, Ran, finish, signal, start, wait_until};

/// The command on so many processes, which may be more than there are cores. In a container all is done by root.
fn on(folder: &Folder, processes: usize, arguments: &str) -> Command {
    let setup = format!(r#"exec mpirun --oversubscribe -n {processes} "$@""#);
    let mut command = folder.by_shell(&setup, arguments);
    command.envs(["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"].map(|name| (name, "1")));
    command
}

/// A folder with pictures of which four processes have a band each.
fn pictures() -> Folder {
    let folder = Folder::new();
    folder.picture("content.png", 64, 80);
    folder.picture("style.png", 70, 70);
    folder.picture("mask.png", 64, 80);
    folder
}

/// The loss at each step.
fn losses(folder: &Folder, name: &str) -> Vec<f64> {
    let text = String::from_utf8(folder.read(name)).unwrap();
    let loss =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].as_f64().unwrap();
    text.lines().map(loss).collect()
}

#[test]
fn processes_make_the_picture_of_one() {
    let folder = pictures();
    let work = "stylize content.png style.png --size 80 --steps 6 --scales 2 --mask mask.png --save-every 3";
    folder.run(&format!("{work} -o one.png --metrics one.jsonl")).notes();
    let of_one = losses(&folder, "one.jsonl");
    for processes in 1..=4 {
        for name in ["first", "again"] {
            let work = format!("{work} -o {name}.png --metrics {name}.jsonl");
            let notes = Ran::to_its_end(on(&folder, processes, &work)).notes();
            assert_eq!(notes.lines().count(), 1, "{processes} processes: {notes}");
        }
        for name in ["", "-0003", "-0006"] {
            let [first, again] = ["first", "again"].map(|run| folder.read(&format!("{run}{name}.png")));
            assert!(first == again, "{processes} processes: not the same bytes each time");
        }
        let of_several = losses(&folder, "first.jsonl");
        assert_eq!(of_several.len(), of_one.len());
        let off = (of_several[0] - of_one[0]).abs() / of_one[0];
        assert!(off < 1e-5, "{processes} processes: loss {} for {}", of_several[0], of_one[0]);
        let [a, b] = ["first.png", "one.png"].map(|name| folder.decode(name).to_rgb8().into_raw());
        let off: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        assert!(off / (a.len() as f64) < 2.0, "{processes} processes: {} levels", off / a.len() as f64);
    }
}

/// As it stands, but for fewer steps and a smaller picture.
#[test]
fn the_example_of_readme() {
    let folder = pictures();
    folder.picture("photo.jpg", 64, 80);
    folder.picture("painting.jpg", 70, 70);
    let readme = include_str!("../README.md");
    let example = readme.lines().find(|line| line.starts_with("| cluster, one large picture | `")).unwrap();
    let (mpirun, arguments) = example.split('`').nth(1).unwrap().split_once(" impasto ").unwrap();
    let arguments = arguments.replace("--size 8000", "--size 80 --steps 2 --scales 1");
    let mut command = folder.by_shell(&format!(r#"exec {mpirun} --oversubscribe "$@""#), &arguments);
    command.envs(["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"].map(|name| (name, "1")));
    Ran::to_its_end(command).notes();
    let made: Vec<_> = folder.names().into_iter().filter(|name| name.ends_with(".png")).collect();
    assert_eq!(made.len(), 4, "{made:?}");
}

#[test]
fn a_process_that_fails_ends_all_in_a_line() {
    let folder = pictures();
    for (arguments, words) in [
        ("stylize missing.png style.png -o out.png", ["missing.png", "cannot read"]),
        ("stylize content.png style.png -o missing/out.png", ["missing", "cannot write"]),
        ("stylize content.png style.png --dry-run", ["--dry-run", "mpirun"]),
        ("stylize content.png style.png --sizes 3", ["--size", "unexpected argument"]),
    ] {
        let Ran { code, stderr, .. } = Ran::to_its_end(on(&folder, 3, arguments));
        assert!(code.is_some_and(|code| code == 1 || code == 2), "{arguments}: {code:?}, {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{arguments}: no {word:?} in: {stderr}");
        }
        assert_eq!(stderr.matches(words[1]).count(), 1, "{arguments}: said by several: {stderr}");
    }
    assert_eq!(folder.names(), ["content.png", "mask.png", "style.png"]);
}

#[test]
fn what_is_not_shared_is_done_once() {
    let folder = pictures();
    let ran =
        Ran::to_its_end(on(&folder, 3, "loss content.png --content content.png --style style.png --json"));
    assert_eq!(ran.answer().lines().count(), 1);
}

/// Processes that a process started.
fn children(of: &process::Child) -> Vec<String> {
    let path = format!("/proc/{id}/task/{id}/children", id = of.id());
    let children = fs::read_to_string(path).unwrap_or_default();
    children.split_whitespace().map(str::to_owned).collect()
}

const LONG: &str = "stylize content.png style.png --size 1024 --scales 1 --steps 100000 --optimizer adam \
                    --metrics metrics.jsonl --checkpoint job.checkpoint --checkpoint-every 0s -o out.png";

#[test]
fn a_process_that_dies_ends_all_and_the_checkpoint_is_whole() {
    let folder = pictures();
    let child = start(on(&folder, 3, LONG));
    folder.wait_for_steps(5);
    wait_until("checkpoint", || folder.path("job.checkpoint").exists());
    let last = children(&child).pop().expect("mpirun started processes");
    assert!(Command::new("kill").args(["-9", &last]).status().unwrap().success());
    let Ran { code, stderr, .. } = finish(child);
    assert!(code != Some(0) && stderr.contains("signal 9"), "{code:?}: {stderr}");
    assert!(!Path::new(&folder.path("out.png")).exists());

    // It goes on, on another number of processes.
    let child = start(on(&folder, 2, "resume job.checkpoint --max-time 6s"));
    let Ran { code, stderr, .. } = finish(child);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("resumed from job.checkpoint"), "{stderr}");
    assert_eq!(folder.decode("out.png").height(), 1024);
}

#[test]
fn a_signal_to_all_writes_the_best_picture_so_far() {
    for name in ["INT", "TERM"] {
        let folder = pictures();
        // So long after the signal OpenMPI passes it on, and so long after that it kills: by itself after a second.
        let mut command = on(&folder, 2, LONG);
        command.env("OMPI_MCA_odls_base_sigkill_timeout", "5");
        let child = start(command);
        folder.wait_for_steps(3);
        // The launcher needs a moment for its own handlers.
        thread::sleep(Duration::from_millis(200));
        signal(&child, name);
        let Ran { stderr, .. } = finish(child);
        assert!(stderr.contains("wrote the best picture so far, out.png"), "SIG{name}: {stderr}");
        assert_eq!(folder.decode("out.png").height(), 1024);
        assert!(folder.path("job.checkpoint").exists());
    }
}
