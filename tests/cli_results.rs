//! What the command's results carry beside the picture: depth.

#[path = "common/command.rs"]
mod command;

use command::Folder;
use image::ColorType;

/// Steps and a size at which the small network takes no time.
const QUICK: &str = "--size 32 --steps 3";

#[test]
fn results_have_the_depth_asked_for() {
    let folder = Folder::with_pictures();
    for command in
        ["stylize content.png style.png", "texture style.png", "reconstruct content.png --layer relu2_1"]
    {
        for name in ["out.png", "out.tif"] {
            folder.run(&format!("{command} {QUICK} --depth 16 --save-every 3 -o {name}")).notes();
            assert_eq!(folder.decode(name).color(), ColorType::Rgb16, "{command} {name}");
            let numbered = name.replace('.', "-0003.");
            assert_eq!(folder.decode(&numbered).color(), ColorType::Rgb16, "{command} {numbered}");
        }
        folder.run(&format!("{command} {QUICK} --depth 8 -o out.png")).notes();
        assert_eq!(folder.decode("out.png").color(), ColorType::Rgb8, "{command}");
    }
}

#[test]
fn a_depth_that_the_format_has_not_is_refused_before_the_work() {
    let folder = Folder::with_pictures();
    let names = folder.names();
    for (name, format) in [("out.jpg", "JPEG"), ("out.webp", "WebP")] {
        let command = format!("stylize content.png style.png --steps 100000 --depth 16 -o {name}");
        folder.run(&command).failed_with(&[format, "16 bits", "--depth 8"]);
    }
    assert_eq!(folder.names(), names);
}
