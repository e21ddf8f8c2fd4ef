//! What ranks compute together, against what one process computes.

mod common;

use std::fs;
use std::ops::ControlFlow;

use common::evaluation::{evaluated, layers, terms, tiny_network};
use common::ranks::on_ranks;
use common::{f64s, norm};
use impasto::loss::Terms;
use impasto::network::{Compute, Convolution, Network};
use impasto::parallel::ranks::Ranks;
use impasto::simd::Isa;
use impasto::{
    Cancel, Checkpoint, Checkpoints, Edges, End, Form, Init, Mask, Optimizer, Picture, Pooling, Progress,
    Regions, Scales, Size, Statistic, Stylize, Stylized, Weights,
};
use ndarray::{Array2, Array3, Axis, concatenate};
use tempfile::TempDir;

fn load(weights: &Weights, convolution: Convolution, ranks: Ranks) -> Network {
    let compute = Compute { convolution, ..Compute::default() };
    Network::load(weights, compute, *weights.layers().last().unwrap()).unwrap().among(ranks)
}

fn check(what: &str, weights: &Weights, terms: &Terms, size: (usize, usize), with_regions: bool) {
    for convolution in [Convolution::Im2col, Convolution::Auto] {
        let of = |ranks| evaluated(load(weights, convolution, ranks), terms, size, with_regions);
        let (expected, gradient) = of(Ranks::ALONE);
        for count in 1..=4 {
            let what = format!("{what}, {size:?}, {count} ranks, {convolution:?}");
            let found = on_ranks(count, of);
            let bands: Vec<_> = found.iter().map(|(_, gradient)| gradient.view()).collect();
            let of_ranks: Array3<f32> = concatenate(Axis(1), &bands).unwrap();
            let off = norm(&(f64s(&of_ranks) - f64s(&gradient))) / norm(&f64s(&gradient));
            assert!(off < 1e-5, "{what}: gradient off by {off:e}");
            let (losses, _) = &found[0];
            let off = (losses.total - expected.total).abs() / expected.total;
            assert!(off < 1e-6, "{what}: loss {} for {}", losses.total, expected.total);
            assert!(found.iter().all(|(of_rank, _)| of_rank == losses), "{what}: ranks differ");
            let again = on_ranks(count, of);
            assert!(found == again, "{what}: not the same each time");
        }
    }
}

#[test]
fn ranks_have_the_loss_and_gradient_of_one() {
    let weights = tiny_network();
    // Four bands, a last band of another height, and heights at which the last ranks have no rows.
    for size in [(64, 40), (93, 33), (48, 48), (31, 64), (16, 37)] {
        check("the defaults", &weights, &terms(&weights), size, false);
    }
}

#[test]
fn every_kind_of_edges_has_its_ranks() {
    let weights = tiny_network();
    for edges in [Edges::Zero, Edges::Wrap] {
        for size in [(64, 48), (81, 35), (16, 32)] {
            check(&format!("{edges:?}"), &weights, &Terms { edges, ..terms(&weights) }, size, false);
        }
    }
}

#[test]
fn every_statistic_form_and_pooling_has_its_ranks() {
    let weights = tiny_network();
    let (defaults, size) = (terms(&weights), (71, 34));
    let check =
        |what: &str, terms: &Terms, size, with_regions| check(what, &weights, terms, size, with_regions);
    check("gram", &Terms { statistic: Statistic::Gram, ..defaults.clone() }, size, false);
    check("average", &Terms { pooling: Pooling::Average, ..defaults.clone() }, size, false);
    let gatys =
        Terms { form: Form::Gatys, statistic: Statistic::Gram, edges: Edges::Zero, ..defaults.clone() };
    check("gatys", &gatys, size, false);
    check("regions", &defaults, size, true);
    check("regions by gram", &Terms { statistic: Statistic::Gram, ..defaults.clone() }, size, true);
    // A stride of 32: bands of 16 rows would be cut within one of its rows.
    let deep = layers(&weights, &[("relu2_1", 0.5), ("pool5", 0.5)]);
    check("a deeper pool", &Terms { style_layers: deep, ..defaults }, (135, 70), false);
}

/// A picture of waves.
fn picture(width: usize, height: usize, phase: f32) -> Picture {
    let wave = |(c, y, x): (usize, usize, usize)| {
        0.5 + 0.4 * (phase + 0.7 * c as f32 + 0.3 * x as f32 + 0.01 * (y * x) as f32).sin()
    };
    Picture::from_planes(Array3::from_shape_fn((3, height, width), wave)).unwrap()
}

/// A job of three scales, of which the first has too few rows for four ranks.
fn job() -> Stylize {
    Stylize::new(&tiny_network())
        .content(picture(64, 90, 0.0))
        .style(picture(70, 50, 1.0))
        .size(Size::Own)
        .scales(Scales::Count(3))
        .steps(9)
}

fn keep_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn planes(made: &Stylized) -> Array3<f32> {
    made.picture.planes().to_owned()
}

/// The mean distance of two pictures' values, in levels of 8 bits.
fn levels_between(a: &Stylized, b: &Stylized) -> f64 {
    255.0 * (f64s(&planes(a)) - f64s(&planes(b))).mapv(f64::abs).mean().unwrap()
}

#[test]
fn ranks_make_the_picture_of_one() {
    let mask = || Mask::from_plane(Array2::from_shape_fn((90, 64), |(y, x)| (x + y) as f32 / 153.0)).unwrap();
    let halves = |width: usize, height: usize| {
        let pixels = (0..width * height).flat_map(|at| [if at % width < width / 2 { 0 } else { 255 }; 3]);
        Picture::from_rgb8(&pixels.collect::<Vec<u8>>(), width, height, 3 * width).unwrap()
    };
    let regions = Regions::new(&halves(64, 90), &halves(70, 50)).unwrap();
    for (what, job) in [
        ("the defaults", job()),
        ("adam", job().optimizer(Optimizer::Adam)),
        ("a mask", job().mask(mask())),
        ("regions", job().regions(regions)),
        ("likeness", job().laplacian_weight(10.0)),
        ("a tile from noise", job().init(Init::Noise).edges(Edges::Wrap)),
    ] {
        // A step a scale: by more of them, rounding becomes other paths to pictures that are as good.
        let job = job.steps(3);
        let alone = job.run(keep_on).unwrap();
        for count in 2..=4 {
            let made = on_ranks(count, |ranks| job.clone().among(ranks).run(keep_on).unwrap());
            for of_rank in &made {
                assert_eq!(planes(of_rank), planes(&made[0]), "{what}: ranks differ");
                assert_eq!((of_rank.steps, of_rank.evaluations), (made[0].steps, made[0].evaluations));
            }
            let off = levels_between(&made[0], &alone);
            assert!(off < 0.02, "{what}: {count} ranks, {off} levels");
        }
    }
}

#[test]
fn every_rank_gets_the_whole_picture_of_a_step() {
    let made = on_ranks(3, |ranks| {
        let mut last = None;
        let made = job().among(ranks).run(|progress| {
            last = Some(progress.picture());
            ControlFlow::Continue(())
        });
        (last.unwrap(), made.unwrap())
    });
    for (last, of_rank) in &made {
        assert_eq!((last.width(), last.height()), (64, 90));
        assert_eq!((last, planes(of_rank)), (&made[0].0, planes(&made[0].1)));
    }
}

#[test]
fn one_rank_ends_the_work_of_all() {
    let made = on_ranks(3, |ranks| {
        let (cancel, is_last) = (Cancel::new(), ranks.rank() == 2);
        let job = job().among(ranks).cancelled_by(&cancel);
        job.run(|progress| {
            if is_last && progress.step == 4 {
                cancel.cancel();
            }
            ControlFlow::Continue(())
        })
        .unwrap()
    });
    for of_rank in &made {
        assert!(matches!(of_rank.end, End::Cancelled), "{:?}", of_rank.end);
        assert_eq!((of_rank.steps, planes(of_rank)), (4, planes(&made[0])));
    }
}

#[test]
fn a_job_goes_on_from_a_checkpoint_that_ranks_wrote() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    for optimizer in [Optimizer::Lbfgs, Optimizer::Adam] {
        let job = job().optimizer(optimizer);
        let whole = on_ranks(2, |ranks| job.clone().among(ranks).run(keep_on).unwrap());
        let copies = on_ranks(2, |ranks| {
            let (mut copies, is_first) = (Vec::new(), ranks.is_first());
            let checkpoints = Checkpoints::to(&path).every_step();
            let kept = job.clone().among(ranks).checkpoints(checkpoints).run(|progress| {
                let copy = folder.path().join(progress.step.to_string());
                if is_first {
                    fs::copy(&path, &copy).unwrap();
                }
                copies.push(copy);
                ControlFlow::Continue(())
            });
            assert!(kept.unwrap().checkpoint_error.is_none());
            copies
        });
        for copy in &copies[0] {
            let from = Checkpoint::open(copy).unwrap();
            let go_on = |ranks| job.clone().resume(&from).among(ranks).run(keep_on).unwrap();
            for made in on_ranks(2, go_on) {
                assert_eq!(planes(&made), planes(&whole[0]), "from {}", copy.display());
            }
            // With as many ranks as there are now.
            for made in on_ranks(3, go_on).into_iter().chain([go_on(Ranks::ALONE)]) {
                assert!(levels_between(&made, &whole[0]) < 2.0, "from {}", copy.display());
            }
        }
    }
}

#[test]
fn where_the_first_rank_cannot_write_all_go_on() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("missing").join("job.checkpoint");
    let made = on_ranks(2, |ranks| {
        job().among(ranks).checkpoints(Checkpoints::to(&nowhere).every_step()).run(keep_on).unwrap()
    });
    assert!(made.iter().all(|made| matches!(made.end, End::Done)));
    assert!(made[0].checkpoint_error.is_some());
}

/// A cluster may have unlike CPUs, which round differently.
#[test]
fn ranks_with_other_instruction_sets_take_the_same_steps() {
    let portable = *Isa::available().iter().find(|isa| isa.name() == "portable").unwrap();
    let made = on_ranks(2, |ranks| {
        let isa = if ranks.is_first() { Isa::best() } else { portable };
        let compute = Compute { isa, ..Compute::default() };
        let mut losses = Vec::new();
        let made = job().steps(30).compute(compute).among(ranks).run(|progress| {
            losses.push(progress.losses.total);
            ControlFlow::Continue(())
        });
        (losses, made.unwrap())
    });
    let [(losses, first), (others, second)] = &made[..] else { unreachable!() };
    assert_eq!(losses, others);
    assert_eq!(planes(first), planes(second));
}
