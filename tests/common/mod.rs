//! What the tests of the numerics share: seeded values, one comparison within bounds, references by the
//! definition in f64, and the same work at several thread counts.

// Every test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

pub mod evaluation;
pub mod ranks;

use std::fmt::{Debug, Display};
use std::sync::LazyLock;

use impasto::layers::moments::Moments;
use impasto::tensor::FeatureMap;
use ndarray::{Array, Array3, Dimension};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The distance between 1 and the next f32, twice the largest relative error of one operation.
pub const EPSILON: f64 = f32::EPSILON as f64;

/// Reproducible values (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next of 2²⁴ values evenly spread over −1 … 1, none of which is 0.
    pub fn value(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 40) as f32 + 0.5) / (1 << 23) as f32 - 1.0
    }

    /// An array of such values.
    pub fn array<D: Dimension>(&mut self, shape: impl ndarray::ShapeBuilder<Dim = D>) -> Array<f32, D> {
        Array::from_shape_simple_fn(shape, || self.value())
    }

    /// The same with a zero in about every fourth place, half of them negative zeros: where a ReLU turns.
    pub fn array_with_zeros<D: Dimension>(
        &mut self,
        shape: impl ndarray::ShapeBuilder<Dim = D>,
    ) -> Array<f32, D> {
        self.array(shape).mapv(|v| if v.abs() < 0.25 { 0.0 * v } else { v })
    }
}

/// The same values in f64, for the references.
pub fn f64s<D: Dimension>(array: &Array<f32, D>) -> Array<f64, D> {
    array.mapv(f64::from)
}

/// ⟨a, b⟩ in f64.
pub fn dot<D: Dimension>(a: &Array<f64, D>, b: &Array<f64, D>) -> f64 {
    (a * b).sum()
}

/// √Σ a² in f64.
pub fn norm<D: Dimension>(a: &Array<f64, D>) -> f64 {
    dot(a, a).sqrt()
}

/// A reference's values, and how far from each of them the result may lie.
pub struct Expected<D: Dimension> {
    pub values: Array<f64, D>,
    pub bounds: Array<f64, D>,
}

impl<D: Dimension> Expected<D> {
    /// Values that the result has to have exactly.
    pub fn exactly(values: Array<f64, D>) -> Self {
        Self { bounds: Array::zeros(values.raw_dim()), values }
    }
}

/// Asserts that what was `found` lies within the bounds. NaN does not.
///
/// # Panics
/// With the number of places that differ and, for the first and for the worst of them, index and values.
#[track_caller]
pub fn assert_close<T, D>(what: impl Display, found: &Array<T, D>, expected: &Expected<D>)
where
    T: Copy + Into<f64>,
    D: Dimension<Pattern: Debug>,
{
    assert_eq!(found.shape(), expected.values.shape(), "{what}: shape");
    // A comparison with NaN is never true.
    let within = |&(_, found, value, bound): &(_, f64, f64, f64)| (found - value).abs() <= bound;
    let places = found.indexed_iter().zip(&expected.values).zip(&expected.bounds);
    let wrong: Vec<_> = places
        .map(|(((index, &found), &value), &bound)| (index, found.into(), value, bound))
        .filter(|place| !within(place))
        .collect();
    let excess = |&(_, found, value, bound): &(_, f64, f64, f64)| {
        let excess = (found - value).abs() / bound;
        if excess.is_nan() { f64::INFINITY } else { excess }
    };
    if let (Some(first), Some(worst)) =
        (wrong.first(), wrong.iter().max_by(|a, b| excess(a).total_cmp(&excess(b))))
    {
        let lines = [("first", first), ("worst", worst)].map(|(which, (index, found, value, bound))| {
            let off = (found - value).abs();
            format!("{which} at {index:?}: {found:e} for {value:e}, off by {off:.1e} of {bound:.1e}")
        });
        panic!("{what}: {} of {} differ; {}", wrong.len(), found.len(), lines.join("; "));
    }
}

/// Everything in a result, to the bit.
pub trait Bits: Send {
    /// The bits of each float.
    fn bits(&self) -> Vec<u32>;
}

impl Bits for Moments {
    fn bits(&self) -> Vec<u32> {
        self.second.iter().chain(&self.mean).map(|v| v.to_bits()).collect()
    }
}

impl Bits for FeatureMap {
    /// The border and the channels past C belong to them.
    fn bits(&self) -> Vec<u32> {
        bordered_rows(self).flat_map(|(.., row)| row).map(|v| v.to_bits()).collect()
    }
}

/// What `work` gives with one, two and three threads.
///
/// # Panics
/// When it is not the same bytes.
#[track_caller]
pub fn on_any_threads<R: Bits>(what: impl Display, work: impl Fn() -> R + Sync) -> R {
    static POOLS: LazyLock<[ThreadPool; 3]> = LazyLock::new(|| {
        [1, 2, 3].map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("threads"))
    });
    let [one, two, three] = [0, 1, 2].map(|pool| POOLS[pool].install(&work));
    assert!(one.bits() == two.bits(), "{what}: one and two threads differ");
    assert!(one.bits() == three.bits(), "{what}: one and three threads differ");
    one
}

/// A map in memory that was used before: NaN in almost every place, the border and the channels past C too.
pub fn used_map((channels, height, width): (usize, usize, usize)) -> FeatureMap {
    let used = Array3::from_elem((channels.next_multiple_of(8), height + 2, width + 3), f32::NAN);
    let mut map = FeatureMap::from_planes(used.view());
    map.reshape(channels, height, width);
    map
}

/// A map of `planes` in such memory: what a layer may be given where it reads only the inside.
pub fn map_in_used_memory(planes: &Array3<f32>) -> FeatureMap {
    let mut map = used_map(planes.dim());
    for block in 0..map.blocks() {
        for y in 0..map.height() {
            for (at, value) in map.row_mut(block, y).iter_mut().enumerate() {
                *value = planes.get([block * 8 + at % 8, y, at / 8]).copied().unwrap_or(0.0);
            }
        }
    }
    map
}

/// Asserts what convolutions rely on: around the map there is a border of zeros, and in its last block the
/// channels past C are zero.
#[track_caller]
pub fn assert_padding_is_zero(what: impl Display, map: &FeatureMap) {
    for (block, y, row) in bordered_rows(map) {
        let inside = y >= 0 && y < map.height() as isize;
        for (at, &value) in row.iter().enumerate() {
            let (x, channel) = (at / 8, at % 8);
            let feature = inside && (1..=map.width()).contains(&x) && channel < map.channels_in(block);
            let x = x as isize - 1;
            assert!(
                feature || value == 0.0,
                "{what}: {value} in the padding: {block}·8 + {channel}, {y}, {x}"
            );
        }
    }
}

/// Block, y and the row with its border, of every row of the map and its border.
fn bordered_rows(map: &FeatureMap) -> impl Iterator<Item = (usize, isize, &[f32])> {
    let rows = move |block| (-1..=map.height() as isize).map(move |y| (block, y, map.bordered_row(block, y)));
    (0..map.blocks()).flat_map(rows)
}

/// The layers by their definitions, in f64 on planes C×H×W. Applied to magnitudes, a linear one gives the sum
/// of its terms' magnitudes.
pub mod naive {
    use impasto::layers::pool::Pooling;
    use ndarray::{Array1, Array2, Array3, Array4, Axis};

    /// Y = W∗X + b with zero padding; W is N×C×k×k.
    pub fn conv(x: &Array3<f64>, w: &Array4<f64>, b: &Array1<f64>) -> Array3<f64> {
        let (_, height, width) = x.dim();
        let mut y = Array3::from_shape_fn((w.dim().0, height, width), |(n, ..)| b[n]);
        for_each_product(w, (height, width), |weight, [n, at_y, at_x], from| {
            y[[n, at_y, at_x]] += weight * x[from];
        });
        y
    }

    /// dX of [`conv`].
    pub fn conv_backward(dy: &Array3<f64>, w: &Array4<f64>) -> Array3<f64> {
        let (_, height, width) = dy.dim();
        let mut dx = Array3::zeros((w.dim().1, height, width));
        for_each_product(w, (height, width), |weight, at, from| dx[from] += weight * dy[at]);
        dx
    }

    /// Calls `visit` with every weight that meets an element of X on its way to one of Y, and their places
    /// (n, y, x) in Y and (c, y, x) in X.
    fn for_each_product(
        w: &Array4<f64>,
        (height, width): (usize, usize),
        mut visit: impl FnMut(f64, [usize; 3], [usize; 3]),
    ) {
        for ((n, c, row, column), &weight) in w.indexed_iter() {
            let half = w.dim().3 / 2;
            // X's row is y + row − half; padding has no place.
            for y in (half.saturating_sub(row)..height).take_while(|y| y + row < height + half) {
                for x in (half.saturating_sub(column)..width).take_while(|x| x + column < width + half) {
                    visit(weight, [n, y, x], [c, y + row - half, x + column - half]);
                }
            }
        }
    }

    /// Y = max(0, X).
    pub fn relu(x: &Array3<f64>) -> Array3<f64> {
        x.mapv(|x| x.max(0.0))
    }

    /// dX of [`relu`].
    pub fn relu_backward(dy: &Array3<f64>, x: &Array3<f64>) -> Array3<f64> {
        dy * &x.mapv(|x| if x > 0.0 { 1.0 } else { 0.0 })
    }

    /// The largest or the mean of each 2×2 window.
    pub fn pool(pooling: Pooling, x: &Array3<f64>) -> Array3<f64> {
        let (channels, height, width) = x.dim();
        Array3::from_shape_fn((channels, height / 2, width / 2), |at| {
            let values = window(at).map(|place| x[place]);
            match pooling {
                Pooling::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
                _ => values.iter().sum::<f64>() / 4.0,
            }
        })
    }

    /// dX of [`pool`]: of equally large values the first in reading order has it, as in PyTorch.
    pub fn pool_backward(pooling: Pooling, dy: &Array3<f64>, x: &Array3<f64>) -> Array3<f64> {
        let mut dx = Array3::zeros(x.dim());
        for (at, dy) in dy.indexed_iter() {
            let window = window(at);
            match pooling {
                Pooling::Max => {
                    let first = window
                        .into_iter()
                        .reduce(|first, next| if x[next] > x[first] { next } else { first });
                    dx[first.expect("four places")] = *dy;
                }
                _ => window.iter().for_each(|place| dx[*place] = dy / 4.0),
            }
        }
        dx
    }

    /// The places of a window in reading order.
    pub fn window((c, y, x): (usize, usize, usize)) -> [[usize; 3]; 4] {
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(down, right)| [c, 2 * y + down, 2 * x + right])
    }

    /// Local response normalisation: y_c = x_c / (2 + 1e-4 Σ x_j²)^0.75, j from c − 2 to c + 2.
    pub fn lrn(x: &Array3<f64>) -> Array3<f64> {
        Array3::from_shape_fn(x.dim(), |(c, y, at)| x[[c, y, at]] * lrn_scale(x, c, y, at).powf(-0.75))
    }

    /// dX of [`lrn`], as the sum of each y_j's derivative by x_c.
    pub fn lrn_backward(dy: &Array3<f64>, x: &Array3<f64>) -> Array3<f64> {
        lrn_direct(dy, x) - lrn_spread(dy, x)
    }

    /// The derivative of x_c / s_c^β where s_c is taken as a constant.
    pub fn lrn_direct(dy: &Array3<f64>, x: &Array3<f64>) -> Array3<f64> {
        Array3::from_shape_fn(x.dim(), |(c, y, at)| dy[[c, y, at]] * lrn_scale(x, c, y, at).powf(-0.75))
    }

    /// What the derivatives of all s_j take from it.
    pub fn lrn_spread(dy: &Array3<f64>, x: &Array3<f64>) -> Array3<f64> {
        let mut spread = Array3::zeros(x.dim());
        for ((j, y, at), &dy) in dy.indexed_iter() {
            let by_scale = 0.75 * dy * x[[j, y, at]] * lrn_scale(x, j, y, at).powf(-1.75);
            for c in j.saturating_sub(2)..(j + 3).min(x.dim().0) {
                spread[[c, y, at]] += by_scale * 2.0 * 1e-4 * x[[c, y, at]];
            }
        }
        spread
    }

    fn lrn_scale(x: &Array3<f64>, c: usize, y: usize, at: usize) -> f64 {
        let around = c.saturating_sub(2)..(c + 3).min(x.dim().0);
        2.0 + 1e-4 * around.map(|j| x[[j, y, at]].powi(2)).sum::<f64>()
    }

    /// G_ij = Σ F_ik F_jk over all positions k.
    pub fn gram(f: &Array3<f64>) -> Array2<f64> {
        let channel = |c| f.index_axis(Axis(0), c);
        Array2::from_shape_fn((f.dim().0, f.dim().0), |(i, j)| {
            channel(i).iter().zip(channel(j)).map(|(a, b)| a * b).sum()
        })
    }

    /// The same, row after row.
    pub fn gram_entries(f: &Array3<f64>) -> Array1<f64> {
        gram(f).into_iter().collect()
    }

    /// Σ F_ik over all positions k.
    pub fn channel_sums(f: &Array3<f64>) -> Array1<f64> {
        f.outer_iter().map(|channel| channel.sum()).collect()
    }

    /// dF of [`gram`] for any dG: dF_i = Σ (dG_ij + dG_ji) F_j.
    pub fn gram_backward(f: &Array3<f64>, dg: &Array2<f64>) -> Array3<f64> {
        let mut df = Array3::zeros(f.dim());
        for ((i, j), dg_ij) in dg.indexed_iter() {
            df.index_axis_mut(Axis(0), i).scaled_add(dg_ij + dg[[j, i]], &f.index_axis(Axis(0), j));
        }
        df
    }

    /// What a `Finish` does: adds the tap, then takes the gradient of a ReLU that made X.
    pub fn finish(dx: &Array3<f64>, x: &Array3<f64>, tap: Option<&Array3<f64>>, relu: bool) -> Array3<f64> {
        let sum = match tap {
            Some(tap) => dx + tap,
            None => dx.clone(),
        };
        if relu { relu_backward(&sum, x) } else { sum }
    }
}
