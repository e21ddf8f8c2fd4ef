//! The CPU's peak rate, against which kernels are measured: a loop of only multiply-adds in registers.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

use super::{Isa, MAX_LANES, Simd, TileKernel};

/// Peak GFLOP/s of all threads of the current rayon pool together: the best of eight runs of some milliseconds.
pub fn peak_gflops(isa: Isa) -> f64 {
    let threads = rayon::current_num_threads();
    let run = || {
        let start = Instant::now();
        let flops: f64 =
            (0..threads).into_par_iter().with_max_len(1).map(|_| isa.run_tiled(MultiplyAdds)).sum();
        flops / start.elapsed().as_secs_f64() / 1e9
    };
    (0..8).map(|_| run()).fold(0.0, f64::max)
}

/// Some milliseconds of independent multiply-adds, one chain per accumulator of the register tile: enough to hide their
/// latency, few enough to stay in registers. Returns the number of floating-point operations.
struct MultiplyAdds;

impl TileKernel for MultiplyAdds {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) -> f64 {
        const ROUNDS: usize = 1 << 20;
        let (factor, term) = (simd.splat(black_box(0.999)), simd.splat(black_box(0.001)));
        let mut sums = [[simd.splat(black_box(1.0)); NV]; MR];
        for _ in 0..ROUNDS {
            for sum in sums.as_flattened_mut() {
                *sum = simd.mul_add(*sum, factor, term);
            }
        }
        let mut last = [0.0; MAX_LANES];
        for sum in sums.as_flattened() {
            simd.write(*sum, &mut last);
            black_box(last);
        }
        (2 * MR * NV * ROUNDS * S::LANES) as f64
    }
}
