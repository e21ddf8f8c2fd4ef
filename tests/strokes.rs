//! The sizes at which styles are used: what they change, what they cost, and which are refused.

use std::ops::ControlFlow;
use std::path::Path;

use impasto::{Error, Picture, Scales, Setting, Size, Style, StyleSize, Stylize, Weights};
use ndarray::Array3;

fn weights() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

fn picture(period: usize, width: usize, height: usize) -> Picture {
    let value = |(c, y, x)| ((c * 5 + y * 3 + x) % period) as f32 / period as f32;
    Picture::from_planes(Array3::from_shape_fn((3, height, width), value)).unwrap()
}

fn job(style: &Style) -> Stylize {
    Stylize::new(&weights()).content(picture(23, 64, 48)).style(style).size(Size::Own)
}

/// The style's term, of a picture of the result's size.
fn style_loss(style: &Style) -> f64 {
    let picture = picture(19, 64, 48);
    let mut gradient = Array3::zeros((3, 48, 64));
    job(style).objective().unwrap().evaluate(picture.planes(), gradient.view_mut()).unwrap().style
}

#[test]
fn a_scale_of_one_changes_nothing() {
    let style = Style::new(picture(17, 90, 80));
    let same = style.with_sizes([StyleSize::Scale(1.0)]).unwrap();
    assert_eq!(style_loss(&style), style_loss(&same));
    let run = |style: &Style| job(style).steps(4).run(|_| ControlFlow::Continue(())).unwrap().picture;
    assert_eq!(run(&style), run(&same));
}

#[test]
fn a_style_is_used_at_its_size() {
    let style = Style::new(picture(17, 90, 80));
    let sizes = |style: &Style| job(style).style_sizes().unwrap();
    // √(64 · 48 · 90 / 80) = 58.8.
    assert_eq!(sizes(&style), [(59, 52)]);
    let twice = style.with_sizes([StyleSize::Scale(2.0)]).unwrap();
    assert_eq!(sizes(&twice), [(118, 105)]);
    let longest = style.with_sizes([StyleSize::Longest(118)]).unwrap();
    assert_eq!(sizes(&longest), [(118, 105)]);
    assert_eq!(sizes(&style.in_own_size()), [(90, 80)]);
    // The target is that of the style resized, and its cache mixes no sizes.
    let resized =
        |width, height| Style::new(picture(17, 90, 80).resized(width, height).unwrap()).in_own_size();
    for (style, width, height) in
        [(&style, 59, 52), (&twice, 118, 105), (&longest, 118, 105), (&style, 59, 52)]
    {
        assert_eq!(style_loss(style), style_loss(&resized(width, height)), "{width}×{height}");
    }
    assert_ne!(style_loss(&style), style_loss(&twice));
}

#[test]
fn several_styles_have_one_size_or_each_its_own() {
    let style = Style::blend([(picture(17, 64, 48), 1.0), (picture(13, 48, 64), 1.0)]).unwrap();
    let sizes = |sizes: &[StyleSize]| {
        let style = style.with_sizes(sizes.iter().copied())?;
        job(&style).style_sizes()
    };
    assert_eq!(sizes(&[StyleSize::Scale(0.5)]).unwrap(), [(32, 24), (24, 32)]);
    assert_eq!(sizes(&[StyleSize::Scale(0.5), StyleSize::Longest(100)]).unwrap(), [(32, 24), (75, 100)]);
    for wrong in [&[][..], &[StyleSize::Scale(1.0); 3], &[StyleSize::Scale(-1.0)], &[StyleSize::Longest(0)]] {
        let error = sizes(wrong).unwrap_err();
        assert!(matches!(error, Error::Setting { setting: Setting::StyleSizes, .. }), "{error}");
        assert!(!error.to_string().contains("--"), "{error}");
    }
}

#[test]
fn a_style_too_small_for_a_layer_is_a_typed_error() {
    let style = Style::new(picture(17, 64, 48)).with_sizes([StyleSize::Scale(0.2)]).unwrap();
    for error in [
        job(&style).objective().map(|_| ()).unwrap_err(),
        job(&style).scales(Scales::Count(1)).run(|_| ControlFlow::Continue(())).map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(&error, Error::TooSmall { what, width: 13, height: 10, .. } if what == "the style"));
    }
}

#[test]
fn the_memory_of_a_large_style_is_foreseen() {
    let foreseen = |size| {
        let style = Style::new(picture(17, 64, 48)).with_sizes([size]).unwrap();
        job(&style).size(Size::Longest(256)).memory_foreseen().unwrap()
    };
    let default = foreseen(StyleSize::Scale(1.0));
    assert_eq!(foreseen(StyleSize::Scale(0.5)), default);
    assert!(foreseen(StyleSize::Scale(8.0)) > 2 * default);
    let style = Style::new(picture(17, 64, 48)).with_sizes([StyleSize::Scale(100.0)]).unwrap();
    // Its maps fit in strips, but its copy at that size doesn't.
    let error = job(&style).memory_limit(Some(1 << 28)).objective().map(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::OutOfMemory { what, width: 6400, .. } if what == "a style"), "{error}");
}
