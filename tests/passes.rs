//! How often the network runs, exactly one forward and one backward pass per evaluation; and what the scales preserve.

use std::ops::ControlFlow;
use std::path::Path;

use impasto::optimize::{Bounds, History, Settings, lbfgs};
use impasto::parallel::ranks::Ranks;
use impasto::stylize::schedule::Scales;
use impasto::stylize::{Init, Size};
use impasto::{Picture, Stylize, Weights};
use ndarray::{Array3, ArrayView3, ArrayViewMut3};

#[test]
fn one_forward_and_one_backward_pass_per_evaluation() {
    let weights = tiny_vgg19();
    let (height, width) = (37, 53);
    let [content, style] = pictures(height, width);
    let job = Stylize::new(&weights)
        .content(Picture::from_planes(content.clone()).unwrap())
        .style(Picture::from_planes(style).unwrap())
        .size(Size::Own);
    let mut objective = job.objective().unwrap();
    objective.start_profile();

    let mut function = |pixels: &[f32], gradient: &mut [f32]| {
        let picture = ArrayView3::from_shape((3, height, width), pixels).unwrap();
        let gradient = ArrayViewMut3::from_shape((3, height, width), gradient).unwrap();
        Some(objective.evaluate(picture, gradient).unwrap().total)
    };
    let settings = Settings {
        steps: 30,
        tolerance: 0.0,
        first_step: 0.02,
        history: History::single(10),
        bounds: Bounds::NONE,
        ranks: Ranks::ALONE,
    };
    let found = lbfgs(&mut function, content.iter().copied().collect::<Vec<_>>(), &settings, &mut |_| {
        ControlFlow::Continue(())
    });

    // One evaluation at the start, and usually one per step.
    assert!(
        found.steps > 10 && found.evaluations <= found.steps + found.steps / 4 + 1,
        "{}",
        found.evaluations
    );
    let profile = objective.profile().unwrap();
    assert!(!profile.layers.is_empty());
    for layer in &profile.layers {
        assert_eq!(layer.forward.len(), found.evaluations, "forward passes of {}", layer.name);
        assert_eq!(layer.backward.len(), found.evaluations, "backward passes of {}", layer.name);
    }
}

/// Between scales only the change to the content is enlarged: without a change the result is the content, not a blurred
/// copy.
#[test]
fn the_scales_preserve_the_contents_detail() {
    let weights = tiny_vgg19();
    let [content, style] = pictures(60, 80);
    let job = Stylize::new(&weights)
        .content(Picture::from_planes(content.clone()).unwrap())
        .style(Picture::from_planes(style).unwrap())
        .size(Size::Own)
        .scales(Scales::Count(3));
    let unchanged = |job: &Stylize| job.clone().steps(0).run(|_| ControlFlow::Continue(())).unwrap().picture;
    let difference = (&unchanged(&job).planes() - &content).mapv(f32::abs);
    assert!(difference.iter().all(|difference| *difference < 1e-5));

    // Ending at the first scale preserves the detail too: one step changes the values by some hundredths.
    let mut sizes = Vec::new();
    let stopped = job.clone().steps(30).run(|progress| {
        sizes.push(progress.width);
        ControlFlow::Break(())
    });
    let difference = (&stopped.unwrap().picture.planes() - &content).mapv(f32::abs);
    assert!(sizes.iter().all(|width| *width < 80), "{sizes:?}");
    assert!(difference.iter().all(|difference| *difference < 0.1), "{difference}");

    // From noise, without steps, the result does not depend on the content.
    let job = job.init(Init::Noise);
    let noise = unchanged(&job);
    let job = job.content(Picture::from_planes(1.0 - content).unwrap());
    assert_eq!(unchanged(&job).planes(), noise.planes());
}

fn tiny_vgg19() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

/// Two periodic pictures.
fn pictures(height: usize, width: usize) -> [Array3<f32>; 2] {
    [23, 17].map(|period| {
        Array3::from_shape_fn((3, height, width), |(c, y, x)| {
            ((c * 5 + y * 3 + x) % period) as f32 / period as f32
        })
    })
}
