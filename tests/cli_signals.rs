//! Ctrl-C, SIGTERM and SIGHUP: the best picture so far is written, and no temporary file is left.
#![cfg(unix)]

#[path = "common/command.rs"]
mod command;

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use command::{Folder, Ran, Running, finish, signal, wait_until};

/// Work that goes on for minutes, and whose steps are seen in `metrics.jsonl`.
const LONG: &str = "stylize content.png style.png --steps 1000000 --optimizer adam --metrics metrics.jsonl";

/// How long after the first signal others change nothing.
const SAME_REQUEST: Duration = Duration::from_secs(2);

#[test]
fn every_signal_writes_the_best_picture_so_far() {
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let folder = Folder::with_pictures();
        let child = start(folder.command(&format!("{LONG} --scales 1 --size 256 -o out.png")));
        folder.wait_for_steps(2);
        signal(&child, name);
        let Ran { code: found, stderr, .. } = finish(child);
        assert_eq!(found, Some(code), "SIG{name}: {stderr}");
        assert!(stderr.contains("interrupted") && stderr.contains("out.png: 256×192"), "SIG{name}: {stderr}");
        assert_eq!(folder.decode("out.png").width(), 256);
        assert_eq!(folder.names(), ["content.png", "metrics.jsonl", "out.png", "style.png"]);
    }
}

#[test]
fn a_signal_at_a_small_scale_writes_the_size_asked_for() {
    let folder = Folder::with_pictures();
    let child = start(folder.command(&format!("{LONG} --scales 3 --size 800 -q -o out.png")));
    folder.wait_for_steps(1);
    signal(&child, "TERM");
    let ran = finish(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(143), ""));
    assert_eq!(folder.decode("out.png").width(), 800);
}

#[test]
fn with_nohup_the_work_goes_on() {
    let folder = Folder::with_pictures();
    let command = format!("{LONG} --scales 1 --size 64 -o out.png");
    let child = start(folder.by_shell(r#"trap "" HUP; exec "$@""#, &command));
    folder.wait_for_steps(1);
    signal(&child, "HUP");
    let steps = String::from_utf8(folder.read("metrics.jsonl")).unwrap().lines().count();
    folder.wait_for_steps(steps + 10);
    signal(&child, "TERM");
    assert_eq!(finish(child).code, Some(143));
}

#[test]
fn a_second_signal_that_follows_soon_does_not_lose_the_picture() {
    let folder = Folder::with_pictures();
    // A step takes a good part of a second: the second signal comes well before its end.
    let child = start(folder.command(&format!("{LONG} --scales 1 --size 1200 --threads 1 -o out.png")));
    folder.wait_for_steps(1);
    signal(&child, "INT");
    thread::sleep(Duration::from_millis(20));
    signal(&child, "HUP");
    let Ran { code, stderr, .. } = finish(child);
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("ending, the picture is being written"), "{stderr}");
    assert_eq!(folder.decode("out.png").width(), 1200);
}

#[test]
fn a_signal_after_that_ends_it_at_once() {
    let folder = Folder::with_pictures();
    // Nobody reads the picture, which is larger than a pipe's buffer: writing it never ends.
    let mut child = start(folder.command(&format!("{LONG} --scales 1 --size 400 -q -o -")));
    folder.wait_for_steps(1);
    signal(&child, "INT");
    thread::sleep(SAME_REQUEST + Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it ended without its reader");
    let again = Instant::now();
    signal(&child, "TERM");
    assert_eq!(ended(child).code(), Some(143));
    assert!(again.elapsed() < Duration::from_secs(1), "it took {:?}", again.elapsed());
    assert_eq!(folder.names(), ["content.png", "metrics.jsonl", "style.png"]);
}

#[test]
fn without_a_picture_a_signal_ends_the_process_as_is_usual() {
    let folder = Folder::with_pictures();
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let child = start(folder.command("profile --size 64 --rounds 60000"));
        // Long enough to have started; if not, the signal does the same.
        thread::sleep(Duration::from_millis(200));
        signal(&child, name);
        assert_eq!(ended(child).signal(), Some(number), "SIG{name}");
    }
}

#[test]
fn a_signal_leaves_no_temporary_file() {
    let folder = Folder::with_pictures();
    let is_temporary = |name: &String| name.starts_with(".impasto-");
    let mut signalled = 0;
    for _ in 0..8 {
        // Some 50 MB are written and synchronised.
        let mut child =
            start(folder.command("features content.png --size 1600 --layer relu1_1 -o f.safetensors"));
        let mut found = false;
        wait_until("temporary file or end", || {
            found = folder.names().iter().any(is_temporary);
            found || child.try_wait().unwrap().is_some()
        });
        if found {
            signal(&child, "TERM");
        }
        signalled += usize::from(ended(child).signal().is_some());
        assert!(!folder.names().iter().any(is_temporary), "{:?}", folder.names());
    }
    assert!(signalled > 0, "it was never in time");
}

/// Starts a command that ignores no signal, even where the tests themselves run with `nohup`.
fn start(mut command: Command) -> Running {
    // SAFETY: between fork and exec, `signal` is one of the calls that are allowed, and touches no memory.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        })
    };
    command::start(command)
}

/// How a command that is about to end does so.
fn ended(mut child: Running) -> ExitStatus {
    let mut status = None;
    wait_until("end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}
