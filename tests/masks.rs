//! Masks, a mask for each style, and regions by colour: what they keep, where styles go, and what is refused.

use std::ops::ControlFlow;
use std::path::Path;

use impasto::{
    Cancel, Error, Losses, Mask, Optimizer, Picture, Pooling, Regions, Result, Scales, Setting, Size, Style,
    Stylize, Weights,
};
use ndarray::{Array2, Array3, ArrayView3, Axis, s};

fn tiny_vgg19() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

/// A picture of waves in 8-bit values, other ones for another phase.
fn waves(phase: f32, height: usize, width: usize) -> Picture {
    Picture::from_planes(Array3::from_shape_fn((3, height, width), |(c, y, x)| {
        let wave = (0.3 * x as f32 + 0.45 * y as f32 + c as f32 + phase).sin();
        (127.5 + 127.5 * wave).round() / 255.0
    }))
    .unwrap()
}

/// Waves of one colour.
fn colored(color: [f32; 3], height: usize, width: usize) -> Picture {
    let mut planes = waves(0.0, height, width).into_planes();
    for (mut plane, level) in planes.axis_iter_mut(Axis(0)).zip(color) {
        plane.mapv_inplace(|value| level * (0.6 + 0.4 * value));
    }
    Picture::from_planes(planes).unwrap()
}

/// The same with its colours in columns, one each, of equal width.
fn columns(colors: &[[u8; 3]], height: usize, width: usize) -> Picture {
    let pixels: Vec<u8> =
        (0..height * width).flat_map(|at| colors[at % width * colors.len() / width]).collect();
    Picture::from_rgb8(&pixels, width, height, 3 * width).unwrap()
}

const BLUE: [u8; 3] = [0, 0, 255];
const GREEN: [u8; 3] = [0, 255, 0];

/// White in the columns from `from` on, black before, with a soft edge of `edge` pixels.
fn right_of(from: usize, edge: usize, height: usize, width: usize) -> Mask {
    let value = |x: usize| (x as f32 + 0.5 - from as f32) / edge as f32 + 0.5;
    Mask::from_plane(Array2::from_shape_fn((height, width), |(_, x)| value(x))).unwrap()
}

fn plane(value: f32, height: usize, width: usize) -> Mask {
    Mask::from_plane(Array2::from_elem((height, width), value)).unwrap()
}

/// A job of 48×40 pixels that takes no time.
fn job(weights: &Weights) -> Stylize {
    Stylize::new(weights)
        .content(waves(1.0, 40, 48))
        .style(colored([1.0, 0.3, 0.1], 36, 44))
        .size(Size::Own)
        .style_weight(100.0)
        .steps(20)
}

fn run(job: &Stylize) -> Picture {
    job.run(|_| ControlFlow::Continue(())).unwrap().picture
}

/// The losses at the content, and the gradient.
fn evaluated(job: &Stylize, at: ArrayView3<f32>) -> (Losses, Array3<f32>) {
    let mut gradient = Array3::zeros(at.dim());
    let losses = job.objective().unwrap().evaluate(at, gradient.view_mut()).unwrap().clone();
    (losses, gradient)
}

#[test]
fn outside_the_mask_the_picture_is_the_content_and_at_its_edge_it_is_near() {
    let weights = tiny_vgg19();
    let content = waves(1.0, 40, 48);
    let mask = right_of(24, 8, 40, 48);
    for optimizer in [Optimizer::Lbfgs, Optimizer::Adam] {
        for scales in [1, 3] {
            let masked = job(&weights).mask(mask.clone()).optimizer(optimizer).scales(Scales::Count(scales));
            let what = format!("{optimizer:?}, {scales} scales");
            let mut seen = 0;
            let check = |picture: &Picture, what: &str| {
                for ((c, y, x), value) in picture.planes().indexed_iter() {
                    let (content, m) = (content.planes()[[c, y, x]], mask.plane()[[y, x]]);
                    assert!((value - content).abs() <= m + 1e-6, "{what}: {value} for {content} at {y}, {x}");
                    assert!(
                        m > 0.0 || *value == content,
                        "{what}: {value} for {content} outside, at {y}, {x}"
                    );
                }
            };
            let made = masked.run(|progress| {
                if progress.width == 48 {
                    seen += 1;
                    check(&progress.picture(), &format!("{what}, step {}", progress.step));
                }
                ControlFlow::Continue(())
            });
            let picture = made.unwrap().picture;
            check(&picture, &what);
            assert!(seen > 1, "{what}: {seen} steps");
            let inside = (&picture.planes() - &content.planes()).slice_move(s![.., .., 32..]).mapv(f32::abs);
            let mean = inside.mean().unwrap();
            assert!(mean > 0.01, "{what}: changed by {mean} inside");
        }
    }
}

#[test]
fn a_job_that_ends_early_keeps_the_content_outside_too() {
    let weights = tiny_vgg19();
    let content = waves(1.0, 40, 48);
    let masked = job(&weights).mask(right_of(24, 1, 40, 48)).scales(Scales::Count(3));
    let ended = masked.run(|progress| {
        assert!(progress.width < 48);
        ControlFlow::Break(())
    });
    let picture = ended.unwrap().picture;
    assert_eq!(picture.planes().slice(s![.., .., ..23]), content.planes().slice(s![.., .., ..23]));
    assert_ne!(picture.planes(), content.planes());
    let cancel = Cancel::new();
    cancel.cancel();
    let unstarted = masked.cancelled_by(&cancel).run(|_| ControlFlow::Continue(())).unwrap().picture;
    assert_eq!(unstarted.planes().slice(s![.., .., ..23]), content.planes().slice(s![.., .., ..23]));
}

/// In white masks and in regions of one colour everything is as without them: to the bit.
#[test]
fn masks_that_are_white_everywhere_change_no_bit() {
    let weights = tiny_vgg19();
    let plain = run(&job(&weights).scales(Scales::Count(2)));
    let (white, one) = (plane(1.0, 40, 48), columns(&[BLUE], 40, 48));
    let regions = Regions::new(&one, &columns(&[BLUE], 36, 44)).unwrap();
    for (what, job) in [
        ("a mask", job(&weights).mask(white.clone())),
        ("a style's mask", job(&weights).style_masks([white.clone()])),
        ("regions", job(&weights).regions(regions.clone())),
        ("a mask of regions", job(&weights).regions(regions).mask(white)),
    ] {
        assert!(run(&job.scales(Scales::Count(2))) == plain, "{what}");
    }
}

#[test]
fn the_style_term_counts_by_the_share_of_the_picture() {
    let weights = tiny_vgg19();
    let content = waves(1.0, 40, 48);
    let style_of = |job: &Stylize| evaluated(job, content.planes()).0.style;
    let whole = style_of(&job(&weights));
    let near = |what: &str, found: f64, expected: f64| {
        assert!((found - expected).abs() <= 1e-6 * expected, "{what}: {found} for {expected}");
    };
    // The same moments, of half as much.
    near("grey", style_of(&job(&weights).mask(plane(0.5, 40, 48))), 0.5 * whole);
    near("grey for the style", style_of(&job(&weights).style_masks([plane(0.25, 40, 48)])), 0.25 * whole);
    let twice = |shares: [f64; 2]| {
        let style = colored([1.0, 0.3, 0.1], 36, 44);
        job(&weights).style(Style::blend([(style.clone(), shares[0]), (style, shares[1])]).unwrap())
    };
    let white = || [plane(1.0, 40, 48), plane(1.0, 40, 48)];
    near("the same style twice", style_of(&twice([1.0, 1.0]).style_masks(white())), whole);
    near("by shares", style_of(&twice([3.0, 1.0]).style_masks(white())), whole);
    // Where the masks sum to less than 1, the shares tell how much.
    let halves = || [plane(0.5, 40, 48), plane(0.5, 40, 48)];
    near("of two halves", style_of(&twice([2.0, 2.0]).style_masks(halves())), whole);
    near("of a half and a quarter", style_of(&twice([2.0, 1.0]).style_masks(halves())), 0.75 * whole);
}

/// The gradient of the whole loss along random directions, against differences of the loss.
#[test]
fn the_gradient_matches_finite_differences() {
    let weights = tiny_vgg19();
    let regions = Regions::new(&columns(&[BLUE, GREEN, BLUE], 37, 53), &columns(&[GREEN, BLUE], 45, 41));
    let job = Stylize::new(&weights)
        .content(waves(1.0, 37, 53))
        .style(waves(4.0, 45, 41))
        .size(Size::Own)
        .pooling(Pooling::Average)
        .regions(regions.unwrap())
        .mask(right_of(20, 13, 37, 53));
    let mut objective = job.objective().unwrap();
    let at = waves(2.0, 37, 53).into_planes().mapv(|value| 0.25 + 0.5 * value);
    let mut gradient = Array3::zeros(at.dim());
    objective.evaluate(at.view(), gradient.view_mut()).unwrap();
    let mut ignored = gradient.clone();
    let mut loss = |step: f32, direction: &Array3<f32>| {
        objective.evaluate((&at + &(direction * step)).view(), ignored.view_mut()).unwrap().total
    };
    // The gradient itself, and parts of it.
    let directions = [
        gradient.clone(),
        gradient.mapv(f32::signum) * 0.01,
        Array3::from_shape_fn(at.dim(), |(c, y, x)| gradient[[c, y, x]] * ((x / 5 + y / 7) % 2) as f32),
    ];
    for (index, direction) in directions.iter().enumerate() {
        let size = direction.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let direction = direction / size;
        let step = 3e-5;
        let slope = (loss(step, &direction) - loss(-step, &direction)) / (2.0 * f64::from(step));
        let derivative: f64 =
            gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
        assert!((slope / derivative - 1.0).abs() < 5e-3, "direction {index}: {slope} for {derivative}");
    }
}

/// How much redder than blue the left half and the right half are.
fn redness(picture: &Picture) -> [f32; 2] {
    let half = picture.width() / 2;
    [0..half, half..picture.width()].map(|x| {
        let mean = |color: usize| picture.planes().slice(s![color, .., x.clone()]).mean().unwrap();
        mean(0) - mean(2)
    })
}

#[test]
fn each_style_goes_where_its_mask_is_white() {
    let weights = tiny_vgg19();
    let [red, blue] = [[1.0, 0.3, 0.1], [0.1, 0.3, 1.0]].map(|color| colored(color, 36, 44));
    let [left, right] = [1.0 - &right_of(24, 4, 40, 48).plane(), right_of(24, 4, 40, 48).plane().to_owned()]
        .map(|plane| Mask::from_plane(plane).unwrap());
    let styles = Style::blend([(red, 1.0), (blue, 1.0)]).unwrap();
    let job = Stylize::new(&weights)
        .content(colored([0.5; 3], 40, 48))
        .style(styles)
        .size(Size::Own)
        .style_weight(1000.0)
        .style_layers(["relu1_1", "relu2_1"])
        .steps(60);
    let [red, blue] = redness(&run(&job.clone().style_masks([left.clone(), right.clone()])));
    assert!(red > 0.05 && blue < -0.05, "{red} and {blue}");
    let [blue, red] = redness(&run(&job.clone().style_masks([right.clone(), left])));
    assert!(red > 0.05 && blue < -0.05, "{red} and {blue}");
    // With the mask, the left half stays grey.
    let white = || plane(1.0, 10, 12);
    let [grey, _] = redness(&run(&job.style_masks([white(), white()]).mask(right)));
    assert!(grey.abs() < 0.02, "{grey}");
}

#[test]
fn regions_take_after_those_of_the_same_colour() {
    let weights = tiny_vgg19();
    let [red, blue] = [[1.0, 0.3, 0.1], [0.1, 0.3, 1.0]].map(|color| colored(color, 36, 22));
    let style = ndarray::concatenate(Axis(2), &[red.planes(), blue.planes()]).unwrap();
    let job = Stylize::new(&weights)
        .content(colored([0.5; 3], 40, 48))
        .style(Picture::from_planes(style).unwrap())
        .size(Size::Own)
        .style_weight(1000.0)
        .style_layers(["relu1_1", "relu2_1"])
        .steps(60);
    // The maps in resolutions of their own, and a colour that is only in the style's.
    let style_map = columns(&[BLUE, BLUE, BLUE, GREEN, GREEN, [9, 9, 9]], 18, 22);
    let [red, blue] = redness(&run(&job
        .clone()
        .regions(Regions::new(&columns(&[BLUE, GREEN], 20, 24), &style_map).unwrap())));
    assert!(red > 0.05 && blue < -0.05, "{red} and {blue}");
    let [blue, red] =
        redness(&run(&job.regions(Regions::new(&columns(&[GREEN, BLUE], 20, 24), &style_map).unwrap())));
    assert!(red > 0.05 && blue < -0.05, "{red} and {blue}");
}

/// A region of a few pixels has no position at the deep layers: it is styled by the shallow ones.
#[test]
fn a_region_too_small_for_a_layer_has_no_term_there() {
    let weights = tiny_vgg19();
    let mut spot = Array2::zeros((40, 48));
    spot.slice_mut(s![16..20, 16..20]).fill(1.0);
    let masked = job(&weights).mask(Mask::from_plane(spot).unwrap());
    let (losses, gradient) = evaluated(&masked, waves(2.0, 40, 48).planes());
    let values: Vec<_> = losses.style_layers.values().map(|value| *value > 0.0).collect();
    assert_eq!(values, [true, true, true, false, false]);
    assert!(gradient.iter().all(|value| value.is_finite()));
    let picture = run(&masked);
    let changed = (&picture.planes() - &waves(1.0, 40, 48).planes()).mapv(f32::abs);
    assert!(
        changed.slice(s![.., 16..20, 16..20]).sum() > 0.1 && changed.slice(s![.., ..16, ..]).sum() == 0.0
    );
}

#[test]
fn masks_of_other_resolutions_are_resized() {
    let weights = tiny_vgg19();
    let content = waves(1.0, 40, 48);
    for (height, width) in [(20, 24), (100, 120), (33, 40), (400, 480)] {
        let picture = run(&job(&weights).mask(right_of(width / 2, 1, height, width)));
        let (outside, inside) = (s![.., .., ..20], s![.., .., 28..]);
        assert_eq!(picture.planes().slice(outside), content.planes().slice(outside), "{width}×{height}");
        assert_ne!(picture.planes().slice(inside), content.planes().slice(inside), "{width}×{height}");
    }
}

#[test]
fn grey_pictures_are_masks_and_transparent_parts_are_black() {
    let pixels = [[0, 0, 0, 255], [255, 255, 255, 255], [51, 51, 51, 255], [255, 255, 255, 0]].concat();
    let picture = Picture::from_rgba8(&pixels, 4, 1, 16).unwrap();
    let mask = Mask::from(&picture);
    assert_eq!(mask.plane().row(0).to_vec(), [0.0, 1.0, 0.2, 0.0]);
    assert_eq!(
        Mask::from_plane(ndarray::arr2(&[[-1.0, 0.5, 2.0]])).unwrap().plane().row(0).to_vec(),
        [0.0, 0.5, 1.0]
    );
    for wrong in [Array2::zeros((0, 3)), ndarray::arr2(&[[f32::NAN]])] {
        assert!(matches!(Mask::from_plane(wrong), Err(Error::Shape { .. })));
    }
}

#[test]
fn bytes_depend_on_no_number_of_threads() {
    let weights = tiny_vgg19();
    let regions = Regions::new(&columns(&[BLUE, GREEN], 40, 48), &columns(&[GREEN, BLUE], 36, 44)).unwrap();
    let job = job(&weights).regions(regions).mask(right_of(20, 9, 40, 48));
    let [one, two, three] = [1, 2, 3].map(|threads| run(&job.clone().threads(threads)));
    assert!(one == two && one == three);
}

#[test]
fn memory_foreseen_counts_masks_and_regions() {
    let weights = tiny_vgg19();
    let foreseen = |job: &Stylize| job.memory_foreseen().unwrap();
    let job =
        Stylize::new(&weights).content(waves(1.0, 512, 512)).style(waves(2.0, 512, 512)).size(Size::Own);
    let plain = foreseen(&job);
    let plane_bytes = 512 * 512 * 4;
    // The mask and its copy, the picture that is seen, and a third more than its size at the layers.
    let masked = foreseen(&job.clone().mask(plane(1.0, 512, 512))) - plain;
    assert!((6 * plane_bytes..7 * plane_bytes).contains(&masked), "{masked}");
    let two = foreseen(
        &job.clone().style(Style::blend([(waves(2.0, 9, 9), 1.0), (waves(3.0, 9, 9), 1.0)]).unwrap()),
    );
    let masks = [plane(1.0, 4, 4), plane(1.0, 4, 4)];
    let styles = Style::blend([(waves(2.0, 9, 9), 1.0), (waves(3.0, 9, 9), 1.0)]).unwrap();
    let each = foreseen(&job.style(styles).style_masks(masks)) - two;
    assert!((2 * plane_bytes..4 * plane_bytes).contains(&each), "{each}");
}

/// The setting and the reason with which a job is refused.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) -> (Setting, String) {
    match result {
        Err(Error::Setting { setting, reason, .. }) => (setting, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let weights = tiny_vgg19();
    let regions = |content: &Picture, style: &Picture| Regions::new(content, style).unwrap();
    let (content_map, style_map) = (columns(&[BLUE, GREEN], 40, 48), columns(&[GREEN, BLUE], 36, 44));
    let two = Style::blend([(waves(1.0, 9, 9), 1.0), (waves(2.0, 9, 9), 1.0)]).unwrap();
    let white = || plane(1.0, 40, 48);
    let thin = |columns_of_blue: usize| {
        let colors: Vec<_> = (0..480).map(|x| if x < columns_of_blue { BLUE } else { GREEN }).collect();
        columns(&colors, 400, 480)
    };
    for (what, job, setting, words) in [
        (
            "another aspect",
            job(&weights).mask(plane(1.0, 48, 40)),
            Setting::Mask,
            "40×48 pixels has another aspect than the picture of 48×40",
        ),
        ("nearly the aspect", job(&weights).mask(plane(1.0, 400, 420)), Setting::Mask, "another aspect"),
        ("black", job(&weights).mask(plane(0.0, 40, 48)), Setting::Mask, "the mask is black"),
        (
            "nearly black",
            job(&weights).mask(plane(0.0005, 40, 48)),
            Setting::Mask,
            "less than one pixel of 48×40",
        ),
        (
            "no content",
            Stylize::new(&weights).style(waves(1.0, 40, 48)).mask(white()),
            Setting::Mask,
            "needs a content",
        ),
        (
            "no style",
            Stylize::new(&weights).content(waves(1.0, 40, 48)).mask(white()),
            Setting::Mask,
            "needs a content",
        ),
        (
            "two masks",
            job(&weights).style_masks([white(), white()]),
            Setting::StyleMasks,
            "one for each style, found 2 for 1",
        ),
        (
            "one mask",
            job(&weights).style(two.clone()).style_masks([white()]),
            Setting::StyleMasks,
            "found 1 for 2",
        ),
        (
            "a style without place",
            job(&weights).style(two.clone()).style_masks([white(), plane(0.0, 40, 48)]),
            Setting::StyleMasks,
            "mask 2 is black",
        ),
        (
            "a style's aspect",
            job(&weights).style(two.clone()).style_masks([plane(1.0, 40, 30), white()]),
            Setting::StyleMasks,
            "mask 1 of 30×40",
        ),
        (
            "both",
            job(&weights).regions(regions(&content_map, &style_map)).style_masks([white()]),
            Setting::StyleMasks,
            "combined",
        ),
        (
            "two styles",
            job(&weights).style(two).regions(regions(&content_map, &style_map)),
            Setting::Regions,
            "one style picture, found 2",
        ),
        (
            "swapped maps",
            job(&weights).style(waves(1.0, 44, 36)).regions(regions(&content_map, &style_map)),
            Setting::Regions,
            "the style's map of 44×36",
        ),
        (
            "a map's aspect",
            job(&weights).regions(regions(&columns(&[BLUE], 40, 40), &style_map)),
            Setting::Regions,
            "the content's map of 40×40",
        ),
        (
            "an empty region",
            job(&weights).size(Size::Longest(16)).regions(regions(&thin(1), &style_map)),
            Setting::Regions,
            "the region #0000ff of the content is empty",
        ),
    ] {
        let (found, reason) = refused(job.run(|_| ControlFlow::Continue(())));
        assert!(found == setting && reason.contains(words), "{what}: {found:?}, {reason}");
        assert!(!reason.contains("--"), "{what}: {reason}");
        refused(job.objective().map(|_| ()));
        refused(job.memory_foreseen());
    }
    // With the thinnest region of a larger picture there is something.
    run(&job(&weights).regions(regions(&thin(20), &style_map)).steps(1));
}

#[test]
fn maps_without_partners_or_with_too_many_colours_are_refused() {
    let map = columns(&[BLUE, GREEN], 8, 8);
    let (setting, reason) = refused(Regions::new(&map, &columns(&[BLUE, [0, 254, 0]], 8, 8)));
    assert!(
        setting == Setting::Regions && reason.contains("#00ff00, which the style's map lacks"),
        "{reason}"
    );
    let noisy = |colors: usize| {
        let colors: Vec<_> = (0..colors).map(|at| [at as u8, 7, 7]).collect();
        columns(&colors, 1, colors.len())
    };
    assert!(Regions::new(&noisy(32), &noisy(32)).is_ok());
    for (content, style, which) in [(noisy(33), noisy(32), "content"), (noisy(32), noisy(33), "style")] {
        let (_, reason) = refused(Regions::new(&content, &style));
        assert!(reason.contains(&format!("the {which}'s map has more than 32 colours")), "{reason}");
        assert!(reason.contains("PNG"), "{reason}");
    }
}
