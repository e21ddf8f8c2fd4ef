//! Every kind of layer, forward and backward, at VGG-19's shapes for a picture of 512×512 pixels, on all cores.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use impasto::layers::conv::{Algorithm, Conv, Workspace};
use impasto::layers::moments::{self, Moments};
use impasto::layers::pool::Pooling;
use impasto::layers::{GradientEpilogue, TapGradient, lrn, pool, relu};
use impasto::simd::Isa;
use impasto::simd::peak::peak_gflops;
use impasto::tensor::FeatureMap;
use ndarray::{Array2, Array3};

/// A map with values of both signs.
fn map(channels: usize, height: usize, width: usize) -> FeatureMap {
    FeatureMap::from_planes(
        Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
            ((c * 7 + y * 13 + x * 29) % 31) as f32 / 31.0 - 0.4
        })
        .view(),
    )
}

fn convolutions(criterion: &mut Criterion) {
    let isa = Isa::best();
    println!("{}: FMA peak {:.0} GFLOP/s on all cores", isa.name(), peak_gflops(isa));
    for (name, from, to, side) in [
        ("conv1_1", 3, 64, 512),
        ("conv1_2", 64, 64, 512),
        ("conv2_2", 128, 128, 256),
        ("conv3_2", 256, 256, 128),
        ("conv4_2", 512, 512, 64),
        ("conv5_1", 512, 512, 32),
        ("conv5_1 at 128 px", 512, 512, 8),
    ] {
        let weight: Vec<f32> = (0..to * from * 9).map(|i| (i % 17) as f32 / 17.0 - 0.5).collect();
        let conv = Conv::new([to, from, 3], weight, &vec![0.1; to]);
        let mut group = criterion.benchmark_group(format!("layers/{name} {from}→{to}, {side}²"));
        group.sample_size(10).throughput(Throughput::Elements(conv.flop(side * side) as u64));
        let (mut x, mut y) = (map(from, side, side), map(to, side, side));
        let epilogue = GradientEpilogue { relu: true, ..GradientEpilogue::default() };
        let mut workspace = Workspace::new(isa);
        for (name, algorithm) in [("im2col", Algorithm::Im2col), ("winograd", Algorithm::Winograd)] {
            group.bench_function(format!("{name} forward"), |bencher| {
                bencher.iter(|| conv.forward(&x, &mut y, true, algorithm, &mut workspace));
            });
            group.bench_function(format!("{name} backward"), |bencher| {
                bencher.iter(|| conv.backward(&y, &mut x, epilogue, algorithm, &mut workspace));
            });
        }
        group.finish();
    }
}

fn others(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("layers/64 channels, 512²");
    group.sample_size(10);
    let (mut x, mut y) = (map(64, 512, 512), map(64, 512, 512));
    let mut pooled = map(64, 256, 256);
    group.bench_function("relu forward", |bencher| bencher.iter(|| relu::forward(Isa::best(), &x, &mut y)));
    group.bench_function("relu backward", |bencher| {
        bencher.iter(|| relu::backward(Isa::best(), &y, &mut x, GradientEpilogue::default()));
    });
    for pooling in [Pooling::Max, Pooling::Average] {
        group.bench_function(format!("{pooling:?} pool forward"), |bencher| {
            bencher.iter(|| pool::forward(Isa::best(), pooling, None, &x, &mut pooled));
        });
        group.bench_function(format!("{pooling:?} pool backward"), |bencher| {
            bencher.iter(|| {
                pool::backward(
                    Isa::best(),
                    pooling,
                    None,
                    &pooled,
                    &mut x,
                    GradientEpilogue { relu: true, ..GradientEpilogue::default() },
                )
            });
        });
    }
    group.bench_function("lrn forward", |bencher| bencher.iter(|| lrn::forward(&x, &mut y)));
    group.bench_function("lrn backward", |bencher| {
        bencher.iter(|| lrn::backward(Isa::best(), &y, &mut x, GradientEpilogue::default()));
    });
    group.finish();

    for (channels, side) in [(64, 512), (128, 256), (256, 128), (512, 64), (512, 32)] {
        let mut group = criterion.benchmark_group(format!("layers/moments of {channels} channels, {side}²"));
        // Forward computes half of the symmetric matrix; backward multiplies by all of it.
        let flop = channels * channels * side * side;
        group.sample_size(10).throughput(Throughput::Elements(flop as u64));
        let mut f = map(channels, side, side);
        let mut moments = Moments::zeros(channels);
        group.bench_function("forward", |bencher| {
            bencher.iter(|| moments::forward(Isa::best(), &f, &mut moments));
        });
        let mut gradient = moments::Gradient::new(Isa::best());
        gradient.set(Array2::from_elem((channels, channels), 0.01).view(), None);
        let tap = TapGradient { style: std::slice::from_ref(&gradient), ..TapGradient::default() };
        group.throughput(Throughput::Elements(2 * flop as u64));
        group.bench_function("backward", |bencher| {
            bencher.iter(|| GradientEpilogue { tap, relu: false }.write_deepest(Isa::best(), &mut f))
        });
        group.finish();
    }
}

criterion_group!(benches, convolutions, others);
criterion_main!(benches);
