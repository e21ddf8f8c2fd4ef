//! The jobs for Slurm in examples/, with Slurm's variables and a stand-in for srun.
#![cfg(unix)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process;

use command::{Folder, Ran};

/// A folder with four photographs in a list, and programs of Slurm's names in `bin`.
fn folder() -> Folder {
    let folder = Folder::with_pictures();
    let names = ["a.png", "b b.png", "c.png", "d.png"];
    names.iter().for_each(|name| folder.picture(name, 40, 30));
    folder.write("list.txt", names.join("\n"));
    fs::create_dir(folder.path("bin")).unwrap();
    // Says what it is given, and runs what comes behind the options.
    script(
        &folder,
        "bin/srun",
        r#"echo "srun $*" >&2; while [ "${1#--}" != "$1" ]; do shift; done; exec "$@""#,
    );
    folder
}

fn script(folder: &Folder, name: &str, body: &str) {
    folder.write(name, format!("#!/bin/sh\n{body}\n"));
    fs::set_permissions(folder.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a job of examples/ with these variables.
fn run(folder: &Folder, job: &str, arguments: &str, variables: &[(&str, &str)]) -> Ran {
    let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(job);
    // For its environment.
    let impasto = folder.command("");
    let mut command = process::Command::new(&job);
    command.args(arguments.split_whitespace()).current_dir(folder.path(""));
    for (name, value) in impasto.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.path("bin").display()));
    command.env("IMPASTO", impasto.get_program()).envs(variables.iter().copied());
    Ran::to_its_end(command)
}

fn task<'a>(id: &'a str, of: &'a str, first: &'a str, last: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("SLURM_ARRAY_TASK_ID", id),
        ("SLURM_ARRAY_TASK_COUNT", of),
        ("SLURM_ARRAY_TASK_MIN", first),
        ("SLURM_ARRAY_TASK_MAX", last),
        ("SLURM_CPUS_PER_TASK", "1"),
    ]
}

const ARRAY: &str = "list.txt style.png results --size 32 --steps 2";

#[test]
fn an_array_makes_each_picture_once_and_goes_on() {
    let folder = folder();
    let made = || fs::read_dir(folder.path("results")).map_or(0, Iterator::count);
    for (id, count) in [("5", 2), ("6", 4)] {
        let notes = run(&folder, "slurm_array.sh", ARRAY, &task(id, "2", "5", "6")).notes();
        assert_eq!((notes.matches("srun ").count(), made()), (2, count), "{notes}");
        assert!(notes.contains("--threads 1"), "{notes}");
    }
    assert_eq!(folder.decode("results/b b.png.png").width(), 32);
    assert_eq!(run(&folder, "slurm_array.sh", ARRAY, &task("5", "2", "5", "6")).notes(), "");

    // Ended by its time, a task is not done; the next one goes on from the checkpoint.
    fs::remove_file(folder.path("results/a.png.png")).unwrap();
    script(&folder, "bin/srun", r#""$@" --max-time 0s; exit 143"#);
    let ended = run(&folder, "slurm_array.sh", ARRAY, &task("5", "2", "5", "6"));
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    script(&folder, "bin/srun", r#"echo "srun $*" >&2; exec "$@""#);
    let notes = run(&folder, "slurm_array.sh", ARRAY, &task("5", "2", "5", "6")).notes();
    assert!(notes.contains("resume results/a.png.png.checkpoint"), "{notes}");
    assert_eq!(made(), 4);
}

#[test]
fn an_array_that_would_pass_photographs_over_is_refused() {
    let folder = folder();
    for (id, of, first, last) in [("1", "2", "1", "5"), ("0", "5", "0", "8")] {
        let ran = run(&folder, "slurm_array.sh", ARRAY, &task(id, of, first, last));
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("without gaps"), "{}", ran.stderr);
    }
    folder.write("list.txt", "one/a.png\ntwo/a.png\nb.png\n");
    let ran = run(&folder, "slurm_array.sh", ARRAY, &task("0", "1", "0", "0"));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("one result: a.png"), "{}", ran.stderr);
    // A photograph that fails doesn't stop the rest.
    folder.write("list.txt", "none.png\na.png\n");
    let ran = run(&folder, "slurm_array.sh", ARRAY, &task("0", "1", "0", "0"));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(folder.decode("results/a.png.png").width(), 32);
}

#[test]
fn one_large_picture_is_begun_and_resumed() {
    let folder = folder();
    // The work itself is tests/cli_mpi.rs's.
    script(&folder, "bin/stand-in", r#"echo "$*""#);
    let variables = [("IMPASTO", "stand-in"), ("SLURM_CPUS_PER_TASK", "3")];
    let job = || {
        let ran = run(&folder, "slurm_mpi.sh", "content.png style.png out.png", &variables);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("--cpus-per-task=3 stand-in"), "{}", ran.stderr);
        String::from_utf8(ran.stdout).unwrap()
    };
    let begun = job();
    assert!(begun.starts_with("stylize content.png style.png --size 16384"), "{begun}");
    assert!(begun.ends_with("-o out.png --checkpoint out.png.checkpoint --threads 3\n"), "{begun}");
    folder.write("out.png.checkpoint", "");
    assert_eq!(job(), "resume out.png.checkpoint --threads 3\n");
}
