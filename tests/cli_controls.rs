//! The painter's controls on the command line: what they do, and that wrong values end in one clear line.

#[path = "common/command.rs"]
mod command;

use command::Folder;

#[test]
fn strokes_have_a_size() {
    let folder = Folder::with_pictures();
    let with = |options: &str| {
        folder
            .run(&format!("stylize content.png style.png --size 40 --steps 4 -q -o out.png {options}"))
            .notes();
        // Not the files: they hold the settings, too.
        folder.decode("out.png")
    };
    let default = with("");
    assert!(with("--style-scale 1") == default);
    let (finer, coarser) = (with("--style-scale 0.6"), with("--style-scale 2"));
    assert!(finer != default && coarser != default && finer != coarser);
    // √(40 · 30 · 36 / 32) = 36.7, and twice that.
    assert!(with("--style-size 37") == default);
    assert!(with("--style-size 73") == coarser);
    let texture = |options: &str| {
        folder.run(&format!("texture style.png --size 40 --steps 4 -q -o out.png {options}")).notes();
        folder.decode("out.png")
    };
    assert!(texture("--style-scale 2") != texture(""));
}

#[test]
fn pictures_that_are_enlarged_are_named_in_one_line() {
    let folder = Folder::with_pictures();
    folder.picture("large.png", 90, 90);
    for (arguments, named) in [
        (
            "stylize content.png style.png --size 64",
            &["content.png from 40×30 to 64×48", "style.png from 32×36"][..],
        ),
        ("stylize large.png style.png --size 64", &["enlarged: style.png from 32×36 to 60×68;"]),
        ("stylize large.png large.png --size 64", &[]),
        (
            "stylize large.png large.png --size 64 --style-scale 2",
            &["enlarged: large.png from 90×90 to 128×128;"],
        ),
        ("texture style.png --size 64", &["style.png from 32×36 to 57×64"]),
        ("reconstruct content.png --layer relu1_1 --size 64", &["content.png from 40×30 to 64×48"]),
        ("reconstruct content.png --layer relu1_1 --size 32", &[]),
    ] {
        let notes = folder.run(&format!("{arguments} --steps 2 -o out.png")).notes();
        let lines: Vec<_> = notes.lines().filter(|line| line.contains("enlarged")).collect();
        assert_eq!(lines.len(), named.len().min(1), "{arguments}: {notes}");
        assert!(named.iter().all(|name| notes.contains(name)), "{arguments}: {notes}");
        assert_eq!(folder.run(&format!("{arguments} --steps 2 -o out.png -q")).notes(), "");
    }
}

#[test]
fn values_of_strokes_that_cannot_be() {
    let folder = Folder::with_pictures();
    let names = folder.names();
    for (options, words) in [
        ("64 --style-scale 1,2,3", &["--style-scale", "3 for 2"][..]),
        ("64 --style-size 9,9,9", &["--style-size", "3 for 2"]),
        ("64 --style-scale 0", &["--style-scale", "0.01 to 100", "found 0"]),
        ("64 --style-scale -1", &["--style-scale", "found -1"]),
        ("64 --style-scale nan", &["--style-scale", "found NaN"]),
        ("64 --style-scale inf", &["--style-scale", "found inf"]),
        ("64 --style-scale 0.05", &["the style", "relu5_1", "--style-scale"]),
        ("64 --style-size 15", &["the style", "relu5_1", "--style-size"]),
        ("4000 --style-scale 100", &["a style of", "memory", "--style-scale"]),
        ("64 --style-size 1000000", &["a style of", "memory", "--style-size"]),
    ] {
        for command in ["stylize content.png style.png content.png", "texture style.png content.png"] {
            folder.run(&format!("{command} -o out.png --size {options}")).failed_with(words);
        }
    }
    for (options, words) in [
        ("--style-scale x", &["--style-scale", "invalid"][..]),
        ("--style-scale", &["--style-scale"]),
        ("--style-scale 1,", &["--style-scale"]),
        ("--style-size 0", &["--style-size", "1..=1000000"]),
        ("--style-size -4", &["--style-size"]),
        ("--style-size 1.5", &["--style-size"]),
        ("--style-size 512px", &["--style-size"]),
        ("--style-scale 1 --style-size 40", &["--style-scale", "--style-size", "cannot be used with"]),
    ] {
        is_bad_usage(&folder, &format!("stylize content.png style.png -o out.png {options}"), words);
    }
    // The loss of a picture is measured at the pictures' own sizes.
    is_bad_usage(&folder, "loss content.png --style style.png --style-scale 2", &["--style-scale"]);
    assert_eq!(folder.names(), names);
}

#[test]
fn colours_are_the_styles_the_contents_or_matched() {
    let folder = Folder::with_pictures();
    let with = |options: &str| {
        folder
            .run(&format!("stylize content.png style.png --size 40 --steps 4 -q -o out.png {options}"))
            .notes();
        folder.decode("out.png")
    };
    let default = with("");
    assert!(with("--colors style") == default);
    let (content, matched) = (with("--colors content"), with("--colors match"));
    assert!(content != default && matched != default && content != matched);
    // The pictures on the way have the result's colours.
    let saved = with("--colors content --save-every 4");
    assert!(folder.decode("out-0004.png") == saved);
    let (command, words) =
        ("stylize content.png style.png -o out.png --colors", &["--colors", "style, content, match"]);
    is_bad_usage(&folder, &format!("{command} photo"), words);
    is_bad_usage(&folder, command, &["--colors"]);
    is_bad_usage(&folder, "texture style.png --colors match", &["--colors"]);
}

#[test]
fn the_laplacian_term_is_reported_where_it_has_a_weight() {
    let folder = Folder::with_pictures();
    folder.picture("image.png", 40, 30);
    let loss = "loss image.png --content content.png --style style.png";
    let without = folder.run(&format!("{loss} --json")).json();
    let with = folder.run(&format!("{loss} --laplacian-weight 2 --json")).json();
    assert!(without.get("laplacian").is_none());
    let laplacian = with["laplacian"].as_f64().unwrap();
    let added = with["loss"].as_f64().unwrap() - without["loss"].as_f64().unwrap();
    assert!(laplacian > 0.0 && (added - 2.0 * laplacian).abs() < 1e-6, "{with}");
    assert!(folder.run(&format!("{loss} --laplacian-weight 2")).answer().contains("\nLaplacian "));

    let command = "stylize content.png style.png --size 40 --steps 4 -q -o out.png --metrics metrics.jsonl";
    let line = |options: &str| -> serde_json::Value {
        folder.run(&format!("{command} {options}")).notes();
        let metrics = String::from_utf8(folder.read("metrics.jsonl")).unwrap();
        serde_json::from_str(metrics.lines().last().unwrap()).unwrap()
    };
    assert!(line("").get("laplacian").is_none());
    let default = folder.decode("out.png");
    assert!(line("--laplacian-weight 0").get("laplacian").is_none());
    assert!(folder.decode("out.png") == default);
    assert!(line("--laplacian-weight 5")["laplacian"].as_f64().unwrap() > 0.0);
    assert!(folder.decode("out.png") != default);
}

#[test]
fn weights_of_the_laplacian_term_that_cannot_be() {
    let folder = Folder::with_pictures();
    for (value, words) in [
        ("-1", &["--laplacian-weight", "0 or above", "found -1"][..]),
        ("nan", &["--laplacian-weight", "found NaN"]),
        ("1e39", &["--laplacian-weight", "at most 1e38"]),
    ] {
        let command = format!("stylize content.png style.png -o out.png --laplacian-weight {value}");
        folder.run(&command).failed_with(words);
    }
    is_bad_usage(&folder, "loss content.png --style style.png --laplacian-weight 1", &["--content"]);
    is_bad_usage(&folder, "texture style.png --laplacian-weight 1", &["--laplacian-weight"]);
    is_bad_usage(&folder, "stylize content.png style.png --laplacian-weight x", &["--laplacian-weight"]);
}

#[test]
fn a_dry_run_says_what_the_work_takes_and_writes_nothing() {
    let folder = Folder::with_pictures();
    let names = folder.names();
    for (command, scales) in [
        (
            "stylize content.png style.png --size 200 --scales 2 --steps 7",
            &[("141×106", "3"), ("200×150", "4")][..],
        ),
        ("texture style.png --size 64 --steps 5 --scales 1", &[("57×64", "5")]),
        ("reconstruct content.png --layer relu2_1 --size 40 --steps 6 --scales 1", &[("40×30", "6")]),
        ("stylize content.png style.png --size 0 --steps 9 --scales 1 --optimizer adam", &[("40×30", "9")]),
    ] {
        let options = "--dry-run -q -o out.png --metrics metrics.jsonl --save-every 1";
        let answer = folder.run(&format!("{command} {options}")).answer();
        let lines: Vec<Vec<&str>> = answer.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["scale", "steps", "time"], "{answer}");
        for (line, (size, steps)) in lines[1..].iter().zip(scales) {
            assert_eq!(line[..2], [*size, *steps], "{answer}");
            assert!(line[2].parse::<f64>().is_ok() && line[3] == "s", "{answer}");
        }
        let all = &lines[scales.len() + 1];
        assert!(all[0] == "all" && all[2].parse::<f64>().is_ok(), "{answer}");
        assert!(answer.lines().last().unwrap().starts_with("memory: "), "{answer}");
        assert_eq!(folder.names(), names, "{command}");
    }
    // Standard output has the answer, not a picture.
    let answer = folder.run("stylize content.png style.png --size 40 --dry-run -q -o -").answer();
    assert!(answer.starts_with("scale "), "{answer}");
    // Messages are those of the work.
    let ran = folder.run("stylize content.png style.png --size 64 --scales 9 --dry-run");
    assert!(
        ran.stderr.contains("enlarged: content.png") && ran.stderr.contains("--scales 9:"),
        "{}",
        ran.stderr
    );
    assert_eq!(folder.names(), names);
}

#[test]
fn a_dry_run_finds_the_errors_of_the_work() {
    let folder = Folder::with_pictures();
    folder.write("text.png", "not a picture");
    let names = folder.names();
    for (command, words) in [
        ("stylize content.png missing.png -o out.png", &["missing.png", "No such file"][..]),
        ("stylize text.png style.png -o out.png", &["text.png", "not a picture"]),
        ("stylize content.png style.png -o no/out.png", &["no/out.png", "no folder"]),
        ("stylize content.png style.png -o content.png", &["content.png"]),
        ("stylize content.png style.png -o out.png --size 9", &["9×7", "at least 16×16"]),
        ("stylize content.png style.png -o out.png --size 100000", &["memory", "smaller --size"]),
        (
            "stylize content.png style.png -o out.png --size 64 --style-scale 0.1",
            &["the style", "--style-scale"],
        ),
        ("stylize content.png style.png -o out.png --style-weight -1", &["--style-weight", "above 0"]),
        ("stylize content.png style.png -o out.png --weights nothing", &["nothing"]),
        ("texture style.png -o out.png --size 9", &["at least 16×16"]),
        ("reconstruct content.png --layer relu9_1 -o out.png", &["relu9_1"]),
    ] {
        folder.run(&format!("{command} --dry-run")).failed_with(words);
    }
    assert_eq!(folder.names(), names);
    is_bad_usage(&folder, "features content.png --layer relu1_1 -o f.safetensors --dry-run", &["--dry-run"]);
}

/// In terminals of several widths, where `script` can make them.
#[cfg(target_os = "linux")]
#[test]
fn a_bar_is_seen_from_the_first_step_on_and_takes_one_line() {
    let folder = Folder::with_pictures();
    let command = "stylize content.png style.png --size 200 --steps 60 --laplacian-weight 1 -v -o out.png";
    for columns in [120, 80, 44, 20] {
        let run = format!(r#"stty rows 24 cols {columns}; exec "$IMPASTO" $ARGUMENTS"#);
        let mut script = folder.by_shell(r#"script -qec "$RUN" /dev/null"#, "");
        script.env("RUN", run).env("ARGUMENTS", command).env("IMPASTO", env!("CARGO_BIN_EXE_impasto"));
        script.env("TERM", "xterm");
        let ran = command::Ran::to_its_end(script);
        if ran.code == Some(127) {
            return eprintln!("SKIPPED: there is no `script`");
        }
        let said = ran.answer();
        // No line above the bar is touched, and there is none before the first step.
        assert!(!said.contains("\u{1b}[1A"), "{columns}: {said:?}");
        let (before, after) = said.split_once("steps: ").unwrap();
        assert!(!before.contains(['░', '█']), "{columns}: {before:?}");
        let bars: Vec<_> = after.split(['\r', '\n']).filter(|line| line.contains(['░', '█'])).collect();
        assert!(!bars.is_empty(), "{columns}: {after:?}");
        for bar in &bars {
            // Room for the ^C of a key that is pressed.
            let shown = bar.replace("\u{1b}[2K", "");
            assert!(shown.chars().count() <= columns - 4, "{columns}: {shown:?}");
            assert!(columns < 80 || shown.contains(" left, loss "), "{columns}: {shown:?}");
            assert!(columns < 120 || shown.contains(", Laplacian 0."), "{columns}: {shown:?}");
        }
        // Nothing of it is left behind.
        let last_bar = after.rfind(['░', '█']).unwrap();
        assert!(after[last_bar..].contains("\r\u{1b}[2Kwrote out.png"), "{:?}", &after[last_bar..]);
    }
}

#[track_caller]
fn is_bad_usage(folder: &Folder, arguments: &str, words: &[&str]) {
    let ran = folder.run(arguments);
    assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{arguments}: {}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{arguments}: no {word:?} in {}", ran.stderr);
    }
}
