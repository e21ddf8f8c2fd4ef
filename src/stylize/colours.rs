//! Whose colours the result has.

use ndarray::{ArrayView3, ArrayViewMut3, Axis, Zip};

use crate::named::named;

/// Whose colours the result has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Colors {
    /// The style's.
    #[default]
    Style,
    /// The content's: the luma of the result with the chroma of the content.
    Content,
    /// The style's, moved to the content's before the work: each style picture gets the mean and the covariance of the
    /// content's colours.
    Match,
}

named!(Colors { Style => "style", Content => "content", Match => "match" });

/// The weights of red, green and blue in the luma Y′ of ITU-R BT.601, which JPEG uses.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

fn luma(colour: [f32; 3]) -> f32 {
    colour.iter().zip(LUMA).map(|(value, weight)| value * weight).sum()
}

/// Gives `picture` the chroma of `content`, and keeps its luma; both 3×H×W, RGB in 0–1. This is an exchange of Cb and Cr in
/// YCbCr, which differs from OKLab's a and b by nothing that is seen, and unlike it keeps a colour of the gamut's surface on a
/// straight line to grey.
pub(super) fn take_chroma(mut picture: ArrayViewMut3<f32>, content: ArrayView3<f32>) {
    Zip::from(picture.lanes_mut(Axis(0))).and(content.lanes(Axis(0))).for_each(|mut colour, content| {
        let [of_picture, of_content] = [colour.view(), content].map(|lane| [lane[0], lane[1], lane[2]]);
        let changed = with_chroma(luma(of_picture), of_content);
        colour.iter_mut().zip(changed).for_each(|(value, changed)| *value = changed);
    });
}

/// The colour with this luma and the chroma of `colour`, or as much of it as lies in 0–1: reduced towards grey rather than
/// clipped, which would change luma and hue.
fn with_chroma(of_luma: f32, colour: [f32; 3]) -> [f32; 3] {
    let own = luma(colour);
    let chroma = colour.map(|value| value - own);
    let share = chroma.iter().fold(1.0_f32, |share, &chroma| match chroma {
        c if of_luma + c > 1.0 => share.min((1.0 - of_luma) / c),
        c if of_luma + c < 0.0 => share.min(of_luma / -c),
        _ => share,
    });
    chroma.map(|chroma| (of_luma + share * chroma).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colours on a grid over all of the gamut.
    fn colours() -> impl Iterator<Item = [f32; 3]> {
        (0..6_u16.pow(3)).map(|at| [at / 36, at / 6 % 6, at % 6].map(|level| f32::from(level) / 5.0))
    }

    #[test]
    fn the_luma_is_kept_and_the_hue_is_the_contents() {
        for content in colours() {
            for of_luma in [0.0, 0.07, 0.3, 0.5, 0.9, 1.0] {
                let found = with_chroma(of_luma, content);
                assert!(found.iter().all(|value| (0.0..=1.0).contains(value)), "{content:?}: {found:?}");
                assert!((luma(found) - of_luma).abs() < 1e-5, "{content:?} at {of_luma}: {found:?}");
                // The chroma is a share of the content's.
                let chroma = content.map(|value| value - luma(content));
                let share = (0..3).map(|c| (found[c] - of_luma) * chroma[c]).sum::<f32>()
                    / chroma.iter().map(|c| c * c).sum::<f32>().max(1e-12);
                assert!((-1e-5..=1.0 + 1e-5).contains(&share), "{content:?} at {of_luma}: {share}");
                for c in 0..3 {
                    assert!((found[c] - of_luma - share * chroma[c]).abs() < 1e-5, "{content:?}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_picture_with_its_own_chroma_is_unchanged() {
        for colour in colours() {
            let same = with_chroma(luma(colour), colour);
            assert!(
                same.iter().zip(colour).all(|(same, value)| (same - value).abs() < 1e-6),
                "{colour:?}: {same:?}"
            );
        }
    }

    #[test]
    fn a_grey_content_makes_a_grey_picture() {
        assert_eq!(with_chroma(0.25, [0.5; 3]), [0.25; 3]);
    }
}
