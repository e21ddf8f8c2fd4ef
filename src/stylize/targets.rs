//! The targets that were computed from a style, kept for later jobs.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::loss::StyleTarget;
use crate::network::{Compute, Mode};
use crate::vgg::Layer;
use crate::weights::Weights;

use super::matching::ColourStatistics;
use super::regions::StyleMap;

/// The most targets that are kept: more than a job has scales, or with two or three masks or regions than it has of all of them,
/// so that the next job finds them. With the default layers of VGG-19 one target takes 2.4 MB, with all its ReLU layers 10 MB.
pub(super) const MOST: usize = 32;

/// Which targets a style gives.
#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    /// One, of the blend of its pictures.
    Blend,
    /// One of each picture.
    Parts,
    /// One of each region of its first picture.
    Regions(Arc<StyleMap>),
}

/// What targets depend on besides the pictures and the weights.
#[derive(PartialEq)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) compute: Compute,
    pub(super) layers: Vec<Layer>,
    pub(super) mode: Mode,
    /// Width and height of each picture.
    pub(super) sizes: Vec<(usize, usize)>,
    /// What the pictures' colours are matched to.
    pub(super) colours: Option<ColourStatistics>,
    /// Rows of the windows in which each picture is computed: sums in other parts have other last bits.
    pub(super) windows: Vec<Vec<usize>>,
    /// The ranks that share them: the same.
    pub(super) ranks: usize,
}

struct Entry {
    weights: Weights,
    key: Key,
    targets: Vec<StyleTarget>,
}

/// The targets of one style.
#[derive(Default)]
pub(super) struct Cache(Mutex<Vec<Entry>>);

impl Cache {
    /// The targets that are kept under this key, or else those that `compute` makes, which are then kept.
    pub(super) fn get_or(
        &self,
        weights: &Weights,
        key: Key,
        compute: impl FnOnce(&Key) -> Result<Vec<StyleTarget>>,
    ) -> Result<Vec<StyleTarget>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_match = |entry: &&Entry| entry.key == key && entry.weights.same_as(weights);
        if let Some(entry) = lock().iter().find(is_match) {
            return Ok(entry.targets.clone());
        }
        let targets = compute(&key)?;
        let mut entries = lock();
        let kept = |entries: &[Entry]| entries.iter().map(|entry| entry.targets.len()).sum::<usize>();
        while !entries.is_empty() && kept(&entries) + targets.len() > MOST {
            entries.remove(0);
        }
        entries.push(Entry { weights: weights.clone(), key, targets: targets.clone() });
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::layers::conv::edges::Edges;
    use crate::layers::pool::Pooling;
    use crate::picture::Picture;
    use crate::stylize::Regions;

    use super::*;

    fn weights() -> Weights {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
        Weights::open(path).unwrap()
    }

    fn key(kind: Kind, side: usize) -> Key {
        Key {
            kind,
            compute: Compute::default(),
            layers: Vec::new(),
            mode: Mode { pooling: Pooling::Max, edges: Edges::Replicate },
            sizes: vec![(side, side)],
            colours: None,
            windows: Vec::new(),
            ranks: 1,
        }
    }

    /// Regions of the style in columns of these colours, for a content in which they are exchanged if `mirrored`.
    fn regions(colors: [u8; 6], mirrored: bool) -> Kind {
        let map = |colors: &[u8]| Picture::from_rgb8(colors, 2, 1, 6).unwrap();
        let exchanged = [&colors[3..], &colors[..3]].concat();
        let content = if mirrored { map(&exchanged) } else { map(&colors) };
        Kind::Regions(Regions::new(&content, &map(&colors)).unwrap().of_style().clone())
    }

    /// Whether the targets had to be computed.
    fn computes(cache: &Cache, weights: &Weights, key: Key, count: usize) -> bool {
        let mut computed = false;
        let compute = |_: &Key| {
            computed = true;
            Ok(vec![StyleTarget::blend(&[]); count])
        };
        assert_eq!(cache.get_or(weights, key, compute).unwrap().len(), count);
        computed
    }

    #[test]
    fn what_was_computed_once_is_kept_for_each_kind_size_and_file() {
        let (cache, of_one, of_other) = (Cache::default(), weights(), weights());
        let kinds = [
            Kind::Blend,
            Kind::Parts,
            regions([0, 0, 0, 9, 9, 9], false),
            regions([7, 7, 7, 7, 7, 7], false),
        ];
        for kind in &kinds {
            assert!(computes(&cache, &of_one, key(kind.clone(), 64), 2));
            assert!(computes(&cache, &of_one, key(kind.clone(), 65), 2));
        }
        for kind in &kinds {
            assert!(!computes(&cache, &of_one, key(kind.clone(), 64), 2));
            assert!(!computes(&cache, &of_one, key(kind.clone(), 65), 2));
        }
        // Equal maps that were read again are the same regions, whatever the content's.
        for mirrored in [false, true] {
            assert!(!computes(&cache, &of_one, key(regions([0, 0, 0, 9, 9, 9], mirrored), 64), 2));
        }
        // A file that was opened again may have changed.
        assert!(computes(&cache, &of_other, key(Kind::Blend, 64), 2));
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let (cache, weights) = (Cache::default(), weights());
        for side in 1..=MOST {
            assert!(computes(&cache, &weights, key(Kind::Blend, side), 1));
        }
        assert!(!computes(&cache, &weights, key(Kind::Blend, 1), 1));
        assert!(computes(&cache, &weights, key(Kind::Parts, 1), 3));
        assert!(!computes(&cache, &weights, key(Kind::Blend, 4), 1));
        assert!(computes(&cache, &weights, key(Kind::Blend, 3), 1));
    }
}
