//! Settings: in a result, and shown as a command.

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::process::Command;

use command::{Folder, Ran, reference_folder};
use image::{ImageBuffer, Rgb};
use impasto::{Encoding, Metadata, OutputFormat, Picture};

/// Steps and a size at which the small network takes no time.
const QUICK: &str = "--size 32 --steps 3";

/// The command that `show` prints of a result, and what it says behind it.
#[track_caller]
fn shown(folder: &Folder, name: &str) -> (String, String) {
    let answer = folder.run(&format!("show {name}")).answer();
    let (command, rest) = answer.split_once("\n\n").unwrap_or_else(|| panic!("{answer}"));
    (command.to_owned(), rest.to_owned())
}

#[test]
fn the_command_shown_makes_the_same_file() {
    let folder = Folder::with_pictures();
    folder.picture("it's another, one.png", 30, 30);
    fs::rename(folder.path("it's another, one.png"), folder.path("other.png")).unwrap();
    for arguments in [
        "stylize content.png style.png",
        "stylize content.png style.png other.png --blend 2,0.5 --style-layer relu1_1=0.25 --style-layer relu3_1",
        "stylize content.png style.png --init other.png --pooling average --loss gatys --content-weight 1e-3",
        "stylize content.png style.png --init noise --seed 7 --optimizer adam --scales 2 --tv-weight 0",
        "stylize content.png style.png other.png --colors match --style-scale 1.5,2 --laplacian-weight 2.5",
        "stylize content.png style.png --colors content --style-size 30 --statistic gram --edges wrap",
        "stylize content.png style.png --weights tiny_a_lrn --preprocessing torchvision",
        "texture style.png other.png --seed 3 --depth 16",
        "texture style.png --tileable",
        "reconstruct content.png --layer conv2_1=1.5 --layer relu1_1 --keep-location",
    ] {
        for name in ["out.png", "out.jpg"] {
            if arguments.contains("depth") && name == "out.jpg" {
                continue;
            }
            let ran = folder.run(&format!("{arguments} {QUICK} -q --threads 1 --metrics m.jsonl -o {name}"));
            ran.notes();
            let (command, _) = shown(&folder, name);
            let start = arguments.split_whitespace().next().unwrap();
            assert!(command.starts_with(&format!("impasto {start} ")), "{command}");
            assert!(!command.contains("threads") && !command.contains("metrics"), "{command}");
            // By a shell, as a person would paste it.
            let program = env!("CARGO_BIN_EXE_impasto");
            let pasted = format!("{} -o again-{name}", command.replacen("impasto", program, 1));
            let mut shell = Command::new("sh");
            shell.args(["-c", &pasted]).current_dir(folder.path(""));
            shell.env("IMPASTO_WEIGHTS_DIR", reference_folder());
            Ran::to_its_end(shell).notes();
            assert!(folder.read(&format!("again-{name}")) == folder.read(name), "{arguments}: {command}");
        }
    }
}

#[test]
fn only_what_is_not_the_default_is_shown() {
    let folder = Folder::with_pictures();
    folder.run("stylize content.png style.png --size 32 --steps 2 --style-weight 7 -o out.png").notes();
    let (command, rest) = shown(&folder, "out.png");
    let expected =
        "impasto stylize content.png style.png --size 32 --steps 2 --style-weight 7 --weights tiny_vgg19";
    let sorted = |command: &str| {
        let mut words: Vec<_> = command.split(" --").map(str::to_owned).collect();
        words.sort();
        words
    };
    assert_eq!(sorted(&command), sorted(expected));
    assert_eq!(rest, format!("32×24 pixels, by impasto {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_same_settings_are_the_same_bytes_in_every_folder() {
    let (here, there) = (Folder::with_pictures(), Folder::with_pictures());
    fs::create_dir(there.path("sub")).unwrap();
    for name in ["content.png", "style.png"] {
        fs::rename(there.path(name), there.path("sub").join(name)).unwrap();
    }
    here.run(&format!("stylize content.png style.png {QUICK} -o out.png")).notes();
    let sub = there.path("sub");
    let sub = sub.to_str().unwrap();
    there
        .run(&format!("stylize {sub}/content.png sub/style.png {QUICK} -q --threads 3 -o other.png"))
        .notes();
    let file = there.read("other.png");
    assert!(file == here.read("out.png"));
    assert!(!String::from_utf8_lossy(&file).contains(sub));
}

#[test]
fn names_are_quoted_and_cleaned() {
    let folder = Folder::with_pictures();
    let (content, style) = ("it's a \u{1b}[31m$HOME.png", "-x y.png");
    fs::rename(folder.path("content.png"), folder.path(content)).unwrap();
    fs::rename(folder.path("style.png"), folder.path(style)).unwrap();
    let mut command = folder.command(&format!("stylize {QUICK} -q -o out.png"));
    command.args(["--", content, &format!("./{style}")]);
    Ran::to_its_end(command).notes();
    let (command, _) = shown(&folder, "out.png");
    let expected = r"impasto stylize 'it'\''s a ?[31m$HOME.png' './-x y.png' ";
    assert!(command.starts_with(expected), "{command}");
}

#[test]
fn stripped_results_have_none() {
    let folder = Folder::with_pictures();
    for name in ["out.png", "out.jpg"] {
        folder.run(&format!("stylize content.png style.png {QUICK} --strip -o {name}")).notes();
        assert!(!String::from_utf8_lossy(&folder.read(name)).contains("stylize"));
        folder.run(&format!("show {name}")).failed_with(&[name, "no settings of impasto", "--strip"]);
    }
}

#[test]
fn what_is_not_impastos_is_said() {
    let folder = Folder::with_pictures();
    folder.write("text.png", "no picture");
    folder.run("show content.png").failed_with(&["content.png", "no settings of impasto"]);
    folder.run("show text.png").failed_with(&["text.png", "not a picture"]);
    folder.run("show missing.png").failed_with(&["missing.png", "No such file"]);
    folder.run(&format!("stylize content.png style.png {QUICK} -o out.webp")).notes();
    folder.run("show out.webp").failed_with(&["out.webp", "PNG and JPEG"]);
}

#[test]
fn damaged_settings_are_said_in_a_line_and_nothing_is_obeyed() {
    let folder = Folder::new();
    let picture = Picture::from_rgb8(&[9; 12], 2, 2, 6).unwrap();
    let whole = "impasto = \"0.0.1\"\ncommand = \"stylize\"\n";
    let write = |text: &str| {
        let encoding = Encoding::default().with_settings(Some(text.to_owned()));
        for (name, format) in [("out.png", OutputFormat::Png), ("out.jpg", OutputFormat::Jpeg)] {
            folder.write(name, picture.encode_with(format, &encoding).unwrap());
            assert_eq!(Metadata::open(folder.path(name)).unwrap().settings.as_deref(), Some(text), "{name}");
        }
    };
    for text in [
        "",
        "no toml",
        "command = \"stylize\"",
        "impasto = \"1\"",
        "impasto = \"1\"\ncommand = \"rm\"",
        "impasto = 1",
        &format!("{whole}size = 1\nsize = 2"),
        &format!("{whole}size = 1979-05-27"),
        &format!("{whole}\"; rm -r\" = 1"),
        &format!("{whole}[table]\na = 1"),
        &"[".repeat(10_000),
    ] {
        write(text);
        for name in ["out.png", "out.jpg"] {
            folder.run(&format!("show {name}")).failed_with(&[name, "settings are damaged"]);
        }
    }
    // Keys and values of another version, and a terminal's commands.
    write(&format!(
        "{whole}content = \"a\\u001b[2J\"\nnew-flag = \"$(x)\"\nother = true\nstyle = [\"b\\nc\"]\n"
    ));
    let (command, rest) = shown(&folder, "out.png");
    assert_eq!(command, "impasto stylize 'a?[2J' 'b?c' --new-flag '$(x)' --other");
    assert!(rest.contains("by impasto 0.0.1; this is"), "{rest}");
    // What is too long for a JPEG's segment is left out there.
    let long = Encoding::default().with_settings(Some("x".repeat(70_000)));
    let file = picture.encode_with(OutputFormat::Jpeg, &long).unwrap();
    assert_eq!(file, picture.encode(OutputFormat::Jpeg).unwrap());
}

#[test]
fn the_picture_does_not_depend_on_what_its_file_carries() {
    let folder = Folder::with_pictures();
    folder.run(&format!("stylize content.png style.png {QUICK} -o out.png")).notes();
    folder.run(&format!("stylize content.png style.png {QUICK} --strip -o stripped.png")).notes();
    let pixels = |name: &str| -> ImageBuffer<Rgb<u8>, Vec<u8>> { folder.decode(name).to_rgb8() };
    assert!(pixels("out.png") == pixels("stripped.png"));
    assert!(folder.read("out.png").len() > folder.read("stripped.png").len());
}
