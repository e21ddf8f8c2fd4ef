//! The part of a picture that a mask leaves free.
//!
//! The optimiser's variables are a free picture u, and the picture that is seen and judged is x = (1 − m)·content + m·u with
//! the mask m: outside the mask it is the content exactly, at a soft edge it can move as far from it as the mask allows. A
//! gradient with respect to u is m times that with respect to x.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

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
    pub(super) fn new(mask: &'p Array2<f32>, content: ArrayView3<'p, f32>) -> Self {
        assert_eq!(content.dim(), (3, mask.nrows(), mask.ncols()), "a mask of another size than the content");
        Self { mask: mask.view(), content }
    }

    /// The picture that is seen of the free picture `free`, 3×H×W in standard layout.
    pub(super) fn picture(self, free: ArrayView3<f32>) -> Array3<f32> {
        let mut picture = Array3::zeros(free.dim());
        let values = picture.as_slice_mut().expect("a new array is in standard layout");
        self.write(free.to_slice().expect("pictures are in standard layout"), values);
        picture
    }

    /// Writes the values of [`Masked::picture`] to `picture`.
    ///
    /// # Panics
    /// If there are not as many values as in the content.
    pub(super) fn write(self, free: &[f32], picture: &mut [f32]) {
        assert!(free.len() == self.content.len() && picture.len() == free.len(), "another number of values");
        let (mask, content) = self.rows();
        let width = self.mask.ncols();
        team::for_each_chunk(picture, width, |row, to| {
            let at = row * width..(row + 1) * width;
            let of_mask = &mask[at.start % mask.len()..][..width];
            for (((to, content), free), m) in
                to.iter_mut().zip(&content[at.clone()]).zip(&free[at]).zip(of_mask)
            {
                *to = blended(*content, *free, *m);
            }
        });
    }

    /// Multiplies the gradient with respect to the picture by the mask: that with respect to the free picture.
    pub(super) fn apply(self, gradient: &mut [f32]) {
        let (mask, width) = (self.rows().0, self.mask.ncols());
        team::for_each_chunk(gradient, width, |row, gradient| {
            let of_mask = &mask[row * width % mask.len()..][..width];
            gradient.iter_mut().zip(of_mask).for_each(|(gradient, m)| *gradient *= m);
        });
    }

    /// The root mean square of the mask: a change of the free picture by that of 1 changes the picture by so much.
    pub(super) fn root_mean_square(self) -> f64 {
        let squares: f64 = self.mask.iter().map(|m| f64::from(*m).powi(2)).sum();
        (squares / self.mask.len() as f64).sqrt()
    }

    fn rows(self) -> (&'p [f32], &'p [f32]) {
        let standard = "masks and contents are in standard layout";
        (self.mask.to_slice().expect(standard), self.content.to_slice().expect(standard))
    }
}

/// Exactly the content where the mask is 0, and exactly the free picture where it is 1.
fn blended(content: f32, free: f32, m: f32) -> f32 {
    (1.0 - m) * content + m * free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seed: usize) -> impl Fn(usize) -> f32 {
        move |at| ((at * 7919 + seed * 104_729) % 1009) as f32 / 1008.0
    }

    #[test]
    fn the_gradient_is_the_derivative_of_the_picture_along_any_direction() {
        let mask = Array2::from_shape_fn((5, 7), |(y, x)| [0.0, 0.25, 0.6, 1.0][(y * 7 + x) % 4]);
        let content = Array3::from_shape_fn((3, 5, 7), |(c, y, x)| values(1)(c * 35 + y * 7 + x));
        let masked = Masked::new(&mask, content.view());
        let [free, direction, slope] = [2, 3, 4]
            .map(|seed| Array3::from_shape_fn((3, 5, 7), |(c, y, x)| values(seed)(c * 35 + y * 7 + x)));
        // The picture is affine in the free one: any step gives the derivative.
        let change = masked.picture((&free + &direction).view()) - masked.picture(free.view());
        let expected = (&change * &slope).sum();
        let mut gradient = slope;
        masked.apply(gradient.as_slice_mut().unwrap());
        let found = (&gradient * &direction).sum();
        assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
    }

    #[test]
    fn black_is_the_content_and_white_the_free_picture_to_the_bit() {
        let mask = Array2::from_shape_fn((4, 6), |(_, x)| f32::from(u8::from(x > 2)));
        let content = Array3::from_shape_fn((3, 4, 6), |(c, y, x)| values(1)(c * 24 + y * 6 + x));
        let free = Array3::from_shape_fn((3, 4, 6), |(c, y, x)| values(2)(c * 24 + y * 6 + x));
        let masked = Masked::new(&mask, content.view());
        for ((c, y, x), value) in masked.picture(free.view()).indexed_iter() {
            assert_eq!(*value, if x > 2 { free[[c, y, x]] } else { content[[c, y, x]] });
        }
        assert_eq!(masked.root_mean_square(), 0.5_f64.sqrt());
    }
}
