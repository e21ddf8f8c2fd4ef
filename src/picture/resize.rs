//! Pictures at another size.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Pixel, Rgb, Rgba};
use ndarray::{Array2, Array3};

use super::Picture;

/// Catmull–Rom: as sharp as Lanczos to the eye, and it overshoots less at edges.
const FILTER: FilterType = FilterType::CatmullRom;

/// The size of a `width`×`height` picture scaled so that its longer side is exactly `longest`. The other
/// side is rounded to the nearest pixel, and is at least 1.
///
/// ```
/// assert_eq!(impasto::picture::fit(4000, 3000, 512), (512, 384));
/// assert_eq!(impasto::picture::fit(30, 40, 512), (384, 512));
/// ```
///
/// # Panics
///
/// If an argument is 0.
pub fn fit(width: usize, height: usize, longest: usize) -> (usize, usize) {
    assert!(width.min(height).min(longest) > 0, "sizes are at least 1, not {width}×{height} to {longest}");
    let scaled = |shorter: usize, longer: usize| {
        let (shorter, longer, longest) = (shorter as u128, longer as u128, longest as u128);
        // Rounds half up, in integers, which are exact at any size.
        ((2 * shorter * longest + longer) / (2 * longer)).max(1) as usize
    };
    if width >= height { (longest, scaled(height, width)) } else { (scaled(width, height), longest) }
}

/// [`Picture::resized`].
pub(super) fn resized(picture: &Picture, width: usize, height: usize) -> Picture {
    assert!(width.min(height) > 0, "a picture is at least 1×1, not {width}×{height}");
    if (width, height) == (picture.width(), picture.height()) {
        return picture.clone();
    }
    match picture.alpha() {
        None => {
            let pixels = resampled(picture, width, height, |x, y| Rgb(colour_at(picture, x, y)));
            Picture::from_planes(colour_planes(&pixels, |Rgb(colour)| *colour))
        }
        Some(alpha) => {
            let pixels = resampled(picture, width, height, |x, y| {
                let opacity = alpha[[y, x]];
                let [red, green, blue] = colour_at(picture, x, y).map(|colour| opacity * colour);
                Rgba([red, green, blue, opacity])
            });
            let planes = colour_planes(&pixels, |&Rgba([red, green, blue, opacity])| {
                [red, green, blue].map(|weighted| if opacity > 0.0 { (weighted / opacity).min(1.0) } else { 0.0 })
            });
            let opacities = pixels.pixels().map(|Rgba([.., opacity])| *opacity).collect();
            let alpha = Array2::from_shape_vec((height, width), opacities).expect("one for each pixel");
            Picture::from_planes(planes).with_alpha(Some(alpha))
        }
    }
}

type Pixels<P> = ImageBuffer<P, Vec<f32>>;

/// The pixels that `pixel_at(x, y)` gives for the places of `picture`, resampled to `width`×`height`.
fn resampled<P>(
    picture: &Picture,
    width: usize,
    height: usize,
    pixel_at: impl Fn(usize, usize) -> P,
) -> Pixels<P>
where
    P: Pixel<Subpixel = f32> + 'static,
{
    let pixels = Pixels::from_fn(side(picture.width()), side(picture.height()), |x, y| {
        pixel_at(x as usize, y as usize)
    });
    imageops::resize(&pixels, side(width), side(height), FILTER)
}

fn side(pixels: usize) -> u32 {
    u32::try_from(pixels).expect("a side fits 32 bits")
}

fn colour_at(picture: &Picture, x: usize, y: usize) -> [f32; 3] {
    [0, 1, 2].map(|colour| picture.planes[[colour, y, x]])
}

/// The colours of `pixels` as planes, 3×H×W.
fn colour_planes<P>(pixels: &Pixels<P>, colour_of: impl Fn(&P) -> [f32; 3]) -> Array3<f32>
where
    P: Pixel<Subpixel = f32> + 'static,
{
    let (width, height) = pixels.dimensions();
    let mut planes = Array3::zeros((3, height as usize, width as usize));
    for (x, y, pixel) in pixels.enumerate_pixels() {
        for (plane, value) in colour_of(pixel).into_iter().enumerate() {
            planes[[plane, y as usize, x as usize]] = value;
        }
    }
    planes
}
