//! What a job takes, told before it runs and while it does.

use std::ops::ControlFlow;
use std::path::Path;

use impasto::{Error, Init, Optimizer, Picture, Scales, Size, Style, StyleSize, Stylize, Weights};
use ndarray::Array3;

fn weights() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

fn picture(period: usize, width: usize, height: usize) -> Picture {
    let value = |(c, y, x)| ((c * 5 + y * 3 + x) % period) as f32 / period as f32;
    Picture::from_planes(Array3::from_shape_fn((3, height, width), value)).unwrap()
}

fn job() -> Stylize {
    Stylize::new(&weights()).content(picture(23, 70, 50)).style(picture(17, 60, 60)).steps(10)
}

#[test]
fn an_estimate_has_the_scales_that_the_work_has() {
    for job in [
        job().size(Size::Longest(200)).scales(Scales::Count(3)),
        job().size(Size::Own),
        job().size(Size::Longest(30)),
        job().size(Size::Longest(300)).optimizer(Optimizer::Adam),
        Stylize::new(&weights()).style(picture(17, 60, 60)).size(Size::Longest(150)).steps(3),
        Stylize::new(&weights())
            .content(picture(17, 60, 60))
            .init(Init::Noise)
            .size(Size::Longest(150))
            .steps(3),
    ] {
        let estimate = job.estimate().unwrap();
        let mut scales = Vec::new();
        job.run(|progress| {
            scales.push((progress.width, progress.height, progress.schedule[progress.scale - 1].steps));
            ControlFlow::Continue(())
        })
        .unwrap();
        scales.dedup();
        let found: Vec<_> =
            estimate.scales.iter().map(|scale| (scale.width, scale.height, scale.steps)).collect();
        assert_eq!(found, scales);
        assert_eq!(estimate.memory, job.memory_foreseen().unwrap());
        let of_scales: f64 = estimate.scales.iter().map(|scale| scale.seconds).sum();
        assert!(estimate.scales.iter().all(|scale| scale.seconds > 0.0), "{estimate:?}");
        assert!(estimate.seconds >= of_scales && estimate.seconds < of_scales + 60.0, "{estimate:?}");
    }
}

#[test]
fn a_step_takes_longer_at_larger_scales() {
    let estimate = job().size(Size::Longest(1024)).steps(100).estimate().unwrap();
    let steps: Vec<_> = estimate.scales.iter().map(|scale| scale.seconds / scale.steps as f64).collect();
    assert!(steps.len() == 7 && steps.is_sorted(), "{estimate:?}");
}

#[test]
fn an_estimate_fails_as_the_work_does() {
    let small = Style::new(picture(17, 64, 48)).with_sizes([StyleSize::Scale(0.1)]).unwrap();
    for job in [
        job().size(Size::Longest(9)),
        job().memory_limit(Some(1000)),
        job().style_weight(-1.0),
        job().style(small.clone()),
        job().size(Size::Longest(130)).style(small),
    ] {
        let (found, expected) =
            (job.estimate().unwrap_err(), job.run(|_| ControlFlow::Continue(())).unwrap_err());
        let limits = |error: Error| match error {
            Error::OutOfMemory { needed, .. } => format!("{needed}"),
            other => other.to_string(),
        };
        assert_eq!(limits(found), limits(expected));
    }
}

/// A style may be too small for a layer in the small pictures that are measured, and large enough in the work's.
#[test]
fn a_small_style_is_measured_in_larger_pictures() {
    let style = Style::new(picture(17, 64, 48)).with_sizes([StyleSize::Scale(0.1)]).unwrap();
    let job = job().style(style).size(Size::Longest(300)).scales(Scales::Count(1));
    assert!(job.estimate().unwrap().seconds > 0.0);
}

#[test]
fn the_time_left_ends_at_0() {
    let mut left = Vec::new();
    job()
        .size(Size::Longest(200))
        .scales(Scales::Count(2))
        .run(|progress| {
            left.push(progress.seconds_left);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(left.len(), 10);
    assert!(left.iter().all(|left| left.is_finite() && *left >= 0.0), "{left:?}");
    assert!(left[..9].iter().all(|left| *left > 0.0) && left[9] == 0.0, "{left:?}");
}
