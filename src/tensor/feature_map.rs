//! Channel-blocked feature maps.

use ndarray::{Array3, ArrayView3};

use crate::tensor::aligned::AlignedVec;

/// Channels in a block: one vector of AVX2, half a vector of AVX-512.
pub const BLOCK: usize = 8;

/// The feature maps of one layer for one picture: C channels of H×W positions.
///
/// Stored as ⌈C/8⌉ × (H+2) × (W+2) × 8: blocks of eight channels, each a plane with a border of one position on every side.
/// The channels past C are zero, and so is the border unless it is filled with what lies beyond the map, so that a 3×3 convolution
/// reads contiguous memory without edge cases.
#[derive(Clone, Default)]
pub struct FeatureMap {
    channels: usize,
    height: usize,
    width: usize,
    data: AlignedVec,
}

impl FeatureMap {
    /// A map of zeros.
    ///
    /// # Panics
    /// If the map is larger than the address space. Aborts if memory runs out.
    pub fn zeros(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width, data: AlignedVec::zeros(Self::floats(channels, height, width)) }
    }

    /// Floats of a map of this shape, border included. This number does not overflow, so no offset inside a map does.
    fn floats(channels: usize, height: usize, width: usize) -> usize {
        let with_border = |side: usize| side.checked_add(2);
        let floats = with_border(height)
            .zip(with_border(width))
            .and_then(|(height, width)| height.checked_mul(width))
            .and_then(|positions| positions.checked_mul(channels.div_ceil(BLOCK)))
            .and_then(|blocks| blocks.checked_mul(BLOCK));
        floats.unwrap_or_else(|| {
            panic!("a map of {channels}×{height}×{width} is larger than the address space")
        })
    }

    /// A map with the values of `planes`, C×H×W.
    pub fn from_planes(planes: ArrayView3<f32>) -> Self {
        let (channels, height, width) = planes.dim();
        let mut map = Self::zeros(channels, height, width);
        for ((c, y, x), &value) in planes.indexed_iter() {
            let at = map.offset(c / BLOCK, y, x) + c % BLOCK;
            map.data[at] = value;
        }
        map
    }

    /// The values as C×H×W planes.
    pub fn to_planes(&self) -> Array3<f32> {
        Array3::from_shape_fn((self.channels, self.height, self.width), |(c, y, x)| {
            self.data[self.offset(c / BLOCK, y, x) + c % BLOCK]
        })
    }

    /// Changes the shape, reusing the memory. All values, including the border, are unspecified, so this is only for maps
    /// whose border is not read.
    ///
    /// # Panics
    /// If the map is larger than the address space.
    pub fn reshape(&mut self, channels: usize, height: usize, width: usize) {
        self.data.resize_for_overwrite(Self::floats(channels, height, width));
        (self.channels, self.height, self.width) = (channels, height, width);
    }

    /// Channels, C.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Height, H, without the border.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width, W, without the border.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Positions, M = H·W.
    pub fn positions(&self) -> usize {
        self.height * self.width
    }

    /// Blocks of eight channels, ⌈C/8⌉; the last may be partly used.
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(BLOCK)
    }

    /// Used channels of `block`: eight, or fewer in the last.
    pub fn channels_in(&self, block: usize) -> usize {
        BLOCK.min(self.channels - block * BLOCK)
    }

    /// Floats from one row of a plane to the next.
    pub fn row_stride(&self) -> usize {
        (self.width + 2) * BLOCK
    }

    /// Floats of a block's plane, border included.
    pub(super) fn plane_len(&self) -> usize {
        (self.height + 2) * self.row_stride()
    }

    /// Offset in floats of the first channel of `block` at (`y`, `x`).
    pub(super) fn offset(&self, block: usize, y: usize, x: usize) -> usize {
        block * self.plane_len() + (y + 1) * self.row_stride() + (x + 1) * BLOCK
    }

    /// `N` neighbouring positions of a row of `block`, eight floats each. `row` and `column` include the border: (0, 0) is its
    /// corner.
    pub fn bordered_run<const N: usize>(&self, block: usize, row: usize, column: usize) -> &[f32] {
        let start = block * self.plane_len() + row * self.row_stride() + column * BLOCK;
        &self.data[start..start + N * BLOCK]
    }

    /// Row `y` of `block` with the border on both sides: (W+2)·8 floats. `y` is −1 to H, of which both ends are border rows.
    pub fn bordered_row(&self, block: usize, y: isize) -> &[f32] {
        let start = block * self.plane_len() + (y + 1) as usize * self.row_stride();
        &self.data[start..start + self.row_stride()]
    }

    /// Row `y` of `block`: W·8 floats.
    pub fn row(&self, block: usize, y: usize) -> &[f32] {
        let start = self.offset(block, y, 0);
        &self.data[start..start + self.width * BLOCK]
    }

    /// Row `y` of `block`: W·8 floats.
    pub fn row_mut(&mut self, block: usize, y: usize) -> &mut [f32] {
        let start = self.offset(block, y, 0);
        &mut self.data[start..start + self.width * BLOCK]
    }

    /// All floats, border included.
    pub(super) fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Bytes of a map of this shape.
    pub fn bytes_of(channels: usize, height: usize, width: usize) -> u64 {
        (channels.div_ceil(BLOCK) * BLOCK * size_of::<f32>()) as u64
            * (height + 2) as u64
            * (width + 2) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_survive_the_blocked_layout() {
        for (c, h, w) in [(1, 1, 1), (3, 2, 5), (8, 3, 3), (17, 4, 1), (2, 0, 3)] {
            let planes = Array3::from_shape_fn((c, h, w), |(c, y, x)| 1.0 + (c * 100 + y * 10 + x) as f32);
            let map = FeatureMap::from_planes(planes.view());
            assert_eq!(map.to_planes(), planes);
            let border_and_padding = map.data.iter().filter(|v| **v == 0.0).count();
            assert_eq!(border_and_padding, map.data.len() - c * h * w);
        }
    }

    /// What `work` panics with.
    fn message(work: impl FnOnce()) -> String {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).expect_err("refused");
        *panic.downcast().expect("a message with values")
    }

    #[test]
    fn shapes_whose_size_overflows_are_refused() {
        let huge = 1 << (usize::BITS / 2);
        for (c, h, w) in [(1, huge, huge), (huge, huge, 1), (8, usize::MAX, 1), (1, 1, usize::MAX - 1)] {
            let mut map = FeatureMap::zeros(1, 1, 1);
            let messages = [message(|| drop(FeatureMap::zeros(c, h, w))), message(|| map.reshape(c, h, w))];
            assert!(
                messages.iter().all(|text| text.contains("larger than the address space")),
                "{messages:?}"
            );
            assert_eq!((map.channels(), map.height(), map.width()), (1, 1, 1));
        }
    }
}
