//! The machine's peak rates, against which kernels are measured: a loop of only multiply-adds in registers, and one that only
//! moves data from and to memory.

use std::hint::black_box;
use std::time::Instant;

use rayon::prelude::*;

use super::{Isa, Kernel, MAX_LANES, Simd, TileKernel};

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

/// Bytes a second between memory and all threads of the current rayon pool together: the best of four runs of STREAM's triad,
/// a = b + s·c (McCalpin 1995), over three buffers that take `bytes` together. They come from memory only where that is more than
/// the caches hold. As STREAM does, it counts the two values read and the one written for each element.
pub fn peak_bandwidth(isa: Isa, bytes: u64) -> f64 {
    let threads = rayon::current_num_threads();
    let of_thread = (bytes as usize / (3 * size_of::<f32>()) / threads).max(1).next_multiple_of(MAX_LANES);
    let buffer = |value: f32| {
        // Each thread is the first to touch its part, so that the system takes it from memory near it.
        let mut buffer: Vec<f32> = Vec::with_capacity(of_thread * threads);
        buffer.par_extend((0..of_thread * threads).into_par_iter().with_min_len(of_thread).map(|_| value));
        buffer
    };
    let (mut a, b, c) = (buffer(0.0), buffer(1.0), buffer(2.0));
    let mut run = || {
        let start = Instant::now();
        let parts = a.par_chunks_mut(of_thread).zip(b.par_chunks(of_thread)).zip(c.par_chunks(of_thread));
        parts.with_max_len(1).for_each(|((a, b), c)| isa.run(Triad { a, b, c }));
        (3 * size_of::<f32>() * of_thread * threads) as f64 / start.elapsed().as_secs_f64()
    };
    let best = (0..4).map(|_| run()).fold(0.0, f64::max);
    black_box(&a);
    best
}

struct Triad<'b> {
    a: &'b mut [f32],
    b: &'b [f32],
    c: &'b [f32],
}

impl Kernel for Triad<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let factor = simd.splat(black_box(3.0));
        let parts = self.a.chunks_exact_mut(S::LANES).zip(self.b.chunks_exact(S::LANES));
        for ((a, b), c) in parts.zip(self.c.chunks_exact(S::LANES)) {
            simd.write(simd.mul_add(simd.read(c), factor, simd.read(b)), a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triad_is_what_it_says() {
        for isa in Isa::available() {
            let (mut a, b, c) = (vec![0.0; 64], vec![1.5; 64], vec![0.25; 64]);
            isa.run(Triad { a: &mut a, b: &b, c: &c });
            assert_eq!(a, vec![2.25; 64], "{}", isa.name());
        }
    }

    #[test]
    fn bandwidth_is_a_rate() {
        let rate = peak_bandwidth(Isa::best(), 1 << 22);
        assert!(rate > 1e7 && rate.is_finite(), "{rate}");
        assert!(peak_bandwidth(Isa::best(), 0) > 0.0);
    }
}
