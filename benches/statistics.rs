//! The style statistics of one layer, by number of channels: the value and the gradient from the moments, on all cores.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use impasto::layers::moments::{self, Gradient, Moments};
use impasto::loss::Form;
use impasto::loss::statistic::{Distance, Statistic};
use impasto::named::Named;
use impasto::parallel::team;
use impasto::simd::Isa;
use impasto::simd::peak::peak_gflops;
use impasto::tensor::FeatureMap;
use ndarray::Array3;

/// The moments of rectified noise of 64×64 positions whose channels are correlated.
fn moments(channels: usize, seed: u64) -> Moments {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut before = vec![0.0; 64 * 64];
    let planes = Array3::from_shape_fn((channels, 64, 64), |(_, y, x)| {
        let value: &mut f32 = &mut before[y * 64 + x];
        *value = 0.9 * *value + random.f32() - 0.5;
        value.max(0.0)
    });
    let mut moments = Moments::zeros(channels);
    moments::forward(Isa::best(), &FeatureMap::from_planes(planes.view()), &mut moments);
    moments
}

fn statistics(criterion: &mut Criterion) {
    println!("{}: FMA peak {:.0} GFLOP/s", Isa::best().name(), peak_gflops(Isa::best()));
    let mut group = criterion.benchmark_group("statistic");
    group.sample_size(10);
    for channels in [512] {
        let [target, found] = [1, 2].map(|seed| moments(channels, seed));
        for &statistic in Statistic::ALL {
            let mut distance = Distance::new(Isa::best(), statistic, target.clone());
            let mut gradient = Gradient::new(Isa::best());
            group.bench_function(BenchmarkId::new(statistic.name(), channels), |bencher| {
                bencher
                    .iter(|| team::gather(|| distance.evaluate(Form::Relative, 1.0, &found, &mut gradient)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, statistics);
criterion_main!(benches);
