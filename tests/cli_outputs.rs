//! Where outputs go where that is not a plain new file: over an input, through links, into pipes, onto a full disk.

#[path = "common/command.rs"]
mod command;

use std::fs;
#[cfg(unix)]
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::symlink,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use command::{Folder, reference_folder};
#[cfg(unix)]
use command::{Ran, finish, start};

/// Asserts that it fails with these words and changes neither the folder nor the file `kept`.
#[track_caller]
fn refuses(folder: &Folder, arguments: &str, kept: &str, words: &[&str]) {
    let (names, old) = (folder.names(), folder.read(kept));
    folder.run(arguments).failed_with(words);
    assert_eq!(folder.names(), names, "{arguments}");
    assert!(folder.read(kept) == old, "{arguments} changed {kept}");
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let folder = Folder::with_pictures();
    folder.picture("out-0050.png", 32, 32);
    fs::create_dir(folder.path("folder")).unwrap();
    fs::copy(reference_folder().join("tiny_vgg19.safetensors"), folder.path("net.safetensors")).unwrap();
    fs::copy(folder.path("net.safetensors"), folder.path("net.png")).unwrap();
    for (arguments, kept, option) in [
        ("stylize content.png style.png -o content.png", "content.png", "--output"),
        ("stylize content.png style.png -o ./folder/../content.png", "content.png", "--output"),
        ("stylize content.png style.png style.png -o style.png", "style.png", "--output"),
        ("stylize content.png style.png --init out-0050.png -o out-0050.png", "out-0050.png", "--output"),
        ("stylize content.png style.png --metrics style.png -o out.png", "style.png", "--metrics"),
        ("stylize content.png style.png --weights net.png -o net.png", "net.png", "--output"),
        (
            "stylize content.png style.png --weights net.safetensors --metrics net.safetensors -o out.png",
            "net.safetensors",
            "--metrics",
        ),
        ("stylize out-0050.png style.png -o out.png --save-every 25", "out-0050.png", "--save-every"),
        (
            "stylize content.png style.png --init out-0050.png -o out.png --save-every 50",
            "out-0050.png",
            "--save-every",
        ),
        ("texture style.png -o style.png", "style.png", "--output"),
        ("reconstruct content.png --layer relu1_1 -o content.png", "content.png", "--output"),
        ("features content.png --layer relu1_1 -o content.png", "content.png", "--output"),
        ("features content.png --layer relu1_1 --weights net.png -o net.png", "net.png", "--output"),
        ("loss content.png --style style.png --gradient style.png", "style.png", "--gradient"),
        ("loss content.png --style style.png --gradient content.png", "content.png", "--gradient"),
        ("loss style.png --content content.png --gradient content.png", "content.png", "--gradient"),
    ] {
        refuses(&folder, arguments, kept, &[option, kept, "input", "the same file"]);
    }
    // A number that no step has is no output.
    folder.run("stylize out-0050.png style.png -o out.png --size 32 --steps 4 --save-every 2").notes();
    folder.run("stylize out-0050.png style.png -o out.png --size 32 --steps 4 --save-every 200").notes();
}

#[test]
fn outputs_that_are_the_same_file_are_refused() {
    let folder = Folder::with_pictures();
    for arguments in [
        "stylize content.png style.png -o out.png --metrics out.png",
        "stylize content.png style.png -o out.png --metrics ./out.png",
        "stylize content.png style.png -o out.png --metrics out-0100.png --save-every 50",
    ] {
        refuses(&folder, arguments, "content.png", &["the output", "the same file"]);
    }
}

#[cfg(unix)]
#[test]
fn links_hide_no_input() {
    let folder = Folder::with_pictures();
    symlink("content.png", folder.path("link.png")).unwrap();
    symlink("style.png", folder.path("out-0020.png")).unwrap();
    symlink(".", folder.path("here")).unwrap();
    symlink("new.png", folder.path("later.png")).unwrap();
    fs::hard_link(folder.path("style.png"), folder.path("hard.png")).unwrap();
    for (arguments, kept) in [
        ("stylize content.png style.png -o link.png", "content.png"),
        ("stylize link.png style.png -o content.png", "content.png"),
        ("stylize content.png style.png -o here/content.png", "content.png"),
        ("stylize content.png style.png -o hard.png", "style.png"),
        ("stylize content.png style.png -o out.png --save-every 10", "style.png"),
        ("stylize content.png style.png -o new.png --metrics later.png", "content.png"),
    ] {
        refuses(&folder, arguments, kept, &["the same file"]);
    }
    // Standard output is a file as well.
    folder.write("both", "");
    let both = File::options().append(true).open(folder.path("both")).unwrap();
    let mut command = folder.command("stylize content.png style.png -q -o - --metrics both");
    command.stdout(both);
    let output = command.output().unwrap();
    Ran::from(output).failed_with(&["--metrics", "both", "the same file"]);
    // Nothing is lost of a device.
    folder.run("stylize content.png style.png --size 32 --steps 2 -o out.png --metrics /dev/null").notes();
}

#[cfg(unix)]
#[test]
fn a_link_to_a_picture_that_is_not_there_stays_a_link() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("elsewhere")).unwrap();
    symlink("elsewhere/new.png", folder.path("out.png")).unwrap();
    folder.run("stylize content.png style.png --size 32 --steps 2 -o out.png").notes();
    assert!(folder.path("out.png").is_symlink());
    assert_eq!(folder.decode("elsewhere/new.png").width(), 32);
    symlink("no/such.png", folder.path("lost.png")).unwrap();
    folder
        .run("stylize content.png style.png -o lost.png")
        .failed_with(&["lost.png", "there is no folder no"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_output_that_is_closed_is_an_error_before_the_work() {
    let folder = Folder::with_pictures();
    for arguments in [
        "stylize content.png style.png --steps 100000 -q -o -",
        "texture style.png --steps 100000 -o -",
        "loss content.png --style style.png",
        "classify content.png --weights tiny_tv11 --json",
        "weights list",
    ] {
        let ran = Ran::to_its_end(folder.by_shell(r#"exec "$@" >&-"#, arguments));
        ran.failed_with(&["cannot write standard output", "standard output is closed"]);
    }
    // Nothing else needs it.
    let quiet =
        folder.by_shell(r#"exec "$@" >&-"#, "stylize content.png style.png --size 32 --steps 2 -o out.png");
    Ran::to_its_end(quiet).notes();
    let nowhere = folder.by_shell(r#"exec "$@" >/dev/null"#, "weights list");
    Ran::to_its_end(nowhere).notes();
}

/// /dev/full is a disk that is full.
#[cfg(target_os = "linux")]
#[test]
fn a_picture_that_finds_its_disk_full_goes_to_the_temporary_folder() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("tmp")).unwrap();
    symlink("/dev/full", folder.path("out.webp")).unwrap();
    let command = |arguments: &str| {
        let mut command = folder.command(&format!("{arguments} --size 32 --steps 2 -q"));
        command.env("TMPDIR", folder.path("tmp"));
        command
    };
    let saved = || {
        let mut entries = fs::read_dir(folder.path("tmp")).unwrap().map(|entry| entry.unwrap().path());
        (entries.next(), entries.count())
    };
    let ran = Ran::to_its_end(command("stylize content.png style.png -o out.webp"));
    let (Some(path), 0) = saved() else { panic!("not one picture: {}", ran.stderr) };
    assert_eq!(path.extension().unwrap(), "webp");
    assert_eq!(image::open(&path).unwrap().width(), 32);
    ran.failed_with(&["out.webp", "No space left", "the picture is in", path.to_str().unwrap()]);
    fs::remove_file(path).unwrap();

    let mut full = command("texture style.png -o -");
    full.stdout(File::options().write(true).open("/dev/full").unwrap());
    let ran = Ran::from(full.output().unwrap());
    let (Some(path), 0) = saved() else { panic!("not one picture: {}", ran.stderr) };
    ran.failed_with(&[
        "cannot write standard output",
        "No space left",
        "the picture is in",
        path.to_str().unwrap(),
    ]);
    assert_eq!(image::open(&path).unwrap().height(), 32);
    fs::remove_file(path).unwrap();

    // A reader that went away wants no picture.
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut gone = command("texture style.png -o -");
    gone.stdout(writer).stderr(std::process::Stdio::piped());
    finish(gone.spawn().unwrap()).failed_with(&["cannot write standard output"]);
    assert_eq!(saved().0, None);

    // Where the temporary folder takes nothing either, the error is what it was.
    let mut nowhere = command("texture style.png -o out.webp");
    nowhere.env("TMPDIR", folder.path("no/such"));
    let ran = Ran::to_its_end(nowhere);
    assert!(!ran.stderr.contains("the picture is in"), "{}", ran.stderr);
    ran.failed_with(&["out.webp", "No space left"]);
}

#[cfg(unix)]
#[test]
fn metrics_go_into_a_pipe_and_never_wait_for_its_reader() {
    let folder = Folder::with_pictures();
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    let command = "stylize content.png style.png --size 32 -q -o out.png --metrics pipe --steps";

    let began = Instant::now();
    folder.run(&format!("{command} 100000")).failed_with(&["pipe", "nobody reads"]);
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert_eq!(folder.names(), ["content.png", "pipe", "style.png"]);

    // A reader that comes a little later than the command is in time.
    let child = start(folder.command(&format!("{command} 4")));
    thread::sleep(Duration::from_millis(100));
    let lines = fs::read_to_string(folder.path("pipe")).unwrap();
    finish(child).notes();
    assert!(lines.lines().count() >= 4 && lines.ends_with("}\n"), "{lines}");

    // One that stops reading doesn't hold up the picture.
    let command = format!("{command} 3000 --optimizer adam --scales 1 --init noise");
    let child = start(folder.command(&command));
    let mut reader = File::open(folder.path("pipe")).unwrap();
    reader.read_exact(&mut [0; 100]).unwrap();
    finish(child).failed_with(&["pipe", "its reader does not read"]);
    assert_eq!(folder.decode("out.png").width(), 32);
}
