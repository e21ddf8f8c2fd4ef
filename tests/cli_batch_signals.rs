//! `impasto batch` that is ended by a signal, and `--watch`.

#![cfg(unix)]

#[path = "common/batch.rs"]
mod batch;
#[path = "common/command.rs"]
mod command;

use std::fs;

use batch::{QUICK, names_in, with_photographs};
use command::{Ran, finish, signal, start, wait_until};

/// Work of a second or two for each photograph.
const LONG: &str = "--style style.png --size 128 --steps 200 --scales 2 --threads 1";

#[test]
fn after_ctrl_c_the_same_command_goes_on_to_the_same_bytes() {
    for (name, code, options) in [("INT", 130, ""), ("TERM", 143, "--jobs 2")] {
        let folder = with_photographs(&["a.png", "b.png", "c.png", "d.png"]);
        folder.run(&format!("batch photos {LONG} -o whole")).notes();
        let mut child = start(folder.command(&format!("batch photos {LONG} -o out {options}")));
        wait_until("result", || {
            !names_in(&folder, "out").iter().all(|name| name.starts_with('.'))
                || child.try_wait().unwrap().is_some()
        });
        std::thread::sleep(std::time::Duration::from_millis(150));
        signal(&child, name);
        let Ran { code: found, stderr, .. } = finish(child);
        assert_eq!(found, Some(code), "{stderr}");
        assert!(stderr.contains("the state of the work is kept") && stderr.contains(" left, "), "{stderr}");
        let names = names_in(&folder, "out");
        assert!(names.iter().any(|name| name.ends_with(".png.checkpoint")), "{names:?}: {stderr}");
        for name in names.iter().filter(|name| !name.ends_with(".checkpoint")) {
            assert!(folder.read(&format!("out/{name}")) == folder.read(&format!("whole/{name}")), "{name}");
        }
        assert!(names.iter().all(|name| !name.starts_with(".impasto-")), "{names:?}");

        let notes = folder.run(&format!("batch photos {LONG} -o out {options}")).notes();
        assert!(notes.contains("gone on from where it was ended"), "{notes}");
        assert_eq!(names_in(&folder, "out"), ["a.png", "b.png", "c.png", "d.png"]);
        for name in names_in(&folder, "out") {
            assert!(folder.read(&format!("out/{name}")) == folder.read(&format!("whole/{name}")), "{name}");
        }
    }
}

#[test]
fn a_checkpoint_of_other_settings_or_a_damaged_one_is_of_no_use() {
    let folder = with_photographs(&["a.png"]);
    fs::create_dir(folder.path("out")).unwrap();
    folder.write("out/.a.png.checkpoint", "damaged");
    folder.run(&format!("batch photos {QUICK} -o out")).notes();
    assert_eq!(names_in(&folder, "out"), ["a.png"]);

    let long = "--style style.png --size 128 --scales 1 --steps 100000";
    folder.run(&format!("batch photos {long} -o other --max-time 1s")).notes();
    assert_eq!(names_in(&folder, "other"), [".a.png.checkpoint"]);
    let notes = folder.run(&format!("batch photos {QUICK} -o other")).notes();
    assert!(!notes.contains("gone on") && notes.contains("1 made"), "{notes}");
    assert_eq!(names_in(&folder, "other"), ["a.png"]);
    assert!(folder.read("other/a.png") == folder.read("out/a.png"));
}

#[test]
fn new_photographs_are_taken_as_they_come() {
    let folder = with_photographs(&[]);
    let child = start(folder.command(&format!("batch photos {QUICK} -o out --watch --json")));
    let has = |name: &str| folder.path(name).exists();
    folder.picture("photos/a.png", 40, 30);
    wait_until("result", || has("out/a.png"));
    // One that comes in parts.
    folder.picture("b.png", 40, 30);
    let whole = folder.read("b.png");
    folder.write("photos/b.png", &whole[..whole.len() / 2]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    folder.write("photos/b.png", &whole);
    wait_until("result", || has("out/b.png"));
    folder.write("photos/0bad.png", "no picture");
    let first = folder.read("out/a.png");
    folder.picture("photos/a.png", 40, 20);
    wait_until("another result", || folder.read("out/a.png") != first);
    signal(&child, "INT");
    let Ran { code, stdout, stderr } = finish(child);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("3 made, 0 made already, 1 failed") && stderr.contains("0bad.png"), "{stderr}");
    assert_eq!(stdout.split(|byte| *byte == b'\n').count(), 6);
    assert_eq!(names_in(&folder, "out"), ["a.png", "b.png"]);
}

#[test]
fn a_watch_that_is_idle_ends_by_ctrl_c() {
    let folder = with_photographs(&["a.png"]);
    let child = start(folder.command(&format!("batch photos later/*.png {QUICK} -o out --watch")));
    wait_until("result", || folder.path("out/a.png").exists());
    std::thread::sleep(std::time::Duration::from_millis(200));
    signal(&child, "INT");
    let Ran { code, stderr, .. } = finish(child);
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("1 made") && stderr.contains("waiting: later/*.png"), "{stderr}");
}
