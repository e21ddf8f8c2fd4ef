//! What lies in a feature map's border, where that is not zeros.

use crate::parallel::team;

use super::feature_map::{BLOCK, FeatureMap};

impl FeatureMap {
    /// Fills the border with the nearest position's values.
    pub fn replicate_border(&mut self) {
        self.fill_border(|len| [0, len - 1]);
    }

    /// Fills the border with the values of the opposite edge, as if the map repeated itself.
    pub fn wrap_border(&mut self) {
        self.fill_border(|len| [len - 1, 0]);
    }

    /// Fills the border. Of a row or column of so many positions, `sources` gives the two that are copied before the first and
    /// behind the last.
    fn fill_border(&mut self, sources: impl Fn(usize) -> [usize; 2] + Sync) {
        let (height, width, stride) = (self.height(), self.width(), self.row_stride());
        if height == 0 || width == 0 {
            return;
        }
        let plane = (height + 2) * stride;
        team::for_each_chunk(self.data_mut(), plane, |_, plane| {
            for row in plane[stride..].chunks_exact_mut(stride).take(height) {
                for (to, from) in [0, width + 1].into_iter().zip(sources(width)) {
                    let from = (from + 1) * BLOCK;
                    row.copy_within(from..from + BLOCK, to * BLOCK);
                }
            }
            // Whole rows with their sides, so that the corners are right too.
            for (to, from) in [0, height + 1].into_iter().zip(sources(height)) {
                let from = (from + 1) * stride;
                plane.copy_within(from..from + stride, to * stride);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn every_border_position_has_its_source() {
        for (channels, height, width) in [(1, 1, 1), (3, 2, 5), (17, 4, 1), (8, 1, 3), (2, 0, 3)] {
            let planes = Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
                1.0 + (c * 100 + y * 10 + x) as f32
            });
            for wraps in [false, true] {
                let mut map = FeatureMap::from_planes(planes.view());
                if wraps {
                    map.wrap_border()
                } else {
                    map.replicate_border()
                }
                assert_eq!(map.to_planes(), planes);
                let source = |at: isize, len: usize| match wraps {
                    true => at.rem_euclid(len as isize) as usize,
                    false => at.clamp(0, len as isize - 1) as usize,
                };
                for y in -1..if height == 0 { -1 } else { height as isize + 1 } {
                    for x in -1..=width as isize {
                        for c in 0..channels {
                            let row = map.bordered_row(c / BLOCK, y);
                            let found = row[(x + 1) as usize * BLOCK + c % BLOCK];
                            assert_eq!(
                                found,
                                planes[[c, source(y, height), source(x, width)]],
                                "{c} {y} {x}"
                            );
                        }
                    }
                }
            }
        }
    }
}
