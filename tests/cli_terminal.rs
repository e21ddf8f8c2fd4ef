//! What is said and where: help, quiet and verbose, names of files, readers that go away, disks that are full.

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io;
use std::process::Stdio;

#[cfg(unix)]
use command::Ran;
use command::{Folder, finish};

#[test]
fn help_is_there_for_every_command() {
    let folder = Folder::new();
    let version = folder.run("--version").answer();
    assert_eq!(version, format!("impasto {}\n", env!("CARGO_PKG_VERSION")));
    // Without arguments it is help as well, and bad usage.
    let help = folder.run("--help").answer();
    assert_eq!(folder.run("").stderr, help);
    let unwrapped = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["130 after Ctrl-C", "143 after SIGTERM", "129 after SIGHUP", "nohup"] {
        assert!(unwrapped.contains(words), "no {words} in {help}");
    }
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

/// Names of files and labels may have in them what a terminal obeys.
#[cfg(unix)]
#[test]
fn names_have_no_control_characters_where_they_are_said() {
    let folder = Folder::with_pictures();
    let (evil, shown) = ("a\x1b[31mb\x07\u{9b}5n.png", "a?[31mb??5n.png");
    fs::copy(folder.path("content.png"), folder.path(evil)).unwrap();
    folder.write("labels.txt", "one\x1b]0;title\x07\n".repeat(10));
    for arguments in [
        format!("stylize {evil} style.png --size 32 --steps 1 -v -o out-{evil}"),
        format!("texture {evil} --size 32 --steps 1 --save-every 1 -o no/{evil}"),
        format!("features {evil} -v --layer relu1_1 -o {evil}.safetensors"),
        format!("loss {evil} -v --style {evil}"),
        format!("weights info {evil}"),
        format!("profile --rounds {evil}"),
    ] {
        let Ran { stdout, stderr, .. } = folder.run(&arguments);
        let said = String::from_utf8(stdout).unwrap() + &stderr;
        let is_evil = |c: char| c.is_control() && c != '\n';
        assert!(!said.contains(is_evil), "{arguments:?}: {said:?}");
        assert!(said.contains(shown), "{arguments:?}: {said}");
    }
    let answer = folder.run("classify content.png --weights tiny_tv11 --labels labels.txt").answer();
    assert!(answer.contains("one?]0;title?") && !answer.contains('\x1b'), "{answer:?}");
    // JSON has escapes of its own.
    let json = folder.run("classify content.png --weights tiny_tv11 --labels labels.txt --json").json();
    assert_eq!(json["classes"][0]["name"], "one\x1b]0;title\x07");
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

/// A bar takes one line, and is gone before anything else is said.
#[cfg(target_os = "linux")]
#[test]
fn a_bar_leaves_nothing_on_a_terminal() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("photos")).unwrap();
    let long = "a-photograph-with-a-name-that-is-longer-than-the-line-has-room-for.png";
    for name in ["a.png", "写真写真写真写真写真写真.png", long] {
        folder.picture(&format!("photos/{name}"), 40, 30);
    }
    for (arguments, words) in [
        ("stylize content.png style.png --size 64 --steps 30 -o out.png", "wrote out.png: 64×48"),
        ("batch photos --style style.png --size 64 --steps 30 -o one", "3 made, 0 made already"),
        ("batch photos --style style.png --size 64 --steps 30 -o two --jobs 2", "3 made, 0 made already"),
    ] {
        // A terminal by a program of util-linux.
        let setup = r#"impasto=$1; shift; export impasto
                       SHELL=/bin/sh exec script -qec "stty cols 60 rows 24; \"\$impasto\" $*" /dev/null"#;
        let said = Ran::to_its_end(folder.by_shell(setup, arguments));
        if said.code == Some(127) {
            eprintln!("passed over: there is no `script`");
            return;
        }
        let said = said.answer();
        // Lines as they were seen, and what was over them before.
        let lines: Vec<&str> =
            said.split(['\r', '\n']).map(|line| line.trim_start_matches("\x1b[2K")).collect();
        assert!(lines.iter().any(|line| line.starts_with(words)), "{said:?}");
        let bars: Vec<_> = lines.iter().filter(|line| line.contains("% ")).collect();
        assert!(!bars.is_empty(), "{said:?}");
        for bar in bars {
            assert!(console::measure_text_width(bar) <= 60 - 4, "{bar:?}");
            assert!(!bar.starts_with(' ') && !bar.contains(", ,") && !bar.contains("made"), "{bar:?}");
        }
    }
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
        finish(child).failed_with(&["cannot write standard output"]);
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_and_keeps_the_old_picture() {
    let folder = Folder::with_pictures();
    folder.write("out.png", "old");
    // No file can grow beyond a few kilobytes; without the trap the system would end the process.
    let limited = |arguments: &str| {
        Ran::to_its_end(folder.by_shell(r#"trap "" XFSZ; ulimit -f 16; exec "$@""#, arguments))
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
