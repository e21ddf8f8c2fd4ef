//! What lies beyond a picture's edges, seen in whole pictures.

#![cfg(feature = "embedded")]

use std::ops::ControlFlow;

use impasto::{Edges, Picture, Size, Stylize, Weights};
use ndarray::{Array3, Axis, s};

/// Strokes of two colours that run off the picture.
fn painting() -> Picture {
    let planes = Array3::from_shape_fn((3, 64, 64), |(c, y, x)| {
        let stroke = (x * 3 + y * 2) / 7 % 3 + (x / 5 + y / 9 + c) % 2;
        0.15 + 0.2 * stroke as f32
    });
    Picture::from_planes(planes).unwrap()
}

fn mean_difference(a: &Array3<f32>, b: &Array3<f32>) -> f32 {
    (a - b).mapv(f32::abs).mean().unwrap()
}

/// How much larger the differences across the seam are, where the picture follows itself, than those of neighbours within it.
fn seam(picture: &Picture, axis: Axis) -> f32 {
    let planes = picture.planes().to_owned();
    let len = planes.len_of(axis);
    let part = |from: usize, to: usize| planes.slice_axis(axis, (from..to).into()).to_owned();
    mean_difference(&part(0, 1), &part(len - 1, len)) / mean_difference(&part(0, len - 1), &part(1, len))
}

#[test]
fn a_texture_that_wraps_has_no_seam_and_another_has() {
    let texture = |edges: Edges| {
        let job = Stylize::new(&Weights::embedded()).style(painting()).size(Size::Longest(64)).steps(60);
        job.edges(edges).run(|_| ControlFlow::Continue(())).unwrap().picture
    };
    let [wrapped, replicated] = [Edges::Wrap, Edges::Replicate].map(texture);
    for axis in [Axis(1), Axis(2)] {
        assert!(seam(&wrapped, axis) < 1.2, "{axis:?}: {}", seam(&wrapped, axis));
        assert!(seam(&replicated, axis) > 1.4, "{axis:?}: {}", seam(&replicated, axis));
    }
}

/// Moving the picture around moves the gradient with it, by a multiple of the deepest layer's stride.
#[test]
fn the_gradient_wraps_with_the_picture() {
    let side = 32;
    let job = Stylize::new(&Weights::embedded())
        .style(painting())
        .size(Size::Exactly { width: side, height: side })
        .edges(Edges::Wrap);
    let mut objective = job.objective().unwrap();
    let picture =
        Array3::from_shape_fn((3, side, side), |(c, y, x)| ((c + y * 7 + x * x) % 11) as f32 / 11.0);
    let moved =
        Array3::from_shape_fn((3, side, side), |(c, y, x)| picture[[c, (y + 16) % side, (x + 16) % side]]);
    let mut gradients = [(); 2].map(|()| Array3::zeros((3, side, side)));
    objective.evaluate(picture.view(), gradients[0].view_mut()).unwrap();
    objective.evaluate(moved.view(), gradients[1].view_mut()).unwrap();
    let largest = gradients[0].iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    for (c, y, x) in [(0, 0, 0), (1, 31, 5), (2, 15, 16), (0, 16, 31)] {
        let (before, after) = (gradients[0][[c, (y + 16) % side, (x + 16) % side]], gradients[1][[c, y, x]]);
        assert!((before - after).abs() < 1e-4 * largest, "{before} {after} of {largest}");
    }
    assert!(gradients[0].slice(s![.., 0, ..]).iter().any(|value| *value != 0.0));
}
