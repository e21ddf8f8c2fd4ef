//! Regions by colour: two maps in which equal colours mark what takes after what.

use std::fmt;
use std::sync::Arc;

use ndarray::Array2;

use crate::checksum::Checksum;
use crate::error::{Error, Result, Setting};
use crate::picture::{Mask, Picture};

use super::checkpoint::checksum_of_maps;

/// The most colours of a map. Each region takes as much memory and time as a style of its own.
const MAX_COLORS: usize = 32;

/// Regions of the content and of the style that belong together: the sky after the sky, the water after the water.
///
/// They are given by two pictures, one for the content and one for the style, in which each region is painted in one colour:
/// equal colours mark what takes after what. Colours are equal if their 8-bit red, green and blue are; alpha is ignored.
/// Colours that are in the style's map alone mark parts of the style that are not used.
///
/// ```
/// use impasto::{Picture, Regions};
///
/// let map = |upper: [u8; 3], lower: [u8; 3]| Picture::from_rgb8(&[upper, lower].concat(), 1, 2, 3);
/// let (blue, green) = ([0, 0, 255], [0, 255, 0]);
/// assert!(Regions::new(&map(blue, green)?, &map(green, blue)?).is_ok());
/// // In the second map there is nothing for the green of the first.
/// assert!(Regions::new(&map(blue, green)?, &map(blue, blue)?).is_err());
/// # Ok::<(), impasto::Error>(())
/// ```
#[derive(Clone)]
pub struct Regions(Arc<Maps>);

struct Maps {
    /// The index of each pixel's colour.
    content: Array2<u8>,
    style: Arc<StyleMap>,
}

/// The regions of the style.
#[derive(PartialEq)]
pub(super) struct StyleMap {
    colors: Vec<Color>,
    /// The index of each pixel's colour; past the colours where the content has no such region.
    map: Array2<u8>,
}

/// Red, green and blue, 8 bits each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Color([u8; 3]);

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Regions {
    /// The regions of these maps. A map may have another resolution than the picture that it is of, with the same aspect.
    ///
    /// # Errors
    /// [`Error::Setting`] with [`Setting::Regions`] if the content's map has a colour that the style's lacks, or a map has
    /// more than 32 colours, as lossy formats and smoothed edges make them.
    pub fn new(content: &Picture, style: &Picture) -> Result<Self> {
        let colors = colors_of("content", content)?;
        let of_style = colors_of("style", style)?;
        if let Some(color) = colors.iter().find(|color| !of_style.contains(color)) {
            let reason = format!("the content's map has the colour {color}, which the style's map lacks");
            return Err(Error::setting(Setting::Regions, reason));
        }
        let index_in = |map: &Picture| {
            let index =
                |color: &[u8]| colors.iter().position(|known| known.0 == color).unwrap_or(MAX_COLORS) as u8;
            let indices = map.to_rgb8().chunks_exact(3).map(index).collect();
            Array2::from_shape_vec((map.height(), map.width()), indices).expect("an index for each pixel")
        };
        let (content, style) = (index_in(content), index_in(style));
        Ok(Self(Arc::new(Maps { content, style: Arc::new(StyleMap { colors, map: style }) })))
    }

    /// The SHA-256 of the maps. The colours are not in it, as another colour for the same region changes nothing.
    pub(super) fn checksum(&self) -> Checksum {
        checksum_of_maps([self.0.content.view(), self.0.style.map.view()])
    }

    /// How many regions there are.
    pub(super) fn len(&self) -> usize {
        self.0.style.colors.len()
    }

    /// Bytes of memory of the maps.
    pub(super) fn memory(&self) -> u64 {
        (self.0.content.len() + self.0.style.map.len()) as u64
    }

    /// Width and height of the content's map and of the style's.
    pub(super) fn sizes(&self) -> [(usize, usize); 2] {
        [&self.0.content, &self.0.style.map].map(|map| (map.ncols(), map.nrows()))
    }

    /// The colour of a region, as text.
    pub(super) fn color(&self, region: usize) -> String {
        self.0.style.colors[region].to_string()
    }

    /// The weights of each region's pixels in the content, H×W.
    pub(super) fn in_content(&self, width: usize, height: usize) -> Vec<Array2<f32>> {
        planes(&self.0.content, self.len(), width, height)
    }

    /// Those of the style.
    pub(super) fn of_style(&self) -> &Arc<StyleMap> {
        &self.0.style
    }
}

impl StyleMap {
    /// The weights of each region's pixels in the style, H×W.
    pub(super) fn planes(&self, width: usize, height: usize) -> Vec<Array2<f32>> {
        planes(&self.map, self.colors.len(), width, height)
    }
}

/// The weights of the pixels of each of so many regions of a map, H×W.
fn planes(map: &Array2<u8>, regions: usize, width: usize, height: usize) -> Vec<Array2<f32>> {
    let of_region = |region| {
        let plane = map.mapv(|index| f32::from(u8::from(usize::from(index) == region)));
        Mask::from_plane(plane).expect("values of 0 and 1").at_size(width, height)
    };
    (0..regions).map(of_region).collect()
}

/// The colours of a map, sorted.
fn colors_of(what: &str, map: &Picture) -> Result<Vec<Color>> {
    let mut colors = Vec::new();
    for pixel in map.to_rgb8().as_chunks::<3>().0 {
        if let Err(place) = colors.binary_search(&Color(*pixel)) {
            if colors.len() == MAX_COLORS {
                let reason = format!(
                    "the {what}'s map has more than {MAX_COLORS} colours: it must be of flat colours, without \
                     smoothed edges, in a lossless format such as PNG"
                );
                return Err(Error::setting(Setting::Regions, reason));
            }
            colors.insert(place, Color(*pixel));
        }
    }
    Ok(colors)
}

impl fmt::Debug for Regions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colors: Vec<_> = self.0.style.colors.iter().map(Color::to_string).collect();
        f.debug_struct("Regions").field("colors", &colors).finish_non_exhaustive()
    }
}
