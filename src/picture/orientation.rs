//! How a picture is turned and mirrored from the way its file has it to the way it is shown.

use image::metadata::Orientation;
use ndarray::{ArrayView3, Axis};

/// The view H×W×channels as shown: no sample is moved.
pub(super) fn oriented<T>(mut view: ArrayView3<'_, T>, orientation: Orientation) -> ArrayView3<'_, T> {
    use Orientation::*;
    if swaps_sides(orientation) {
        view.swap_axes(0, 1);
    }
    // Once rows and columns are swapped, a clockwise turn is left with a mirroring from left to right.
    if matches!(orientation, Rotate180 | FlipVertical | Rotate270 | Rotate270FlipH) {
        view.invert_axis(Axis(0));
    }
    if matches!(orientation, Rotate180 | FlipHorizontal | Rotate90 | Rotate270FlipH) {
        view.invert_axis(Axis(1));
    }
    view
}

/// Whether rows become columns.
pub(super) fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::*;
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}
