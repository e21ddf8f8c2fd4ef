//! The vector trait that kernels are generic over.

#![expect(unsafe_code, reason = "vectors are loaded from and stored to raw memory")]

use half::bf16;

use super::TileKernel;

/// Keeps other crates from implementing [`Simd`].
pub trait Sealed {}

/// The most lanes of a vector on any instruction set.
pub const MAX_LANES: usize = 16;

/// Vectors of [`Simd::LANES`] floats on one instruction set.
///
/// A value of an implementing type proves that the CPU supports the instruction set, because it is created only after CPU
/// detection. The methods compile to one or a few instructions if the caller is compiled for the instruction set, which
/// [`Isa::run`](super::Isa::run) ensures. Sealed: the implementations are those behind [`Isa`](super::Isa).
///
/// # Safety
/// A value must be created only where the CPU supports the instruction set. [`Simd::LANES`] must be 8 or [`MAX_LANES`]. The
/// methods that access memory must access only the floats that they document.
pub unsafe trait Simd: Sealed + Copy + Send + Sync + 'static {
    /// A vector.
    type F32: Copy;
    /// Floats in a vector: one channel block, 8, or two, [`MAX_LANES`].
    const LANES: usize;

    /// Runs `kernel` with the instruction set's register tile, MR rows by NV vectors: as many accumulators as the registers
    /// hold beside the operands.
    fn with_tile<K: TileKernel>(self, kernel: K) -> K::Output;

    /// The same value in every lane.
    fn splat(self, value: f32) -> Self::F32;

    /// `a · b + c`, rounded once if the instruction set has a fused multiply-add, else twice.
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;

    /// `c` plus the products of pairs: each lane of `a` and `b` holds two numbers in bfloat16, as [`Simd::pair`] has them.
    #[inline(always)]
    fn mul_add_pairs(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        let [a, b, mut c] = [a, b, c].map(|vector| self.lanes(vector));
        for (c, (a, b)) in c.iter_mut().zip(a.iter().zip(&b)) {
            let [(a_first, a_second), (b_first, b_second)] = [a, b].map(|lane| {
                let bits = lane.to_bits();
                (f32::from_bits(bits << 16), f32::from_bits(bits & 0xffff_0000))
            });
            *c += a_first * b_first + a_second * b_second;
        }
        self.read(&c)
    }

    /// A pair of numbers in bfloat16 in each lane, rounded to the nearest: `first` in the lower half, `second` in the upper.
    #[inline(always)]
    fn pair(self, first: Self::F32, second: Self::F32) -> Self::F32 {
        let [mut first, second] = [first, second].map(|vector| self.lanes(vector));
        for (first, second) in first.iter_mut().zip(second) {
            let [low, high] = [*first, second].map(|value| u32::from(bf16::from_f32(value).to_bits()));
            *first = f32::from_bits(high << 16 | low);
        }
        self.read(&first)
    }

    /// Writes pairs of neighbouring lanes, in bfloat16: half as many floats as there are lanes.
    ///
    /// # Safety
    /// `to` must be valid for writing half of [`Simd::LANES`] floats. It need not be aligned.
    #[inline(always)]
    unsafe fn store_pairs(self, to: *mut f32, value: Self::F32) {
        let lanes = self.lanes(value);
        for (at, pair) in lanes[..Self::LANES].chunks_exact(2).enumerate() {
            let [low, high] = [pair[0], pair[1]].map(|value| u32::from(bf16::from_f32(value).to_bits()));
            // SAFETY: there are half as many pairs as lanes.
            unsafe { to.add(at).write_unaligned(f32::from_bits(high << 16 | low)) };
        }
    }

    /// The lanes, followed by zeros.
    #[inline(always)]
    fn lanes(self, vector: Self::F32) -> [f32; MAX_LANES] {
        let mut lanes = [0.0; MAX_LANES];
        self.write(vector, &mut lanes);
        lanes
    }

    /// `a + b`.
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `a - b`.
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// The maximum of `a` and `b`; NaN if either is NaN.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;

    /// `floor` where `value < floor`, else `value`: NaN stays NaN.
    fn clamp_min(self, value: Self::F32, floor: Self::F32) -> Self::F32;

    /// `value` where `sign > 0`, else 0.
    fn where_positive(self, sign: Self::F32, value: Self::F32) -> Self::F32;

    /// Splits `value` in two vectors: the first has the lanes where `a == b`, the second the others, each with 0 elsewhere.
    fn where_equal(self, a: Self::F32, b: Self::F32, value: Self::F32) -> [Self::F32; 2];

    /// Reads the first [`Simd::LANES`] floats of a slice.
    ///
    /// # Panics
    /// If the slice is shorter.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::F32 {
        assert!(from.len() >= Self::LANES);
        // SAFETY: by the assert above.
        unsafe { self.load(from.as_ptr()) }
    }

    /// Writes `value` to the first [`Simd::LANES`] floats of a slice.
    ///
    /// # Panics
    /// If the slice is shorter.
    #[inline(always)]
    fn write(self, value: Self::F32, to: &mut [f32]) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: by the assert above.
        unsafe { self.store(to.as_mut_ptr(), value) };
    }

    /// Reads eight floats at `first` and, with 16 lanes, eight at `second`: positions of two channel blocks.
    ///
    /// # Safety
    /// Both must be valid for reading eight floats. They need not be aligned.
    #[inline(always)]
    unsafe fn load_blocks(self, first: *const f32, _second: *const f32) -> Self::F32 {
        // SAFETY: by this function's contract: a vector of eight lanes is one block. Wider vectors override this.
        unsafe { self.load(first) }
    }

    /// The inverse of [`Simd::load_blocks`]. The second block is written first: if both addresses are the same, it holds
    /// the first block afterwards.
    ///
    /// # Safety
    /// Both must be valid for writing eight floats. They need not be aligned.
    #[inline(always)]
    unsafe fn store_blocks(self, first: *mut f32, _second: *mut f32, value: Self::F32) {
        // SAFETY: as in `load_blocks`.
        unsafe { self.store(first, value) }
    }

    /// Reads eight floats at each of `LANES` addresses, `stride` floats apart, and transposes them: vector i has the i-th
    /// float of each address.
    ///
    /// # Safety
    /// Every address must be valid for reading eight floats. They need not be aligned.
    unsafe fn load_transposed(self, from: *const f32, stride: usize) -> [Self::F32; 8];

    /// Reads `LANES` floats.
    ///
    /// # Safety
    /// `from` must be valid for reading `LANES` floats. It need not be aligned.
    unsafe fn load(self, from: *const f32) -> Self::F32;

    /// Writes `LANES` floats.
    ///
    /// # Safety
    /// `to` must be valid for writing `LANES` floats. It need not be aligned.
    unsafe fn store(self, to: *mut f32, value: Self::F32);

    /// Prefetches the cache line at `from` for reading. A hint: `from` may be any address.
    #[inline(always)]
    fn prefetch(self, _from: *const f32) {}

    /// Prefetches the cache line at `to` for writing, invalidating it in other cores' caches. A hint: `to` may be any
    /// address.
    #[inline(always)]
    fn prefetch_write(self, _to: *mut f32) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, Kernel};

    /// `LANES` values, and those that round up, down, to the even one of two, and to infinity.
    fn values(seed: u32) -> [f32; MAX_LANES] {
        let mut values = [0.0; MAX_LANES];
        for (at, value) in values.iter_mut().enumerate() {
            *value = (at as f32 + 0.37) * [1.0, -3.1e-3, 4.7e8][(at + seed as usize) % 3];
        }
        for (value, bits) in
            values.iter_mut().skip(seed as usize % 3).zip([0x3f80_8000u32, 0x3f81_8000, 0x7f7f_ffff])
        {
            *value = f32::from_bits(bits);
        }
        values
    }

    /// The pairs of the first and second numbers; `value`s stored in pairs; and the pairs' products with themselves added to one.
    struct Pairs([f32; MAX_LANES], [f32; MAX_LANES]);

    impl Kernel for Pairs {
        type Output = (Vec<u32>, Vec<u32>, Vec<f32>);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let (first, second) = (simd.read(&self.0), simd.read(&self.1));
            let pairs = simd.pair(first, second);
            let mut stored = vec![f32::NAN; MAX_LANES];
            // SAFETY: there is room for as many floats as lanes.
            unsafe { simd.store_pairs(stored.as_mut_ptr(), first) };
            assert!(stored[S::LANES / 2..].iter().all(|value| value.is_nan()), "more was written");
            let products = simd.mul_add_pairs(pairs, pairs, simd.splat(1.0));
            let lanes = |vector| simd.lanes(vector)[..S::LANES].to_vec();
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
            (bits(&lanes(pairs)), bits(&stored[..S::LANES / 2]), lanes(products))
        }
    }

    #[test]
    fn pairs_of_bfloat16_are_rounded_to_the_nearest_and_multiplied() {
        let rounded = |value: f32| u32::from(bf16::from_f32(value).to_bits());
        for isa in Isa::available() {
            for seed in 0..3 {
                let (first, second) = (values(seed), values(seed + 1));
                for native in [false, true] {
                    let (pairs, stored, products) = match native {
                        true => isa.run_bf16(Pairs(first, second)),
                        false => isa.run(Pairs(first, second)),
                    };
                    for (at, pair) in pairs.iter().enumerate() {
                        assert_eq!(
                            *pair,
                            rounded(second[at]) << 16 | rounded(first[at]),
                            "{isa:?} {native} {at}"
                        );
                        let [first, second] =
                            [first[at], second[at]].map(|value| bf16::from_f32(value).to_f64());
                        let expected = (1.0 + first * first + second * second) as f32;
                        let near = (products[at] - expected).abs() <= 1e-6 * expected;
                        assert!(near || products[at] == expected, "{isa:?} {native} {at}: {}", products[at]);
                    }
                    for (at, pair) in stored.iter().enumerate() {
                        let [low, high] = [2 * at, 2 * at + 1].map(|at| rounded(first[at]));
                        assert_eq!(*pair, high << 16 | low, "{isa:?} {native} {at}");
                    }
                }
            }
        }
    }
}
