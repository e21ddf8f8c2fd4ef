//! stylize, texture and reconstruct: what they write, where and how large, and what they say of each step.

#[path = "common/command.rs"]
mod command;

use std::fs;

use command::{Folder, Ran, demo};
use image::{ColorType, GenericImageView, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use impasto::simd::Isa;
use serde_json::Value;

/// Steps and a size at which the small network takes no time.
const QUICK: &str = "--size 32 --steps 4";

#[test]
fn results_are_named_after_the_pictures() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("elsewhere")).unwrap();
    fs::rename(folder.path("style.png"), folder.path("elsewhere/style.png")).unwrap();
    for (arguments, name) in [
        ("stylize content.png elsewhere/style.png", "content-in-style.png"),
        (
            "stylize content.png elsewhere/style.png content.png --blend 1,1",
            "content-in-style-and-content.png",
        ),
        ("texture elsewhere/style.png", "style-texture.png"),
        ("reconstruct content.png --layer relu2_1 --layer conv1_1", "content-from-relu2_1-and-conv1_1.png"),
    ] {
        let notes = folder.run(&format!("{arguments} {QUICK}")).notes();
        assert_eq!(notes.lines().count(), 1, "{notes}");
        assert!(notes.starts_with(&format!("wrote {name}: ")) && notes.contains(" 4 steps, "), "{notes}");
        assert_eq!(folder.decode(name).width().max(folder.decode(name).height()), 32);
    }
}

#[test]
fn results_have_the_size_asked_for_exactly() {
    let folder = Folder::with_pictures();
    folder.picture("1x1.png", 1, 1);
    folder.picture("3x5.png", 3, 5);
    for (arguments, size) in [
        ("stylize content.png style.png --size 37", (37, 28)),
        ("stylize content.png style.png --size 0", (40, 30)),
        ("stylize style.png content.png --size 150 --scales 3", (133, 150)),
        ("stylize 1x1.png style.png --size 33", (33, 33)),
        ("stylize 3x5.png style.png --size 33", (20, 33)),
        ("stylize content.png 1x1.png --size 33", (33, 25)),
        ("stylize content.png 3x5.png --size 33", (33, 25)),
        ("texture style.png --size 50", (44, 50)),
        ("texture style.png --size 0", (32, 36)),
        ("reconstruct content.png --layer conv2_1 --size 21", (21, 16)),
        // A picture too small for the default layers is large enough for others.
        ("stylize 3x5.png style.png --size 9 --content-layer relu2_1 --style-layer relu1_1", (5, 9)),
    ] {
        folder.run(&format!("{arguments} --steps 3 -o out.png")).notes();
        assert_eq!(folder.decode("out.png").dimensions(), size, "{arguments}");
    }
}

#[test]
fn formats_go_by_the_name() {
    let folder = Folder::with_pictures();
    for (name, format) in [
        ("out.png", ImageFormat::Png),
        ("out.JPG", ImageFormat::Jpeg),
        ("out.jpeg", ImageFormat::Jpeg),
        ("out.webp", ImageFormat::WebP),
        ("out.tiff", ImageFormat::Tiff),
    ] {
        folder.run(&format!("stylize content.png style.png {QUICK} -o {name}")).notes();
        assert_eq!(image::guess_format(&folder.read(name)).unwrap(), format, "{name}");
    }
}

#[test]
fn standard_output_is_the_same_png() {
    let folder = Folder::with_pictures();
    let command = format!("stylize content.png style.png {QUICK} -o");
    folder.run(&format!("{command} out.png")).notes();
    let Ran { code, stdout, stderr } = folder.run(&format!("{command} -"));
    assert_eq!((code, stderr.lines().count()), (Some(0), 1), "{stderr}");
    assert!(stdout == folder.read("out.png"), "the two differ");
}

#[test]
fn alpha_comes_back() {
    let folder = Folder::with_pictures();
    let alpha = |x: u32, y: u32| if x < 20 { 255 } else { 8 * y as u8 };
    let picture = ImageBuffer::from_fn(40, 30, |x, y| Rgba([5 * x as u8, 8 * y as u8, 90, alpha(x, y)]));
    picture.save(folder.path("alpha.png")).unwrap();
    folder.run("stylize alpha.png style.png --size 0 --steps 4 -o out.png").notes();
    let out = folder.decode("out.png");
    assert_eq!(out.color(), ColorType::Rgba8);
    for (x, y, pixel) in out.to_rgba8().enumerate_pixels() {
        assert_eq!(pixel[3], alpha(x, y), "at {x}, {y}");
    }
    folder.run("stylize alpha.png style.png --size 24 --steps 4 -o out.webp").notes();
    let out = folder.decode("out.webp");
    assert_eq!((out.dimensions(), out.color()), ((24, 18), ColorType::Rgba8));
}

#[test]
fn pictures_of_16_bits_and_grey_ones_work() {
    let folder = Folder::with_pictures();
    let deep = ImageBuffer::from_fn(40, 30, |x, y| Rgb([1000 * x as u16, 2000 * y as u16, 30_000]));
    deep.save(folder.path("deep.png")).unwrap();
    ImageBuffer::from_fn(36, 36, |x, y| Luma([(7 * x + 3 * y) as u8])).save(folder.path("grey.png")).unwrap();
    folder.run(&format!("stylize deep.png grey.png {QUICK} -o out.png")).notes();
    assert_eq!(folder.decode("out.png").color(), ColorType::Rgb8);
    folder.run(&format!("stylize grey.png deep.png {QUICK} -o out.png")).notes();
    assert_eq!(folder.decode("out.png").color(), ColorType::Rgb8);
}

#[test]
fn metrics_have_an_object_a_step() {
    let folder = Folder::with_pictures();
    let weights = "--content-weight 2 --style-weight 7 --tv-weight 0.5";
    let options = "--size 48 --scales 2 --steps 12 -o out.png --metrics metrics.jsonl";
    folder.run(&format!("stylize content.png style.png {weights} {options}")).notes();
    let metrics = metrics(&folder);
    let number = |step: &Value, key: &str| step[key].as_f64().unwrap_or_else(|| panic!("{key} in {step}"));
    for step in &metrics {
        assert_eq!(step.as_object().unwrap().len(), 8, "{step}");
        let total = 2.0 * number(step, "content") + 7.0 * number(step, "style") + 0.5 * number(step, "tv");
        assert!((number(step, "loss") - total).abs() <= 1e-9 * total, "{step}");
    }
    for key in ["scale", "step", "evaluations", "seconds"] {
        assert!(metrics.is_sorted_by(|a, b| number(a, key) <= number(b, key)), "{key}");
    }
    let scales: Vec<_> = metrics.iter().map(|step| number(step, "scale")).collect();
    assert_eq!((scales[0], *scales.last().unwrap()), (1.0, 2.0));
    assert!(number(metrics.last().unwrap(), "step") <= 12.0);
}

#[test]
fn the_picture_written_has_the_loss_that_was_reported() {
    let folder = Folder::with_pictures();
    folder.picture("other.png", 40, 30);
    let options = "--tv-weight 0 --size 0 --scales 1 --steps 20 -o out.png --metrics metrics.jsonl";
    for optimizer in ["lbfgs", "adam"] {
        folder.run(&format!("stylize content.png other.png {options} --optimizer {optimizer}")).notes();
        let losses = metrics(&folder).into_iter().map(|step| step["loss"].as_f64().unwrap());
        let reported = losses.min_by(f64::total_cmp).unwrap();
        let written =
            folder.run("loss out.png --content content.png --style other.png --tv-weight 0 --json").json();
        let written = written["loss"].as_f64().unwrap();
        // The picture is of 8 bits. Clipped colours would add several times as much.
        let difference = (written - reported).abs() / reported;
        assert!(difference < 0.01, "{optimizer}: {written} written, {reported} reported");
    }
}

#[test]
fn pictures_are_saved_on_the_way() {
    let folder = Folder::with_pictures();
    folder.run("stylize content.png style.png --size 32 --steps 7 --save-every 3 -o out.png").notes();
    assert_eq!(folder.names(), ["content.png", "out-0003.png", "out-0006.png", "out.png", "style.png"]);
    assert_eq!(folder.decode("out-0003.png").dimensions(), (32, 24));
    assert_ne!(folder.read("out-0003.png"), folder.read("out-0006.png"));
}

#[test]
fn pictures_saved_on_the_way_have_the_alpha_of_their_size() {
    let folder = Folder::with_pictures();
    let alpha = |x: u32, y: u32| if x < 20 { 255 } else { 8 * y as u8 };
    let picture = ImageBuffer::from_fn(40, 30, |x, y| Rgba([5 * x as u8, 8 * y as u8, 90, alpha(x, y)]));
    picture.save(folder.path("alpha.png")).unwrap();
    folder.run("stylize alpha.png style.png --size 0 --steps 4 --scales 2 --save-every 2 -o out.png").notes();
    assert_eq!(folder.decode("out-0002.png").dimensions(), (28, 21));
    assert_eq!(folder.decode("out-0002.png").color(), ColorType::Rgba8);
    let saved = folder.decode("out-0004.png");
    assert_eq!(saved.dimensions(), (40, 30));
    for (x, y, pixel) in saved.to_rgba8().enumerate_pixels() {
        assert_eq!(pixel[3], alpha(x, y), "at {x}, {y}");
    }
}

/// Options that change what is made, each against the default.
#[test]
fn no_option_is_without_effect() {
    let folder = Folder::with_pictures();
    folder.picture("other.png", 40, 40);
    let run = |arguments: &str| {
        folder.run(&format!("{arguments} {QUICK} --strip -o out.png")).notes();
        folder.read("out.png")
    };
    let default = run("stylize content.png style.png");
    assert!(run("stylize content.png style.png") == default, "the same command makes the same picture");
    for options in [
        "--content-weight 3",
        "--style-weight 50",
        "--tv-weight 77",
        "--content-layer relu3_1",
        "--style-layer relu1_1",
        "--style-layer relu1_1=0.9 --style-layer relu2_1=0.1",
        "--loss gatys",
        "--pooling average",
        "--optimizer adam",
        "--init noise",
        "--init other.png",
        "--scales 2",
        "--preprocessing torchvision",
        "--weights tiny_a_lrn",
    ] {
        assert!(run(&format!("stylize content.png style.png {options}")) != default, "{options}");
    }
    let noise = run("stylize content.png style.png --init noise");
    assert!(run("stylize content.png style.png --init noise --seed 0") == noise);
    assert!(run("stylize content.png style.png --init noise --seed 1") != noise);

    let texture = run("texture style.png");
    for options in [
        "--seed 1",
        "--style-layer relu1_1",
        "--tv-weight 77",
        "--loss gatys --tv-weight 99",
        "--pooling average",
    ] {
        assert!(run(&format!("texture style.png {options}")) != texture, "{options}");
    }
    let reconstruction = run("reconstruct content.png --layer conv2_1");
    for options in ["--layer conv3_1", "--layer conv2_1 --seed 1", "--layer conv2_1 --tv-weight 77"] {
        assert!(run(&format!("reconstruct content.png {options}")) != reconstruction, "{options}");
    }
}

#[test]
fn styles_blend_by_their_shares() {
    let folder = Folder::with_pictures();
    folder.picture("other.png", 40, 40);
    let run = |arguments: &str| {
        folder.run(&format!("stylize content.png {arguments} {QUICK} --strip -o out.png")).notes();
        folder.read("out.png")
    };
    let (one, other, both) = (run("style.png"), run("other.png"), run("style.png other.png"));
    assert!(both != one && both != other);
    assert!(run("style.png other.png --blend 1,1") == both);
    assert!(run("style.png other.png --blend 3,3") == both);
    assert!(run("style.png other.png --blend 3,1") != both);
    assert!(run("style.png other.png --blend 1,0") == one);
    assert!(run("style.png other.png --blend 0,1") == other);
}

#[test]
fn bytes_depend_on_neither_threads_nor_chance() {
    let folder = Folder::with_pictures();
    for isa in Isa::available() {
        let command = format!("stylize content.png style.png --size 70 --steps 6 --isa {}", isa.name());
        let mut pictures = Vec::new();
        for threads in [1, 2, 3, 3] {
            folder.run(&format!("{command} --threads {threads} -o out.png")).notes();
            pictures.push(folder.read("out.png"));
        }
        assert!(pictures.iter().all(|picture| *picture == pictures[0]), "{}", isa.name());
    }
}

#[test]
fn instruction_sets_agree_in_what_they_make() {
    let folder = Folder::with_pictures();
    let pictures: Vec<_> = Isa::available()
        .into_iter()
        .map(|isa| {
            let isa = isa.name();
            folder.run(&format!("stylize content.png style.png {QUICK} -o out.png --isa {isa}")).notes();
            folder.decode("out.png").to_rgb8().into_raw()
        })
        .collect();
    for picture in &pictures {
        let furthest = picture.iter().zip(&pictures[0]).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(furthest <= 8, "a level differs by {furthest}");
    }
}

/// The main job on the pictures that come with the program.
#[test]
fn the_demonstration_pictures_go_through_the_whole_pipeline() {
    let folder = Folder::new();
    let pictures = format!("{} {}", demo("content.png"), demo("style.jpg"));
    let options = "--size 64 --steps 40 --scales 2 --metrics metrics.jsonl -o out.png";
    let notes = folder.run(&format!("stylize {pictures} {options}")).notes();
    assert!(notes.starts_with("wrote out.png: 64×48, 40 steps, "), "{notes}");
    assert_eq!(folder.decode("out.png").dimensions(), (64, 48));
    let metrics = metrics(&folder);
    for scale in [1, 2] {
        let losses: Vec<f64> = metrics
            .iter()
            .filter(|step| step["scale"] == scale)
            .map(|step| step["loss"].as_f64().unwrap())
            .collect();
        assert!(losses.len() > 3 && losses.last() < losses.first(), "scale {scale}: {losses:?}");
    }
    let style = |step: &Value| step["style"].as_f64().unwrap();
    assert!(style(metrics.last().unwrap()) < 0.5 * style(&metrics[0]), "the style's error hardly falls");
}

fn metrics(folder: &Folder) -> Vec<Value> {
    let text = String::from_utf8(folder.read("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
