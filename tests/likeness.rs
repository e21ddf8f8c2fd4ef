//! The Laplacian term in a job.

use std::ops::ControlFlow;
use std::path::Path;

use impasto::{Error, Picture, Setting, Size, Stylize, Weights};
use ndarray::{Array2, Array3};

fn weights() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

fn picture(period: usize, width: usize, height: usize) -> Picture {
    let value = |(c, y, x)| ((c * 5 + y * 3 + x) % period) as f32 / period as f32;
    Picture::from_planes(Array3::from_shape_fn((3, height, width), value)).unwrap()
}

fn job() -> Stylize {
    Stylize::new(&weights()).content(picture(23, 70, 50)).style(picture(17, 60, 60)).size(Size::Own).steps(12)
}

#[test]
fn without_weight_there_is_no_term() {
    let run = |job: Stylize| {
        job.run(|progress| {
            assert_eq!(progress.losses.laplacian, None);
            ControlFlow::Continue(())
        })
    };
    assert_eq!(run(job()).unwrap().picture, run(job().laplacian_weight(0.0)).unwrap().picture);
    assert_eq!(job().memory_foreseen().unwrap(), job().laplacian_weight(0.0).memory_foreseen().unwrap());
    assert!(job().laplacian_weight(1.0).memory_foreseen().unwrap() > job().memory_foreseen().unwrap());
}

#[test]
fn the_weighted_term_is_in_the_total_and_in_the_gradient() {
    let of = picture(19, 70, 50);
    let evaluated = |weight| {
        let mut gradient = Array3::zeros(of.planes().dim());
        let job = job().laplacian_weight(weight);
        let losses = job.objective().unwrap().evaluate(of.planes(), gradient.view_mut()).unwrap().clone();
        (losses, gradient)
    };
    let (without, gradient_without) = evaluated(0.0);
    let (with, gradient) = evaluated(3.0);
    let laplacian = with.laplacian.unwrap();
    assert!(laplacian > 0.0);
    assert!((with.total - without.total - 3.0 * laplacian).abs() < 1e-9 * with.total);
    assert_ne!(gradient, gradient_without);
}

#[test]
fn a_larger_weight_keeps_more_of_the_contents_laplacian() {
    let at_the_end = |weight| {
        let mut value = 0.0;
        let job = job().steps(30).laplacian_weight(weight);
        job.run(|progress| {
            value = progress.losses.laplacian.unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
        value
    };
    let [weak, strong] = [1e-6, 20.0].map(at_the_end);
    assert!(strong < 0.5 * weak, "{strong} and {weak}");
}

#[test]
fn weights_out_of_range_and_textures_are_refused() {
    let texture = Stylize::new(&weights()).style(picture(17, 60, 60)).laplacian_weight(1.0);
    for job in [
        texture,
        job().laplacian_weight(-1.0),
        job().laplacian_weight(f64::NAN),
        job().laplacian_weight(1e39),
    ] {
        let error = job.run(|_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, Error::Setting { setting: Setting::LaplacianWeight, .. }), "{error}");
    }
}

#[test]
fn with_a_mask_the_term_is_that_of_the_mask() {
    let of = picture(19, 70, 50);
    let half = |values: [f32; 2]| {
        let value = |(_, x): (usize, usize)| values[usize::from(x >= 32)];
        impasto::Mask::from_plane(Array2::from_shape_fn((50, 70), value)).unwrap()
    };
    let of_mask = |mask| {
        let job = job().laplacian_weight(3.0).mask(mask);
        let mut gradient = Array3::zeros(of.planes().dim());
        let losses = job.objective().unwrap().evaluate(of.planes(), gradient.view_mut()).unwrap().clone();
        losses.laplacian.unwrap()
    };
    let (left, right, both) = (of_mask(half([1.0, 0.0])), of_mask(half([0.0, 1.0])), of_mask(half([1.0; 2])));
    assert!(left > 0.0 && right > 0.0 && (left - right).abs() > 1e-3 * both, "{left} and {right}");
    // A grey mask is the whole picture's term of half the strength.
    let grey = of_mask(half([0.5; 2]));
    assert!((grey - 0.5 * both).abs() < 1e-6 * both, "{grey} and {both}");
}
