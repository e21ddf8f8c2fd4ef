//! Help that fits a screen, and hints for who comes from another program.

#[path = "common/command.rs"]
mod command;

use command::{Folder, Ran};

/// What bad usage is answered with, in a line.
#[track_caller]
fn refused(arguments: &str) -> String {
    let Ran { code, stdout, stderr } = Folder::new().run(arguments);
    assert_eq!((code, stdout.len()), (Some(2), 0), "{arguments}: {stderr}");
    stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_short_help_fits_a_screen_and_the_long_one_has_all() {
    let folder = Folder::new();
    for command in ["stylize", "texture", "reconstruct"] {
        let short = folder.run(&format!("{command} -h")).answer();
        assert!(short.lines().count() <= 40, "{} lines: {short}", short.lines().count());
        assert!(short.lines().all(|line| line.chars().count() <= 100), "{short}");
        for words in ["--output", "--size", "--steps", "--weights", &format!("impasto {command} --help")] {
            assert!(short.contains(words), "no {words}: {short}");
        }
        for rare in ["--isa", "--convolution", "--tv-weight", "--metrics", "--scales", "--no-mmap"] {
            assert!(!short.contains(rare), "{rare}: {short}");
        }
        let long = folder.run(&format!("{command} --help")).answer();
        let rare =
            ["--isa", "--convolution", "--tv-weight", "--metrics", "--no-mmap", "--depth", "--save-config"];
        let groups = ["Loss:", "Work:", "Result:", "Network:", "Computation:", "Messages:", "Settings:"];
        for words in rare.into_iter().chain(groups) {
            assert!(long.contains(words), "no {words}: {long}");
        }
        let flag =
            |line: &str| line.split_whitespace().find(|word| word.starts_with("--")).map(str::to_owned);
        let known: Vec<_> = long.lines().filter_map(flag).collect();
        assert!(short.lines().filter_map(flag).all(|flag| known.contains(&flag)));
    }
    let long = folder.run("stylize --help").answer();
    for preset in ["draft: ", "print: ", "sketch: ", "painting: ", "strong: ", "portrait: "] {
        assert!(long.contains(preset), "no {preset}: {long}");
    }
}

#[test]
fn flags_of_other_programs_have_hints() {
    let help = Folder::new().run("stylize --help").answer();
    for (flags, hint, of) in [
        (
            &["--image-size 512", "--image_size=512", "-image_size 512", "--imsize 512"][..],
            "`--size N`",
            "--size",
        ),
        (
            &["--num-iterations 9", "--num_iterations=9", "-num_iterations 9", "--iterations 9"],
            "`--steps N`",
            "--steps",
        ),
        (&["--content-image c.png", "-content_image c.png"], "`impasto stylize CONTENT STYLE...`", ""),
        (&["--style-image s.png", "-style_image s.png"], "`impasto stylize CONTENT STYLE...`", ""),
        (&["-output_image out.png", "--output_image out.png"], "`--output FILE`", ""),
        (
            &[
                "--preserve-color",
                "--preserve_color",
                "--original-colors",
                "--original_colors=1",
                "-original_colors 1",
            ],
            "`--colors content`",
            "--colors",
        ),
        (&["--style-scale-fac 2", "--style_scale_fac=2"], "`--style-scale K`", "--style-scale"),
        (&["-style_weight 5", "--style_weight=5"], "it is written `--style-weight`", ""),
        (&["-seed 5", "-size 5", "-tv_weight 1 --image_size 5"], "it is written `--", ""),
        (&["-gpu 0", "--gpu 0"], "on the CPU", ""),
        (&["-init_image a.png"], "`--init FILE`", ""),
    ] {
        // Hints are of what there is.
        let is_there = help.contains(&format!("      {of} "));
        if !of.is_empty() && !is_there {
            continue;
        }
        for flag in flags {
            let said = refused(&format!("stylize a.png b.png {flag}"));
            assert!(said.contains("unexpected argument") && said.contains(hint), "{flag}: {said}");
        }
    }
    // Neither where the flag is one here, nor behind the end of flags, nor in a value.
    let folder = Folder::with_pictures();
    let command = "stylize content.png style.png --size 32 --steps 2 -o out.png";
    folder.run(&format!("{command} --blend 1")).notes();
    folder.run(&format!("{command} -- -gpu")).failed_with(&["-gpu", "No such file"]);
}

#[test]
fn pictures_in_place_of_a_subcommand_are_for_stylize() {
    let said = refused("a.jpg b.JPG -o out.png");
    assert!(said.contains("`impasto stylize a.jpg b.JPG -o out.png`"), "{said}");
    let folder = Folder::with_pictures();
    folder.write("painting", folder.read("style.png"));
    assert!(folder.run("painting content.png").stderr.contains("`impasto stylize painting content.png`"));
    for other in ["paint a.jpg", "stylise a.jpg b.jpg"] {
        assert!(!refused(other).contains("to paint the first picture"), "{other}");
    }
    assert!(refused("stylise a.jpg b.jpg").contains("'stylize'"));
}

#[test]
fn a_size_is_a_number_of_pixels() {
    for command in [
        "stylize a.png b.png",
        "texture a.png",
        "reconstruct a.png --layer relu1_1",
        "features a.png --layer relu1_1 -o f",
        "loss a.png --style b.png",
        "profile",
    ] {
        for size in ["512px", "-1", "half", "1.5", "1000001", "512x512", ""] {
            let said = refused(&format!("{command} --size={size}"));
            assert!(said.contains("a size is a whole number of pixels"), "{command} {size}: {said}");
        }
        let said = refused(&format!("{command} --size -1"));
        assert!(said.contains("a size is a whole number of pixels"), "{command}: {said}");
    }
    assert!(refused("features a.png --layer relu1_1 -o f --size 0").contains("pixels from 1 to 1000000"));
}
