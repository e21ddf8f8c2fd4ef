//! What a job's result depends on, to tell whether a checkpoint is of the same job.

use std::collections::BTreeMap;

use ndarray::{ArrayView2, ArrayView3};

use crate::checksum::{Checksum, Hasher};
use crate::error::Result;
use crate::loss::Terms;
use crate::named::Named;
use crate::optimize::History;
use crate::picture::{Mask, Picture};
use crate::stylize::memory::Budget;
use crate::stylize::{Init, Scale, Stylize};
use crate::vgg::ConvSpec;
use crate::weights::Weights;

/// All that a job's result depends on, by names: settings as texts, pictures and weights as SHA-256.
pub(in crate::stylize) struct Inputs {
    pub(super) values: BTreeMap<String, String>,
    /// The instruction set, which changes the last bits alone.
    pub(super) isa: &'static str,
    /// The bytes of memory that the job may take, on which what follows depends.
    pub(super) memory: u64,
    /// L-BFGS's history.
    pub(super) history: History,
    /// How evaluations are computed in strips, which changes the last bits alone, too.
    pub(super) strips: String,
}

/// How the value of a picture begins.
const PICTURE: &str = "sha256:";

impl Inputs {
    /// Those of a job with these terms and scales, which keeps to this memory with these strips.
    ///
    /// # Errors
    /// If the result has no size.
    pub(in crate::stylize) fn of(
        job: &Stylize,
        terms: &Terms,
        scales: &[Scale],
        budget: Budget,
        strips: String,
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        let mut add = |name: &str, value: String| values.insert(name.to_owned(), value);
        let (width, height) = job.result_size()?;
        let settings = &job.settings;
        add("the network", of_weights(&job.weights, terms));
        add("the size", format!("{width}×{height}"));
        let scales = scales.iter().map(|scale| format!("{}×{}", scale.longest, scale.steps));
        add("the scales and their steps", scales.collect::<Vec<_>>().join(" "));
        add("the loss", format!("{terms:?}"));
        add("the colours", settings.colors.name().to_owned());
        add("the optimiser", settings.optimizer.name().to_owned());
        add("the convolutions", settings.compute.convolution.name().to_owned());
        add("the precision", settings.compute.precision.name().to_owned());
        add(
            "the start",
            match &settings.init {
                Init::Content if job.content.is_some() => "content".to_owned(),
                Init::Content | Init::Noise => format!("noise of seed {}", settings.seed),
                Init::Picture(picture) => of_picture(picture),
            },
        );
        if let Some(content) = &job.content {
            add("the content", of_picture(content));
        }
        if let Some(style) = &job.style {
            for (index, (picture, share)) in style.parts().enumerate() {
                add(&format!("style {}", index + 1), of_picture(picture));
                add(&format!("the share of style {}", index + 1), format!("{share:?}"));
            }
            add("the sizes of the styles", format!("{:?}", job.style_sizes()?));
        }
        if let Some(mask) = &job.placement.mask {
            add("the mask", of_mask(mask));
        }
        for (index, mask) in job.placement.style_masks.iter().enumerate() {
            add(&format!("the mask of style {}", index + 1), of_mask(mask));
        }
        if let Some(regions) = &job.placement.regions {
            add("the regions", format!("{PICTURE}{}", regions.checksum()));
        }
        let Budget { available, history, .. } = budget;
        Ok(Self { values, isa: settings.compute.isa.name(), memory: available, history, strips })
    }

    /// How these inputs differ from others, in one line, if they do.
    pub(super) fn difference_from(&self, others: &BTreeMap<String, String>) -> Option<String> {
        let names = self.values.keys().chain(others.keys());
        let mut differences = names.filter_map(|name| match (self.values.get(name), others.get(name)) {
            (here, there) if here == there => None,
            (None, _) => Some(format!("{name} is missing, with which it was begun")),
            (_, None) => Some(format!("it was begun without {name}")),
            (Some(here), Some(there)) if here.starts_with(PICTURE) && there.starts_with(PICTURE) => {
                Some(format!("{name} is not the one with which it was begun"))
            }
            (Some(here), Some(there)) => Some(format!("it was begun with {name} {there}, not {here}")),
        });
        differences.next()
    }
}

/// The tensors of the convolutions that the terms depend on, and how the network's input is prepared.
fn of_weights(weights: &Weights, terms: &Terms) -> String {
    let deepest = terms.taps().last().copied();
    let mut hasher = Hasher::new();
    hasher.update(format!("{} {}", weights.architecture(), weights.preprocessing()).as_bytes());
    let is_used = |convolution: &ConvSpec| deepest.is_some_and(|deepest| convolution.layer() <= deepest);
    for convolution in weights.convolutions().filter(is_used) {
        let tensors = weights.convolution(&convolution);
        for tensor in tensors.iter().flat_map(|tensors| [tensors.weight, tensors.bias]) {
            hasher.update(format!("{convolution:?} {:?} {:?}", tensor.shape, tensor.dtype).as_bytes());
            hasher.update(tensor.bytes);
        }
    }
    format!("{PICTURE}{}", hasher.finish())
}

fn of_picture(picture: &Picture) -> String {
    let mut hasher = Hasher::new();
    add_planes(&mut hasher, picture.planes());
    if let Some(alpha) = picture.alpha() {
        add_planes(&mut hasher, alpha.insert_axis(ndarray::Axis(0)));
    }
    format!("{PICTURE}{}", hasher.finish())
}

fn of_mask(mask: &Mask) -> String {
    let mut hasher = Hasher::new();
    let plane: ArrayView2<f32> = mask.plane();
    add_planes(&mut hasher, plane.insert_axis(ndarray::Axis(0)));
    format!("{PICTURE}{}", hasher.finish())
}

/// Adds the sides and the values, row by row.
fn add_planes(hasher: &mut Hasher, planes: ArrayView3<f32>) {
    hasher.update(format!("{:?}", planes.dim()).as_bytes());
    let mut bytes = Vec::new();
    for row in planes.rows() {
        bytes.clear();
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        hasher.update(&bytes);
    }
}

/// The SHA-256 of indices, H×W, of these colours.
pub(in crate::stylize) fn checksum_of_maps<'m>(
    maps: impl IntoIterator<Item = ArrayView2<'m, u8>>,
) -> Checksum {
    let mut hasher = Hasher::new();
    for map in maps {
        hasher.update(format!("{:?}", map.dim()).as_bytes());
        map.rows().into_iter().for_each(|row| hasher.update(&row.to_vec()));
    }
    hasher.finish()
}
