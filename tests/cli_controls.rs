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
        folder.read("out.png")
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
        folder.read("out.png")
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
        folder.read("out.png")
    };
    let default = with("");
    assert!(with("--colors style") == default);
    let (content, matched) = (with("--colors content"), with("--colors match"));
    assert!(content != default && matched != default && content != matched);
    // The pictures on the way have the result's colours.
    let saved = with("--colors content --save-every 4");
    assert!(folder.read("out-0004.png") == saved);
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
    let default = folder.read("out.png");
    assert!(line("--laplacian-weight 0").get("laplacian").is_none());
    assert!(folder.read("out.png") == default);
    assert!(line("--laplacian-weight 5")["laplacian"].as_f64().unwrap() > 0.0);
    assert!(folder.read("out.png") != default);
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

#[track_caller]
fn is_bad_usage(folder: &Folder, arguments: &str, words: &[&str]) {
    let ran = folder.run(arguments);
    assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{arguments}: {}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{arguments}: no {word:?} in {}", ran.stderr);
    }
}
