//! How often the network runs: once forward and once backward for each trial of the line search, never more.

use std::ops::ControlFlow;
use std::path::Path;

use impasto::loss::StyleTarget;
use impasto::loss::objective::Objective;
use impasto::network::Network;
use impasto::optimize::{Bounds, Settings, lbfgs};
use impasto::stylize::schedule::Scales;
use impasto::stylize::{Init, Size};
use impasto::{Isa, Picture, Stylize, Weights};
use ndarray::{Array3, ArrayView3, ArrayViewMut3};

#[test]
fn one_forward_and_one_backward_pass_a_trial() {
    let weights = tiny_vgg19();
    let (height, width) = (37, 53);
    let [content, style] = pictures(height, width);
    let mut job = Stylize::new(&weights);
    job.content = Some(Picture::from_planes(content.clone()).unwrap());
    job.styles = vec![(Picture::from_planes(style.clone()).unwrap(), 1.0)];
    let terms = job.terms().unwrap();
    let network = Network::load(&weights, Isa::best(), *terms.taps().last().unwrap()).unwrap();
    let target = StyleTarget::of_picture(&network, style.view(), &terms.style_taps(), terms.pooling).unwrap();
    let mut objective =
        Objective::new(&network, terms, (height, width), Some(content.view()), Some(target)).unwrap();
    objective.plan_mut().start_profile(&network);

    let mut function = |pixels: &[f32], gradient: &mut [f32]| {
        let picture = ArrayView3::from_shape((3, height, width), pixels).unwrap();
        let gradient = ArrayViewMut3::from_shape((3, height, width), gradient).unwrap();
        objective.evaluate(picture, gradient).total
    };
    let settings =
        Settings { steps: 30, tolerance: 0.0, first_step: 0.02, history: 10, bounds: Bounds::NONE };
    let found =
        lbfgs(
            &mut function,
            content.iter().copied().collect(),
            &settings,
            &mut |_| ControlFlow::Continue(()),
        );

    // The start is evaluated once, and a step takes one trial as a rule.
    assert!(
        found.steps > 10 && found.evaluations <= found.steps + found.steps / 4 + 1,
        "{}",
        found.evaluations
    );
    let profile = objective.plan_mut().profile().unwrap();
    assert!(!profile.layers.is_empty());
    for layer in &profile.layers {
        assert_eq!(layer.forward.len(), found.evaluations, "forward passes of {}", layer.name);
        assert_eq!(layer.backward.len(), found.evaluations, "backward passes of {}", layer.name);
    }
}

/// Between scales only what was changed is enlarged: where there is nothing, the content comes out, not a blur of it.
#[test]
fn a_picture_goes_through_the_scales_with_its_detail() {
    let weights = tiny_vgg19();
    let [content, style] = pictures(60, 80);
    let mut job = Stylize::new(&weights);
    job.content = Some(Picture::from_planes(content.clone()).unwrap());
    job.styles = vec![(Picture::from_planes(style).unwrap(), 1.0)];
    (job.size, job.scales, job.steps) = (Size::Own, Scales::Count(3), 0);
    let unchanged = |job: &Stylize| job.run(&mut |_| ControlFlow::Continue(())).unwrap().picture;
    let difference = (&unchanged(&job).planes() - &content).mapv(f32::abs);
    assert!(difference.iter().all(|difference| *difference < 1e-5));

    // An end at the first scale leaves the detail too: a step changes the values by some hundredths.
    job.steps = 30;
    let mut sizes = Vec::new();
    let stopped = job.run(&mut |progress| {
        sizes.push(progress.width);
        ControlFlow::Break(())
    });
    let difference = (&stopped.unwrap().picture.planes() - &content).mapv(f32::abs);
    assert!(sizes.iter().all(|width| *width < 80), "{sizes:?}");
    assert!(difference.iter().all(|difference| *difference < 0.1), "{difference}");
    job.steps = 0;

    // From noise nothing of the content comes in but by its loss: a reconstruction shows what that knows.
    job.init = Init::Noise;
    let noise = unchanged(&job);
    job.content = Some(Picture::from_planes(1.0 - content).unwrap());
    assert_eq!(unchanged(&job).planes(), noise.planes());
}

fn tiny_vgg19() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

/// Two pictures of steps and slopes.
fn pictures(height: usize, width: usize) -> [Array3<f32>; 2] {
    [23, 17].map(|period| {
        Array3::from_shape_fn((3, height, width), |(c, y, x)| {
            ((c * 5 + y * 3 + x) % period) as f32 / period as f32
        })
    })
}
