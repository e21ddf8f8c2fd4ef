//! A smaller safetensors file out of a large one: its convolutions, as they are.

use std::ops::Range;

use crate::checksum::Checksum;
use crate::vgg::Architecture;
use crate::weights::container::{Entry, Header, write_header};
use crate::weights::file_layers::{Extent, FileLayers};
use crate::weights::naming::{Naming, WeightLayer};

/// Which parts of a file are the convolutions, and the header of a new file of these alone.
pub(super) struct Excerpt {
    header: Vec<u8>,
    /// In the large file, in ascending order; ranges that touch are one.
    ranges: Vec<Range<u64>>,
}

impl Excerpt {
    /// That of a file of `file_len` bytes that begins with the `header`, or in one line why it is no
    /// `architecture`. The new file names its tensors as the large one does, and its metadata have the
    /// `origin` and, where it is known, the SHA-256 of the large file (`whole`).
    pub(super) fn of(
        header: &[u8],
        file_len: u64,
        architecture: Architecture,
        origin: &str,
        whole: Option<Checksum>,
    ) -> Result<Self, String> {
        let header = Header::parse(header)?;
        let naming = Naming::of(&header)?;
        if let Some(stated) = header.metadata.get("network")
            && stated != architecture.name()
        {
            return Err(format!("expected {architecture}, found {stated} by its metadata"));
        }
        let network = FileLayers::asked(&header, naming, architecture)?;
        let file_len = usize::try_from(file_len).map_err(|_| "the file is too large".to_owned())?;
        header.check_extents(file_len, |tensor| network.label(tensor))?;

        let convolutions = network.layers.iter().filter(|found| matches!(found.layer, WeightLayer::Conv(_)));
        let mut tensors: Vec<_> = convolutions.flat_map(|found| [&found.weight, &found.bias]).collect();
        tensors.sort_by_key(|tensor| tensor.range.start);
        Ok(Self {
            header: new_header(&header, naming, architecture, (origin, whole), &tensors),
            ranges: united(tensors.iter().map(|tensor| {
                let start = (header.data_start + tensor.range.start) as u64;
                start..start + tensor.range.len() as u64
            })),
        })
    }

    /// Bytes of the tensors.
    pub(super) fn len(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Whether the tensors are all that is in the large file behind its header of `data_start` bytes.
    pub(super) fn is_all(&self, data_start: u64, file_len: u64) -> bool {
        matches!(&self.ranges[..], [all] if *all == (data_start..file_len))
    }

    /// Where in the large file the tensors are, without their first `done` bytes.
    pub(super) fn ranges_from(&self, done: u64) -> impl Iterator<Item = Range<u64>> {
        let mut done = done;
        self.ranges.iter().filter_map(move |range| {
            let skipped = done.min(range.end - range.start);
            done -= skipped;
            (range.start + skipped < range.end).then_some(range.start + skipped..range.end)
        })
    }

    /// The new file's header; the tensors follow in the order of the large file.
    pub(super) fn into_header(self) -> Vec<u8> {
        self.header
    }
}

fn new_header<'e>(
    header: &Header,
    naming: Naming,
    architecture: Architecture,
    (origin, whole): (&str, Option<Checksum>),
    tensors: &[&'e Extent],
) -> Vec<u8> {
    let mut metadata = header.metadata.clone();
    let mut set = |key: &str, value: &str| metadata.insert(key.to_owned(), value.to_owned());
    set("network", architecture.name());
    if !header.metadata.contains_key("preprocessing") {
        set("preprocessing", &naming.preprocessing().to_string());
    }
    set("fetched_from", &format!("{origin} (convolutions only)"));
    if let Some(whole) = whole {
        set("fetched_sha256", &format!("{whole} (of the whole file)"));
    }

    let entry = |tensor: &&'e Extent| Entry { name: &tensor.name, dtype: tensor.dtype, shape: &tensor.shape };
    write_header(&tensors.iter().map(entry).collect::<Vec<_>>(), &metadata)
}

/// Ranges in ascending order, those that touch made one.
fn united(ranges: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut united: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match united.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => united.push(range),
        }
    }
    united
}
