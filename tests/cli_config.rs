//! Settings from files and presets, and to files.

#[path = "common/command.rs"]
mod command;

use command::Folder;

const QUICK: &str = "--size 32 --steps 3";

/// The bytes of what `arguments` make: with them its settings.
#[track_caller]
fn made(folder: &Folder, arguments: &str) -> Vec<u8> {
    folder.run(&format!("{arguments} -q -o out.png")).notes();
    folder.read("out.png")
}

#[test]
fn a_file_sets_what_flags_set() {
    let folder = Folder::with_pictures();
    for (command, file, flags) in [
        ("stylize content.png style.png", "size = 32\nsteps = 3\n", "--size 32 --steps 3"),
        (
            "stylize content.png style.png",
            "steps = 3\nsize = 3_2\nstyle-weight = 7.5",
            "--size 32 --steps 3 --style-weight 7.5",
        ),
        (
            "stylize content.png style.png content.png",
            "size = 32\nsteps = 3\nblend = [2, 0.5]\nstyle-layer = [\"relu1_1=0.5\", \"relu2_1\"]\nstrip = true\nno-mmap = false",
            "--size 32 --steps 3 --blend 2,0.5 --style-layer relu1_1=0.5 --style-layer relu2_1 --strip",
        ),
        (
            "stylize content.png style.png",
            "# A comment.\ninit = \"noise\"\nseed = 5\nsize = \"32\"\nsteps = 3 # and another\n'pooling' = 'average'",
            "--init noise --seed 5 --size 32 --steps 3 --pooling average",
        ),
        (
            "texture style.png",
            "size = 32\nsteps = 3\nseed = 4\nstyle-layer = \"relu1_1\"",
            "--size 32 --steps 3 --seed 4 --style-layer relu1_1",
        ),
        // What is required may be in the file alone.
        (
            "reconstruct content.png",
            "size = 32\nsteps = 3\nlayer = [\"relu2_1\"]",
            "--size 32 --steps 3 --layer relu2_1",
        ),
        ("stylize content.png style.png --size 32 --steps 3", "", ""),
    ] {
        folder.write("f.toml", file);
        let expected = made(&folder, &format!("{command} {flags}"));
        assert!(made(&folder, &format!("{command} --config f.toml")) == expected, "{file}");
    }
}

#[test]
fn flags_come_before_the_file_and_the_file_before_the_preset() {
    let folder = Folder::with_pictures();
    folder.write(
        "f.toml",
        "style-weight = 7\nsteps = 3\nstyle-layer = [\"relu1_1\", \"relu2_1\"]\nstrip = false\n",
    );
    let command = "stylize content.png style.png --size 32";
    for (with, flags) in [
        ("--config f.toml", "--style-weight 7 --steps 3 --style-layer relu1_1 --style-layer relu2_1"),
        (
            "--config f.toml --steps 2",
            "--style-weight 7 --steps 2 --style-layer relu1_1 --style-layer relu2_1",
        ),
        // A list is one setting.
        ("--config f.toml --style-layer relu3_1", "--style-weight 7 --steps 3 --style-layer relu3_1"),
        ("--preset strong --steps 3", "--style-weight 30 --steps 3"),
        ("--preset strong --style-weight 3 --steps 3", "--style-weight 3 --steps 3"),
        (
            "--preset strong --config f.toml",
            "--style-weight 7 --steps 3 --style-layer relu1_1 --style-layer relu2_1",
        ),
        (
            "--preset=sketch --steps 2 --content-layer relu2_1",
            "--style-weight 2 --steps 2 --content-layer relu2_1",
        ),
    ] {
        assert!(
            made(&folder, &format!("{command} {with}")) == made(&folder, &format!("{command} {flags}")),
            "{with}"
        );
    }
    folder.write("f.toml", "preset = \"strong\"\nsteps = 3\n");
    let expected = made(&folder, &format!("{command} --style-weight 30 --steps 3"));
    assert!(made(&folder, &format!("{command} --config f.toml")) == expected);
    let expected = made(&folder, &format!("{command} --style-weight 14 --style-scale 1.4 --steps 3"));
    assert!(made(&folder, &format!("{command} --config f.toml --preset painting")) == expected);
}

#[test]
fn every_preset_can_be_used_and_changes_the_picture() {
    let folder = Folder::with_pictures();
    let command = "stylize content.png style.png --size 32 --steps 3 --strip";
    let plain = made(&folder, command);
    for preset in ["sketch", "painting", "strong", "portrait"] {
        assert!(made(&folder, &format!("{command} --preset {preset}")) != plain, "{preset}");
    }
    let size = |preset: &str| {
        made(&folder, &format!("stylize content.png style.png --steps 1 --scales 1 --preset {preset}"));
        folder.decode("out.png").width()
    };
    assert_eq!(size("draft"), 256);
    let ran = folder.run("stylize content.png style.png --preset nice");
    assert_eq!(ran.code, Some(2));
    for name in ["draft", "print", "sketch", "painting", "strong", "portrait"] {
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_line_and_key() {
    let folder = Folder::with_pictures();
    for (file, words) in [
        ("size = 64\nsiz = 5", &["f.toml:2: ", "siz: ", "no such setting"][..]),
        ("\n\nstyle_weight = 5", &["f.toml:3: ", "style_weight", "did you mean style-weight?"]),
        ("content = \"a.png\"", &["f.toml:1: ", "content: ", "no such setting"]),
        ("config = \"g.toml\"", &["f.toml:1: ", "config"]),
        ("save-config = \"g.toml\"", &["f.toml:1: ", "save-config"]),
        ("help = true", &["f.toml:1: ", "help"]),
        ("size = 64\nsize = 32", &["f.toml:2: ", "size: ", "duplicate"]),
        ("steps = 0", &["f.toml:1: ", "steps: ", "'0'"]),
        ("# x\nsize = \"big\"", &["f.toml:2: ", "size: ", "'big'"]),
        ("size = true", &["f.toml:1: ", "size: ", "expected a value"]),
        ("size = false", &["f.toml:1: ", "size: ", "expected a value"]),
        ("size = [1, 2]", &["f.toml:1: ", "size: ", "found a list"]),
        ("style-layer = []", &["f.toml:1: ", "style-layer: ", "found none"]),
        ("style-layer = [[\"a\"]]", &["f.toml:1: ", "style-layer: ", "a list in a list"]),
        ("quiet = 1", &["f.toml:1: ", "quiet: ", "true or false"]),
        ("size = 1979-05-27", &["f.toml:1: ", "size: ", "a date"]),
        ("size = 0x20", &["f.toml:1: ", "size: ", "not decimal"]),
        ("style-weight = \"much\"", &["f.toml:1: ", "style-weight: ", "'much'"]),
        ("optimizer = \"sgd\"", &["f.toml:1: ", "optimizer: ", "'sgd'", "lbfgs"]),
        ("preset = \"nice\"", &["f.toml:1: ", "preset: ", "'nice'", "draft"]),
        ("[stylize]\nsize = 5", &["f.toml:1: ", "stylize: ", "a table"]),
        ("size 5", &["f.toml:1: "]),
        ("size = ", &["f.toml:1: "]),
        ("steps = 3\ninit = \"no end", &["f.toml:2: "]),
        ("\u{1b}[2J = 5", &["f.toml:1: "]),
    ] {
        folder.write("f.toml", file);
        folder
            .run(&format!("stylize content.png style.png {QUICK} --config f.toml -o out.png"))
            .failed_with(words);
    }
    folder.write("f.toml", "content-weight = 2");
    folder.run("texture style.png --config f.toml").failed_with(&["f.toml:1", "texture has no such setting"]);
    folder.write("f.toml", b"size = \xFF");
    folder.run("texture style.png --config f.toml").failed_with(&["f.toml", "UTF-8"]);
    folder.run("texture style.png --config no.toml").failed_with(&["no.toml", "No such file"]);
    folder.run("texture style.png --config /dev/zero").failed_with(&["/dev/zero", "too long"]);
    assert_eq!(folder.names(), ["content.png", "f.toml", "style.png"]);
}

#[test]
fn settings_are_saved_for_other_pictures() {
    let folder = Folder::with_pictures();
    let flags = "--size 32 --steps 3 --style-layer relu1_1=0.5 --style-layer relu2_1 --blend 1 --init style.png --strip";
    let saving = format!("stylize content.png style.png {flags} --save-config f.toml --preset painting");
    let first = made(&folder, &saving);
    let saved = String::from_utf8(folder.read("f.toml")).unwrap();
    let mut lines: Vec<_> = saved.lines().collect();
    lines.sort();
    let expected = [
        "blend = [1]",
        "init = \"style.png\"",
        "quiet = true",
        "size = 32",
        "steps = 3",
        "strip = true",
        "style-layer = [\"relu1_1=0.5\", \"relu2_1\"]",
        "style-scale = [1.4]",
        "style-weight = 14",
    ];
    assert_eq!(lines, expected);
    assert!(made(&folder, "stylize content.png style.png --config f.toml") == first);
    // Again from the file itself, with a change.
    made(&folder, "stylize content.png style.png --config f.toml --steps 2 --save-config g.toml");
    let changed = String::from_utf8(folder.read("g.toml")).unwrap();
    assert_eq!(changed.replace("steps = 2", "steps = 3").len(), saved.len());
    assert!(changed.contains("steps = 2\n"));
}

#[test]
fn saved_settings_are_never_written_over_an_input_or_another_output() {
    let folder = Folder::with_pictures();
    folder.write("f.toml", "size = 32\nsteps = 2\n");
    for (arguments, words) in [
        ("--config f.toml --save-config f.toml", &["--save-config", "f.toml", "the same file"][..]),
        ("--save-config content.png", &["--save-config", "content.png"]),
        ("--save-config out.png", &["--save-config", "out.png"]),
        ("--save-config m.jsonl --metrics m.jsonl", &["--save-config", "m.jsonl"]),
        ("--config f.toml --metrics f.toml", &["--metrics", "f.toml"]),
        ("--save-config -", &["--save-config", "give a file"]),
        ("--save-config no/such.toml", &["no/such.toml", "no folder"]),
    ] {
        let before = folder.names();
        folder
            .run(&format!("stylize content.png style.png {QUICK} -o out.png {arguments}"))
            .failed_with(words);
        assert_eq!(folder.names(), before, "{arguments}");
        assert_eq!(folder.read("f.toml"), b"size = 32\nsteps = 2\n", "{arguments}");
    }
    // Which writes nothing.
    let ran = folder.run("stylize content.png style.png --save-config g.toml --dry-run");
    assert_eq!((ran.code, folder.names().contains(&"g.toml".to_owned())), (Some(2), false));
}
