//! One whole evaluation of the default loss (content relu4_2, style relu1_1 … relu5_1) at 256² and 512², on all
//! cores: with the network in `IMPASTO_VGG19` where it is set, else with the small one of the tests, of which
//! the figures only compare with themselves.

use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use impasto::loss::StyleTarget;
use impasto::loss::objective::Objective;
use impasto::network::Network;
use impasto::simd::Isa;
use impasto::simd::peak::peak_gflops;
use impasto::{Picture, Stylize, Weights};
use ndarray::Array3;

fn evaluation(criterion: &mut Criterion) {
    let small = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    let path = std::env::var_os("IMPASTO_VGG19").map_or(small, PathBuf::from);
    let weights = Weights::open(&path).expect("a weights file");
    println!("{}: FMA peak {:.0} GFLOP/s", Isa::best().name(), peak_gflops(Isa::best()));
    for side in [256, 512] {
        let picture = Array3::from_shape_fn((3, side, side), |(c, y, x)| {
            ((c * 5 + y / 7 * 3 + x / 5) % 23) as f32 / 23.0
        });
        let mut job = Stylize::new(&weights);
        job.content = Some(Picture::from_planes(picture.clone()).unwrap());
        job.styles = vec![(Picture::from_planes(picture.clone()).unwrap(), 1.0)];
        let terms = job.terms().expect("the default terms");
        let deepest = *terms.taps().last().expect("taps");
        let network = Network::load(&weights, Isa::best(), deepest).expect("finite weights");
        let flipped = picture.permuted_axes([0, 2, 1]);
        let style = StyleTarget::of_picture(&network, flipped.view(), &terms.style_taps(), terms.pooling)
            .expect("targets");
        let mut objective = Objective::new(&network, terms, (side, side), Some(flipped.view()), Some(style))
            .expect("an objective");
        let start = flipped.mapv(|value| 1.0 - value);
        let mut gradient = Array3::zeros(start.dim());
        let mut group = criterion.benchmark_group("evaluation");
        group.sample_size(10);
        group.bench_function(format!("{side}²"), |bencher| {
            bencher.iter(|| objective.evaluate(start.view(), gradient.view_mut()).total);
        });
        group.finish();
    }
}

criterion_group!(benches, evaluation);
criterion_main!(benches);
