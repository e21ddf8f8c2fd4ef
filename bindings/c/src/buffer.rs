//! Buffers of pixels, row by row, as programs have them, from and to pictures.

use std::mem::MaybeUninit;

use impasto_rs::Picture;
use impasto_rs::ndarray::{Array2, Array3, ArrayView2, Axis};

use crate::controls::Sample;
use crate::status::Failure;

/// Red, green and blue.
const COLOURS: usize = 3;

/// How the pixels lie in a buffer.
#[derive(Clone, Copy)]
pub struct Layout {
    width: usize,
    height: usize,
    channels: usize,
    sample: Sample,
    /// Bytes from the beginning of a row to that of the next.
    stride: usize,
}

impl Layout {
    /// The layout of a buffer of `length` bytes. A stride of 0 is that of rows without gaps.
    pub fn new(
        [width, height]: [usize; 2],
        channels: i32,
        sample: Sample,
        stride: usize,
        length: usize,
    ) -> Result<Self, Failure> {
        let refused = |expected: String| Err(Failure::Buffer(expected));
        if width.min(height) == 0 {
            return refused(format!("expected a picture of at least 1×1 pixels, found {width}×{height}"));
        }
        let pixel = channels as usize * sample.bytes();
        let Some(row) = width.checked_mul(pixel) else {
            return refused(format!("a row of {width} pixels is more than memory can hold"));
        };
        let stride = if stride == 0 { row } else { stride };
        if stride < row {
            return refused(format!("expected a stride of at least {row} bytes, found {stride}"));
        }
        let needed = stride.checked_mul(height - 1).and_then(|rows| rows.checked_add(row));
        if needed.is_none_or(|needed| needed > length) {
            return refused(format!(
                "expected {height} rows of {row} bytes, {stride} bytes apart, found {length} bytes"
            ));
        }
        Ok(Self { width, height, channels: channels as usize, sample, stride })
    }

    /// Bytes of a row's pixels.
    fn row(&self) -> usize {
        self.width * self.channels * self.sample.bytes()
    }

    /// The picture in the bytes of such a buffer: grey, grey and alpha, RGB, or RGBA.
    pub fn read(&self, buffer: &[u8]) -> Result<Picture, Failure> {
        match self.sample {
            Sample::U8 => self.read_samples(buffer, |[byte]| f32::from(byte) / 255.0),
            Sample::U16 => self.read_samples(buffer, |bytes| f32::from(u16::from_ne_bytes(bytes)) / 65535.0),
            Sample::F32 => self.read_samples(buffer, f32::from_ne_bytes),
        }
    }

    fn read_samples<const N: usize>(
        &self,
        buffer: &[u8],
        value: impl Fn([u8; N]) -> f32,
    ) -> Result<Picture, Failure> {
        let mut planes = Array3::zeros((COLOURS, self.height, self.width));
        let has_alpha = self.channels.is_multiple_of(2);
        let mut alpha = has_alpha.then(|| Array2::zeros((self.height, self.width)));
        let colours = if self.channels < COLOURS { [0, 0, 0] } else { [0, 1, 2] };
        for (y, row) in buffer.chunks(self.stride).take(self.height).enumerate() {
            let samples = row[..self.row()].as_chunks::<N>().0;
            for (x, pixel) in samples.chunks_exact(self.channels).enumerate() {
                for (plane, channel) in colours.into_iter().enumerate() {
                    planes[[plane, y, x]] = value(pixel[channel]);
                }
                if let Some(alpha) = &mut alpha {
                    alpha[[y, x]] = value(pixel[self.channels - 1]);
                }
            }
        }
        Ok(Picture::from_planes(planes)?.with_alpha(alpha)?)
    }

    /// Writes a picture of this size to such a buffer, as RGB or RGBA. What is between the rows stays as it is.
    pub fn write(&self, picture: &Picture, buffer: &mut [MaybeUninit<u8>]) {
        match self.sample {
            // The casts saturate.
            Sample::U8 => self.write_samples(picture, buffer, |value| [(value * 255.0).round() as u8]),
            Sample::U16 => self.write_samples(picture, buffer, |value| {
                ((f64::from(value) * 65535.0).round() as u16).to_ne_bytes()
            }),
            Sample::F32 => self.write_samples(picture, buffer, f32::to_ne_bytes),
        }
    }

    fn write_samples<const N: usize>(
        &self,
        picture: &Picture,
        buffer: &mut [MaybeUninit<u8>],
        bytes: impl Fn(f32) -> [u8; N],
    ) {
        let planes = picture.planes();
        let colour = |channel| Some(planes.index_axis(Axis(0), channel));
        let channels = [colour(0), colour(1), colour(2), picture.alpha()];
        for (y, row) in buffer.chunks_mut(self.stride).take(self.height).enumerate() {
            let samples = row[..self.row()].as_chunks_mut::<N>().0;
            for (x, pixel) in samples.chunks_exact_mut(self.channels).enumerate() {
                for (sample, channel) in pixel.iter_mut().zip(&channels) {
                    let opaque = |channel: &ArrayView2<'_, f32>| channel[[y, x]];
                    *sample = bytes(channel.as_ref().map_or(1.0, opaque)).map(MaybeUninit::new);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        buffer: &[u8],
        size: [usize; 2],
        channels: i32,
        sample: Sample,
        stride: usize,
    ) -> Result<Picture, Failure> {
        Layout::new(size, channels, sample, stride, buffer.len())?.read(buffer)
    }

    fn written(picture: &Picture, channels: i32, sample: Sample, stride: usize) -> Vec<u8> {
        let size = [picture.width(), picture.height()];
        let mut buffer = vec![MaybeUninit::new(99); stride * size[1]];
        let layout = Layout::new(size, channels, sample, stride, buffer.len());
        layout.unwrap_or_else(|_| panic!("a valid layout")).write(picture, &mut buffer);
        // SAFETY: all of it was initialised above.
        buffer.into_iter().map(|byte| unsafe { byte.assume_init() }).collect()
    }

    fn shown<T>(result: Result<T, Failure>) -> T {
        result.unwrap_or_else(|_| panic!("a valid buffer"))
    }

    #[test]
    fn bytes_are_as_the_library_has_them() {
        let pixels: Vec<u8> = (0..2 * 3 * 4).map(|at| at * 10).collect();
        let rgba = shown(read(&pixels, [2, 3], 4, Sample::U8, 0));
        assert_eq!(rgba, Picture::from_rgba8(&pixels, 2, 3, 8).unwrap());
        assert_eq!(written(&rgba, 4, Sample::U8, 8), rgba.to_rgba8());
        assert_eq!(written(&rgba, 3, Sample::U8, 6), rgba.to_rgb8());
    }

    #[test]
    fn between_rows_nothing_is_read_or_written() {
        let mut pixels = [7; 2 * 8];
        pixels[6..8].fill(99);
        let picture = shown(read(&pixels[..14], [2, 2], 3, Sample::U8, 8));
        assert_eq!(picture.to_rgb8(), [7; 12]);
        let buffer = written(&picture, 3, Sample::U8, 8);
        assert_eq!(buffer, [7, 7, 7, 7, 7, 7, 99, 99, 7, 7, 7, 7, 7, 7, 99, 99]);
    }

    #[test]
    fn every_sample_and_channel_goes_both_ways() {
        let levels: Vec<u8> = [0u16, 1, 32768, 65535].iter().flat_map(|level| level.to_ne_bytes()).collect();
        let grey = shown(read(&levels, [4, 1], 1, Sample::U16, 0));
        assert!(grey.alpha().is_none());
        assert_eq!(written(&grey, 3, Sample::U16, 24)[12..18], levels[4..6].repeat(3));
        let with_alpha = shown(read(&levels, [2, 1], 2, Sample::U16, 0));
        assert_eq!(with_alpha.alpha().unwrap()[[0, 1]], 1.0);
        let floats: Vec<u8> = [0.25f32, -1.0, 2.0].iter().flat_map(|value| value.to_ne_bytes()).collect();
        let clamped = shown(read(&floats, [1, 1], 3, Sample::F32, 0));
        let expected: Vec<u8> =
            [0.25f32, 0.0, 1.0, 1.0].iter().flat_map(|value| value.to_ne_bytes()).collect();
        assert_eq!(written(&clamped, 4, Sample::F32, 16), expected);
        assert!(read(&f32::NAN.to_ne_bytes(), [1, 1], 1, Sample::F32, 0).is_err());
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        for (size, stride) in [
            ([usize::MAX, 1], 0),
            ([1, usize::MAX], 4),
            ([usize::MAX / 4, 2], usize::MAX),
            ([0, 1], 4),
            ([1, 0], 4),
            ([2, 1], 7),
            ([2, 2], 8),
        ] {
            assert!(Layout::new(size, 4, Sample::U8, stride, 15).is_err(), "{size:?} {stride}");
        }
    }
}
