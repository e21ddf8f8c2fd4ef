//! What is said and where: help, quiet and verbose, Ctrl-C, readers that go away, disks that are full.

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use command::{Folder, Ran};

#[test]
fn help_is_there_for_every_command() {
    let folder = Folder::new();
    let version = folder.run("--version").answer();
    assert_eq!(version, format!("impasto {}\n", env!("CARGO_PKG_VERSION")));
    // Without arguments it is help as well, and bad usage.
    let help = folder.run("--help").answer();
    assert_eq!(folder.run("").stderr, help);
    for command in ["stylize", "texture", "reconstruct", "features", "loss", "classify", "profile"] {
        assert!(help.contains(command), "{help}");
        let help = folder.run(&format!("{command} --help")).answer();
        assert!(help.contains("Usage: impasto ") && help.contains("Example"), "{help}");
    }
    let help = folder.run("stylize --help").answer();
    for default in ["[default: 512]", "[default: relu4_2]", "[default: relative]", "[default: lbfgs]"] {
        assert!(help.contains(default), "no {default} in {help}");
    }
}

#[test]
fn quiet_says_nothing_and_verbose_says_all() {
    let folder = Folder::with_pictures();
    let command = "stylize content.png style.png --size 200 --scales 2 --steps 4 -o out.png";
    assert_eq!(folder.run(&format!("{command} --quiet")).notes(), "");
    let notes = folder.run(&format!("{command} --verbose --threads 2 --isa portable")).notes();
    for word in [
        "computing with portable, 2 threads",
        "tiny_vgg19.safetensors, vgg19 with caffe preprocessing",
        "content.png, 40×30",
        "141 px × ",
        "200 px × ",
        "memory foreseen",
        "wrote out.png: 200×150, 4 steps",
        "peak memory",
    ] {
        assert!(notes.contains(word), "no {word:?} in {notes}");
    }
}

#[test]
fn memory_is_foreseen_to_a_tenth() {
    assert_memory_is_foreseen("slim", [256, 400]);
}

#[test]
#[ignore = "needs the real VGG-19: IMPASTO_VGG19=vgg19.safetensors"]
fn memory_of_vgg19_is_foreseen_to_a_tenth() {
    assert_memory_is_foreseen(&std::env::var("IMPASTO_VGG19").expect("IMPASTO_VGG19 is set"), [256, 512]);
}

/// Where the peak is known, that is on Linux.
fn assert_memory_is_foreseen(weights: &str, sizes: [u32; 2]) {
    let folder = Folder::new();
    for size in if cfg!(target_os = "linux") { &sizes[..] } else { &[] } {
        folder.picture("content.png", *size, *size);
        folder.picture("style.png", *size, *size);
        let command = format!("stylize content.png style.png --weights {weights} --size {size} --scales 1");
        let notes = folder.run(&format!("{command} --steps 24 --threads 2 -o out.png -v")).notes();
        let [foreseen, peak] = ["memory foreseen: ", "peak memory "].map(|label| megabytes(&notes, label));
        assert!((foreseen / peak - 1.0).abs() < 0.1, "{foreseen} MB foreseen, {peak} MB taken at {size}²");
    }
}

/// The megabytes behind `label`.
fn megabytes(notes: &str, label: &str) -> f64 {
    let (_, after) = notes.split_once(label).unwrap_or_else(|| panic!("no {label:?} in {notes}"));
    let words: Vec<&str> = after.split_whitespace().take(2).collect();
    let scale = if words[1].starts_with("GB") { 1000.0 } else { 1.0 };
    words[0].parse::<f64>().unwrap() * scale
}

#[test]
fn no_escape_codes_go_into_a_pipe() {
    let folder = Folder::with_pictures();
    for options in ["", "-v"] {
        let command = format!("stylize content.png style.png --size 64 --steps 30 -o out.png {options}");
        let notes = folder.run(&command).notes();
        assert!(!notes.contains(['\x1b', '\r']), "{notes:?}");
    }
}

/// Work that goes on for minutes, and whose steps are seen in `metrics.jsonl`.
#[cfg(unix)]
const LONG: &str = "stylize content.png style.png --steps 1000000 --optimizer adam --scales 1 -o out.png \
                    --metrics metrics.jsonl";

#[cfg(unix)]
#[test]
fn ctrl_c_writes_the_best_picture_so_far() {
    let folder = Folder::with_pictures();
    let child = start(&folder, &format!("{LONG} --size 256"));
    wait_for_steps(&folder, 2);
    interrupt(&child);
    let ran = finish(child);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert!(ran.stderr.contains("interrupted") && ran.stderr.contains("out.png: 256×192"), "{}", ran.stderr);
    assert_eq!(folder.decode("out.png").width(), 256);
}

#[cfg(unix)]
#[test]
fn ctrl_c_at_a_small_scale_writes_the_size_asked_for() {
    let folder = Folder::with_pictures();
    let child = start(&folder, &format!("{LONG} --size 800 -q").replace("--scales 1", "--scales 3"));
    wait_for_steps(&folder, 1);
    interrupt(&child);
    let ran = finish(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(130), ""));
    assert_eq!(folder.decode("out.png").width(), 800);
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let folder = Folder::with_pictures();
    // A step takes a good part of a second: the second signal comes well before its end.
    let child = start(&folder, &format!("{LONG} --size 1200 --threads 1"));
    wait_for_steps(&folder, 1);
    interrupt(&child);
    thread::sleep(Duration::from_millis(20));
    interrupt(&child);
    let ran = finish(child);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(130), ""));
    assert_eq!(folder.names(), ["content.png", "metrics.jsonl", "style.png"]);
}

#[test]
fn a_reader_that_is_gone_is_an_error() {
    let folder = Folder::with_pictures();
    for arguments in [
        "stylize content.png style.png --size 64 --steps 2 -q -o -",
        "loss content.png --style style.png --json",
        "profile --size 32 --rounds 1",
        "classify content.png --weights tiny_c",
        "weights list",
        "weights info tiny_c",
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let child = folder.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        finish(child).failed_with(&["cannot write -"]);
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_keeps_the_old_picture() {
    let folder = Folder::with_pictures();
    folder.write("out.png", "old");
    // No file can grow beyond a few kilobytes; without the trap the system would end the process.
    let limited = |arguments: &str| {
        let impasto = folder.command(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$@""#, "sh"]);
        command.arg(impasto.get_program()).args(impasto.get_args());
        command.current_dir(folder.path("."));
        for (name, value) in impasto.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ran::to_its_end(command)
    };
    limited("stylize content.png style.png --size 256 --steps 2 -q -o out.png").failed_with(&["out.png"]);
    assert_eq!(folder.read("out.png"), b"old");
    limited("features content.png --layer relu1_1 -o f.safetensors").failed_with(&["f.safetensors"]);
    limited("loss content.png --style style.png --gradient g.safetensors").failed_with(&["g.safetensors"]);
    assert_eq!(folder.names(), ["content.png", "out.png", "style.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn metrics_that_cannot_be_written_do_not_lose_the_picture() {
    let folder = Folder::with_pictures();
    let ran =
        folder.run("stylize content.png style.png --size 32 --steps 3 -q -o out.png --metrics /dev/full");
    ran.failed_with(&["/dev/full", "No space left"]);
    assert_eq!(folder.decode("out.png").width(), 32);

    let blocked = "stylize content.png style.png --size 32 --steps 3 -q -o new.png --save-every 2";
    fs::create_dir(folder.path("new-0002.png")).unwrap();
    folder.run(blocked).failed_with(&["new-0002.png", "it is a folder"]);
    assert_eq!(folder.decode("new.png").width(), 32);
}

#[cfg(unix)]
fn start(folder: &Folder, arguments: &str) -> Child {
    folder.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the command did this many steps.
#[cfg(unix)]
fn wait_for_steps(folder: &Folder, steps: usize) {
    let start = Instant::now();
    let done =
        || fs::read_to_string(folder.path("metrics.jsonl")).is_ok_and(|text| text.lines().count() >= steps);
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "no step in a minute");
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// What a command said until its end, which must come soon.
fn finish(mut child: Child) -> Ran {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("the command does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
