//! One evaluation of the default loss (content relu4_2, style relu1_1 … relu5_1) at 256² and 512² on all cores: with the
//! network in `IMPASTO_VGG19` if that is set, else with the tests' small one, whose times are comparable only with each
//! other.

use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use impasto::simd::Isa;
use impasto::simd::peak::peak_gflops;
use impasto::stylize::Size;
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
        let flipped = picture.clone().permuted_axes([0, 2, 1]).as_standard_layout().to_owned();
        let [content, style] =
            [flipped.clone(), flipped.clone()].map(|planes| Picture::from_planes(planes).expect("a picture"));
        let job = Stylize::new(&weights).content(content).style(style).size(Size::Own);
        let mut objective = job.objective().expect("an objective");
        let start = flipped.mapv(|value| 1.0 - value);
        let mut gradient = Array3::zeros(start.dim());
        let mut group = criterion.benchmark_group("evaluation");
        group.sample_size(10);
        group.bench_function(format!("{side}²"), |bencher| {
            bencher
                .iter(|| objective.evaluate(start.view(), gradient.view_mut()).expect("the same size").total);
        });
        group.finish();
    }
}

criterion_group!(benches, evaluation);
criterion_main!(benches);
