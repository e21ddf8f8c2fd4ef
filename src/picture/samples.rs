//! From interleaved samples, as decoders and other programs have them, to planes.

use ndarray::{Array3, ArrayView3, Axis, Zip};

use super::Picture;

/// A sample of one colour of one pixel.
pub(super) trait Sample: Copy + Send + Sync {
    /// The sample of full intensity.
    const FULL: f64;

    /// The sample between 0 and [`FULL`](Self::FULL).
    fn intensity(self) -> f64;

    /// The sample as 0–1.
    fn unit(self) -> f32;
}

impl Sample for u8 {
    const FULL: f64 = 255.0;

    fn intensity(self) -> f64 {
        self.into()
    }

    fn unit(self) -> f32 {
        f32::from(self) / 255.0
    }
}

impl Sample for u16 {
    const FULL: f64 = 65535.0;

    fn intensity(self) -> f64 {
        self.into()
    }

    fn unit(self) -> f32 {
        f32::from(self) / 65535.0
    }
}

impl Sample for f32 {
    const FULL: f64 = 1.0;

    fn intensity(self) -> f64 {
        self.unit().into()
    }

    fn unit(self) -> f32 {
        if self.is_nan() { 0.0 } else { self.clamp(0.0, 1.0) }
    }
}

/// The picture of samples H×W×channels, of which there are 1 to 4: grey, grey and alpha, RGB, RGBA.
pub(super) fn picture_of<S: Sample>(samples: ArrayView3<'_, S>) -> Picture {
    let (height, width, channels) = samples.dim();
    let plane = |channel: usize| samples.index_axis(Axis(2), channel);
    let colours = if channels < 3 { [0, 0, 0] } else { [0, 1, 2] };
    let mut planes = Array3::zeros((3, height, width));
    for (mut unit, channel) in planes.outer_iter_mut().zip(colours) {
        Zip::from(&mut unit).and(plane(channel)).for_each(|unit, sample| *unit = sample.unit());
    }
    let alpha = channels.is_multiple_of(2).then(|| {
        // `map` would keep the samples' strides.
        let mut alpha = ndarray::Array2::zeros((height, width));
        Zip::from(&mut alpha).and(plane(channels - 1)).for_each(|unit, sample| *unit = sample.unit());
        alpha
    });
    Picture::of_parts(planes, alpha)
}
