//! The part of a picture that a mask leaves free.
//!
//! The optimiser works on a picture u that is free where the mask m is above 0, and the content elsewhere. What is seen is
//! x = (1 − m)·content + m·u: outside the mask exactly the content, at a soft edge between both. The loss judges u: of x it
//! would drive the colours at an edge, where x can move only as far as the mask allows, to their extremes.

use ndarray::{Array3, ArrayView2, ArrayView3, Zip};

use crate::parallel::ranks::Ranks;
use crate::parallel::team;

/// A mask over a content picture of its size.
#[derive(Clone, Copy)]
pub(super) struct Masked<'p> {
    /// H×W, 0–1, in standard layout.
    mask: ArrayView2<'p, f32>,
    /// 3×H×W, in standard layout.
    content: ArrayView3<'p, f32>,
}

impl<'p> Masked<'p> {
    /// # Panics
    /// If the sizes differ.
    pub(super) fn new(mask: ArrayView2<'p, f32>, content: ArrayView3<'p, f32>) -> Self {
        assert_eq!(content.dim(), (3, mask.nrows(), mask.ncols()), "a mask of another size than the content");
        Self { mask, content }
    }

    /// What the optimiser starts from: `picture`, 3×H×W, in the mask and the content outside it.
    pub(super) fn start(self, picture: ArrayView3<f32>) -> Array3<f32> {
        self.map(picture, |content, free, m| if m > 0.0 { free } else { content })
    }

    /// The picture that is seen of the free picture `free`, 3×H×W.
    pub(super) fn seen(self, free: ArrayView3<f32>) -> Array3<f32> {
        // Exactly the content where the mask is 0, and exactly the free picture where it is 1.
        self.map(free, |content, free, m| (1.0 - m) * content + m * free)
    }

    /// Sets the gradient outside the mask to 0, where the picture is not free.
    pub(super) fn hold(self, gradient: &mut [f32]) {
        let (mask, width) = (self.mask.to_slice().expect("masks are in standard layout"), self.mask.ncols());
        team::for_each_chunk(gradient, width, |row, gradient| {
            let of_mask = &mask[row * width % mask.len()..][..width];
            gradient.iter_mut().zip(of_mask).filter(|(_, m)| **m == 0.0).for_each(|(g, _)| *g = 0.0);
        });
    }

    /// The share of the pixels that are free, of all ranks.
    pub(super) fn share(self, ranks: &Ranks) -> f64 {
        let free = self.mask.iter().filter(|m| **m > 0.0).count();
        ranks.total(free as f64) / ranks.total(self.mask.len() as f64)
    }

    fn map(self, picture: ArrayView3<f32>, value: impl Fn(f32, f32, f32) -> f32) -> Array3<f32> {
        let mask = self.mask.insert_axis(ndarray::Axis(0));
        let mask = mask.broadcast(picture.dim()).expect("planes of the mask's size");
        Zip::from(self.content)
            .and(picture)
            .and(mask)
            .map_collect(|content, free, m| value(*content, *free, *m))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    fn picture(seed: usize) -> Array3<f32> {
        let value = |at: usize| ((at * 7919 + seed * 104_729) % 1009) as f32 / 1008.0;
        Array3::from_shape_fn((3, 5, 7), |(c, y, x)| value(c * 35 + y * 7 + x))
    }

    #[test]
    fn black_is_the_content_and_white_the_free_picture_to_the_bit() {
        let mask = Array2::from_shape_fn((5, 7), |(y, x)| [0.0, 0.25, 0.6, 1.0][(y * 7 + x) % 4]);
        let (content, free) = (picture(1), picture(2));
        let masked = Masked::new(mask.view(), content.view());
        let (start, seen) = (masked.start(free.view()), masked.seen(free.view()));
        let mut gradient = picture(3);
        masked.hold(gradient.as_slice_mut().unwrap());
        for (at @ (_, y, x), content) in content.indexed_iter() {
            let m = mask[[y, x]];
            assert_eq!(start[at], if m > 0.0 { free[at] } else { *content });
            assert_eq!(gradient[at], if m > 0.0 { picture(3)[at] } else { 0.0 });
            match m {
                0.0 => assert_eq!(seen[at], *content),
                1.0 => assert_eq!(seen[at], free[at]),
                _ => assert!((seen[at] - content - m * (free[at] - content)).abs() < 1e-6),
            }
        }
        assert_eq!(masked.share(&Ranks::ALONE), 26.0 / 35.0);
    }
}
