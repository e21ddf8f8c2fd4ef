//! --mask, --style-mask and --regions: what they do, and that wrong ones end in one clear line.

#[path = "common/command.rs"]
mod command;

use command::Folder;
use image::{GrayImage, ImageBuffer, Luma, Rgb};

const QUICK: &str = "--size 0 --steps 6 --style-weight 50 -q";

/// A folder with pictures, masks and maps of their sizes.
fn folder() -> Folder {
    let folder = Folder::with_pictures();
    folder.picture("other.png", 40, 40);
    let grey = |name: &str, width, height, level: &dyn Fn(u32) -> u8| {
        let mask: GrayImage = ImageBuffer::from_fn(width, height, |x, _| Luma([level(x)]));
        mask.save(folder.path(name)).unwrap();
    };
    grey("left.png", 40, 30, &|x| if x < 20 { 255 } else { 0 });
    grey("right.png", 80, 60, &|x| if x < 40 { 0 } else { 255 });
    grey("black.png", 40, 30, &|_| 0);
    grey("upright.png", 30, 40, &|_| 255);
    let map = |name: &str, width, height, right: [u8; 3]| {
        let color = |x| if x < width / 2 { Rgb([0, 0, 255]) } else { Rgb(right) };
        ImageBuffer::from_fn(width, height, |x, _| color(x)).save(folder.path(name)).unwrap();
    };
    map("content-map.png", 40, 30, [0, 255, 0]);
    map("style-map.png", 32, 36, [0, 255, 0]);
    map("one-sided.png", 32, 36, [0, 0, 255]);
    ImageBuffer::from_fn(40, 30, |x, y| Rgb([6 * x as u8, 8 * y as u8, 0]))
        .save(folder.path("noisy.png"))
        .unwrap();
    folder
}

#[test]
fn styles_act_where_they_are_placed() {
    let folder = folder();
    let run = |arguments: &str| {
        folder.run(&format!("stylize content.png {arguments} {QUICK} --strip -o out.png")).notes();
        folder.read("out.png")
    };
    let default = run("style.png");
    let masked = run("style.png --mask left.png");
    let (out, content) = (folder.decode("out.png").to_rgb8(), folder.decode("content.png").to_rgb8());
    let is_content = |x: u32| (0..30).all(|y| out.get_pixel(x, y) == content.get_pixel(x, y));
    assert!((20..40).all(is_content) && !(0..20).all(is_content));
    let styles = "style.png other.png --style-mask left.png --style-mask right.png";
    let each = run(styles);
    let regions = run("style.png --regions content-map.png style-map.png");
    let results = [
        default,
        masked,
        each,
        regions,
        run("style.png other.png"),
        run("style.png other.png --style-mask right.png --style-mask left.png"),
        run(&format!("{styles} --mask left.png")),
        run(&format!("{styles} --blend 3,1")),
        run("style.png --mask left.png --regions content-map.png style-map.png"),
        run("style.png --style-mask left.png"),
    ];
    for (at, one) in results.iter().enumerate() {
        assert!(results[..at].iter().all(|other| other != one), "result {at} is one of those before");
    }
}

#[test]
fn what_does_not_fit_fails_in_one_line_with_its_flag() {
    let folder = folder();
    let names = folder.names();
    for (arguments, words) in [
        ("style.png --mask upright.png", &["--mask: ", "30×40 pixels has another aspect", "40×30"][..]),
        ("style.png --mask black.png", &["--mask: ", "black"]),
        ("style.png --mask missing.png", &["missing.png"]),
        ("style.png other.png --style-mask left.png", &["--style-mask: ", "found 1 for 2"]),
        ("style.png --style-mask left.png --style-mask right.png", &["--style-mask: ", "found 2 for 1"]),
        (
            "style.png other.png --style-mask left.png --style-mask black.png",
            &["--style-mask: ", "mask 2 is black"],
        ),
        (
            "style.png other.png --regions content-map.png style-map.png",
            &["--regions: ", "one style, found 2"],
        ),
        ("style.png --regions content-map.png one-sided.png", &["--regions: ", "#00ff00", "lacks"]),
        ("style.png --regions noisy.png style-map.png", &["--regions: ", "32 colours", "PNG"]),
        ("style.png --regions content-map.png upright.png", &["--regions: ", "lacks"]),
        (
            "style.png --regions style-map.png content-map.png",
            &["--regions: ", "32×36 pixels has another aspect"],
        ),
        // Inputs are not overwritten.
        ("style.png --mask left.png --metrics left.png", &["--metrics", "the input left.png"]),
        (
            "style.png --regions content-map.png style-map.png --metrics style-map.png",
            &["--metrics", "style-map.png"],
        ),
        ("style.png --style-mask left.png --metrics left.png", &["--metrics", "the input left.png"]),
    ] {
        folder.run(&format!("stylize content.png {arguments} {QUICK} -o out.png")).failed_with(words);
        assert_eq!(folder.names(), names, "{arguments}");
    }
}

#[test]
fn bad_usage() {
    let folder = folder();
    for arguments in [
        "style.png --mask",
        "style.png --mask left.png --mask right.png",
        "style.png --regions content-map.png",
        "style.png --regions content-map.png style-map.png --regions content-map.png style-map.png",
        "style.png --regions content-map.png style-map.png --style-mask left.png",
    ] {
        let ran = folder.run(&format!("stylize content.png {arguments} -o out.png"));
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{arguments}: {}", ran.stderr);
    }
}

/// Flags that take two words come back from a file of settings and from a result.
#[test]
fn regions_are_kept_in_settings() {
    let folder = folder();
    let regions = "--regions content-map.png style-map.png";
    let command = format!("stylize content.png style.png {QUICK}");
    folder.run(&format!("{command} {regions} -o out.png --save-config saved.toml")).notes();
    let shown = folder.run("show out.png").answer();
    assert!(shown.contains(regions), "{shown}");
    folder.run(&format!("{command} -o again.png --config saved.toml")).notes();
    assert!(folder.read("again.png") == folder.read("out.png"));
}
