//! Whose colours a result has.

use std::ops::ControlFlow;
use std::path::Path;

use impasto::{Colors, Error, Picture, Setting, Size, Statistic, Style, Stylize, Weights};
use ndarray::{Array2, Array3, Axis};

fn weights() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

/// Waves around a colour.
fn picture(colour: [f32; 3], contrast: f32, width: usize, height: usize) -> Picture {
    let value = |(c, y, x): (usize, usize, usize)| {
        colour[c] + contrast * ((c + 1) as f32 * 0.4 * x as f32 + 0.3 * y as f32).sin()
    };
    Picture::from_planes(Array3::from_shape_fn((3, height, width), value)).unwrap()
}

fn content() -> Picture {
    picture([0.7, 0.4, 0.3], 0.2, 48, 40)
}

fn style() -> Style {
    Style::new(picture([0.2, 0.4, 0.7], 0.15, 60, 50))
}

fn job(style: &Style, colors: Colors) -> Stylize {
    Stylize::new(&weights())
        .content(content())
        .style(style)
        .size(Size::Own)
        .steps(8)
        .statistic(Statistic::Gram)
        .colors(colors)
}

fn run(job: &Stylize) -> Picture {
    job.run(|_| ControlFlow::Continue(())).unwrap().picture
}

const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

fn luma(picture: &Picture) -> Array2<f32> {
    picture
        .planes()
        .map_axis(Axis(0), |colour| colour.iter().zip(LUMA).map(|(value, weight)| value * weight).sum())
}

#[test]
fn content_keeps_the_luma_of_the_result_and_takes_the_chroma_of_the_content() {
    let [plain, kept] = [Colors::Style, Colors::Content].map(|colors| run(&job(&style(), colors)));
    assert_ne!(plain, kept);
    let difference = (luma(&plain) - luma(&kept)).mapv(f32::abs);
    assert!(difference.iter().all(|difference| *difference < 1e-5));
    // Where nothing leaves the gamut, the chroma is the content's.
    let chroma = |picture: &Picture| &picture.planes() - &luma(picture).insert_axis(Axis(0));
    let difference = (chroma(&kept) - chroma(&content())).mapv(f32::abs);
    let same = difference.iter().filter(|difference| **difference < 1e-5).count();
    assert!(same > difference.len() * 9 / 10, "{same} of {}", difference.len());
}

#[test]
fn reported_pictures_have_the_contents_colours_too() {
    let mut reported = None;
    let job = job(&style(), Colors::Content).optimizer(impasto::Optimizer::Adam).steps(1);
    let result = job.run(|progress| {
        reported = Some(progress.picture());
        ControlFlow::Break(())
    });
    assert_eq!(reported.unwrap(), result.unwrap().picture);
}

#[test]
fn alpha_is_kept() {
    let alpha = Array2::from_shape_fn((40, 48), |(y, x)| ((x + y) % 5) as f32 / 4.0);
    let content = content().with_alpha(Some(alpha.clone())).unwrap();
    for colors in [Colors::Content, Colors::Match] {
        let result = run(&job(&style(), colors).content(content.clone()));
        assert_eq!(result.alpha().unwrap(), alpha, "{colors:?}");
    }
}

/// The style's term of a picture.
fn style_loss(job: &Stylize, of: &Picture) -> f64 {
    let mut gradient = Array3::zeros(of.planes().dim());
    job.objective().unwrap().evaluate(of.planes(), gradient.view_mut()).unwrap().style
}

#[test]
fn match_is_a_style_of_the_contents_colours_and_the_cache_keeps_them_apart() {
    // Equal pictures but for the colours: an affine map of each other.
    let shape = content();
    let recoloured = {
        let planes = shape.planes().mapv(|value| 0.3 * value + 0.5);
        Style::new(Picture::from_planes(planes).unwrap())
    };
    let loss = |colors| style_loss(&job(&recoloured, colors), &shape);
    let unmatched = loss(Colors::Style);
    // Matched, the style is the content itself, but for the ridge.
    assert!(loss(Colors::Match) < 1e-3 * unmatched, "{} of {unmatched}", loss(Colors::Match));
    assert_eq!(loss(Colors::Style), unmatched);
    assert_eq!(loss(Colors::Content), unmatched);
    // Another content is another target.
    let other = picture([0.1, 0.8, 0.2], 0.05, 48, 40);
    let of_other = style_loss(&job(&recoloured, Colors::Match).content(other), &shape);
    assert!(of_other > 0.1 * unmatched, "{of_other} of {unmatched}");
}

#[test]
fn each_of_several_styles_is_matched() {
    let shape = content();
    let recoloured =
        |gain, offset| Picture::from_planes(shape.planes().mapv(|value| gain * value + offset)).unwrap();
    let blend = Style::blend([(recoloured(0.3, 0.5), 1.0), (recoloured(0.5, 0.1), 2.0)]).unwrap();
    let [matched, unmatched] =
        [Colors::Match, Colors::Style].map(|colors| style_loss(&job(&blend, colors), &shape));
    assert!(matched < 1e-3 * unmatched, "{matched} of {unmatched}");
}

#[test]
fn grey_and_constant_pictures_give_pictures() {
    let grey = |contrast| {
        let value =
            |(_, y, x): (usize, usize, usize)| 0.5 + contrast * (0.4 * x as f32 + 0.3 * y as f32).sin();
        Picture::from_planes(Array3::from_shape_fn((3, 40, 48), value)).unwrap()
    };
    let black = Picture::from_planes(Array3::zeros((3, 40, 48))).unwrap();
    for style in [grey(0.3), grey(0.0), black.clone()] {
        for content in [content(), grey(0.3), black.clone()] {
            for colors in [Colors::Content, Colors::Match] {
                let job = job(&Style::new(style.clone()), colors).content(content.clone()).steps(2);
                let result = run(&job);
                assert!(result.planes().iter().all(|value| (0.0..=1.0).contains(value)), "{colors:?}");
            }
        }
    }
}

#[test]
fn colours_need_both_pictures() {
    for colors in [Colors::Content, Colors::Match] {
        let without_content = Stylize::new(&weights()).style(style()).colors(colors);
        let without_style = Stylize::new(&weights()).content(content()).colors(colors);
        for job in [without_content, without_style] {
            let error = job.run(|_| ControlFlow::Continue(())).unwrap_err();
            assert!(matches!(error, Error::Setting { setting: Setting::Colors, .. }), "{error}");
        }
    }
}
