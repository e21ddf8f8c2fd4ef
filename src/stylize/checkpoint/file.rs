//! A checkpoint's file: in the safetensors format, with the numbers and texts as metadata and the vectors as tensors of 3×H×W.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::checksum::{Checksum, Hasher};
use crate::error::{Error, Result};
use crate::named::Named;
use crate::optimize::{Bounds, Fault, History, Loading, Saved, State, Storage, Stored};
use crate::tensor::Band;
use crate::vgg::PICTURE_CHANNELS;
use crate::weights::Dtype;
use crate::weights::container::{self, Entry, write_header};

use super::inputs::Inputs;
use super::{Checkpoints, Extent, MOST_PAIRS, Place, refused};

/// The metadata that say that a file is a checkpoint, and of which version.
const VERSION: (&str, &str) = ("impasto checkpoint", env!("CARGO_PKG_VERSION"));

/// Values that are converted and hashed at a time.
const CHUNK: usize = 1 << 16;

/// More vectors than any optimiser has.
const MOST_VECTORS: usize = 200;

/// The vectors of a state, of which each rank has its band.
pub(super) struct Vectors<'s> {
    pub(super) saved: &'s Saved<Stored<'s>>,
    pub(super) width: usize,
    pub(super) band: &'s Band,
}

impl Vectors<'_> {
    /// Shows `visit` each of them on the first rank, one or several channels at a time and in their order. All ranks call it.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&[f32])) {
        for vector in self.saved.vectors.values() {
            self.band.gather(&vector.values(), PICTURE_CHANNELS, self.width, &mut visit);
        }
    }
}

/// All but the vectors.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) note: String,
    pub(super) isa: String,
    pub(super) memory: u64,
    /// L-BFGS's, which a scale that is begun later has, too.
    pub(super) history: History,
    /// How evaluations are computed in strips.
    pub(super) strips: String,
    pub(super) inputs: BTreeMap<String, String>,
    kind: &'static str,
    numbers: BTreeMap<String, String>,
    pub(super) scale: usize,
    steps: usize,
    evaluations: usize,
    width: usize,
    height: usize,
    /// Names of the vectors, in their order.
    vectors: Vec<String>,
    /// Where in the file the vectors begin.
    data_start: usize,
    checksum: Option<Checksum>,
}

impl Header {
    /// That of a job at this place.
    pub(super) fn of<S>(
        place: &Place<S>,
        vectors: &Vectors,
        to: &Checkpoints,
        inputs: &Inputs,
        extent: Extent,
    ) -> Self {
        let mut header = Self {
            note: to.note.clone(),
            isa: inputs.isa.to_owned(),
            memory: inputs.memory,
            history: inputs.history,
            strips: inputs.strips.clone(),
            inputs: inputs.values.clone(),
            kind: vectors.saved.kind,
            numbers: vectors.saved.numbers.clone(),
            scale: place.scale,
            steps: place.steps,
            evaluations: place.evaluations,
            width: extent.width,
            height: extent.height,
            vectors: vectors.saved.vectors.keys().cloned().collect(),
            data_start: 0,
            checksum: None,
        };
        let mut hasher = header.hasher();
        vectors.for_each(|vector| for_each_bytes(vector, |bytes| hasher.update(bytes)));
        header.checksum = Some(hasher.finish());
        header
    }

    /// Writes the checkpoint with these vectors.
    pub(super) fn write(&self, vectors: &Vectors, file: &mut File) -> io::Result<()> {
        let shape = [3, self.height, self.width];
        let entries: Vec<_> =
            self.vectors.iter().map(|name| Entry { name, dtype: Dtype::F32, shape: &shape }).collect();
        let mut file = BufWriter::new(file);
        let mut written = file.write_all(&write_header(&entries, &self.metadata()));
        // The other ranks give all of them, whether they can be written or not.
        vectors.for_each(|vector| {
            for_each_bytes(vector, |bytes| {
                if written.is_ok() {
                    written = file.write_all(bytes);
                }
            });
        });
        written.and_then(|()| file.flush())
    }

    /// Reads that of a file.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Checkpoint`] if it is not that of a whole checkpoint of this version.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let (header, file_len) = header_bytes(path)?;
        Self::parse(&header, file_len).map_err(|reason| refused(path, reason))
    }

    fn parse(bytes: &[u8], file_len: u64) -> Result<Self, String> {
        let header = container::Header::parse(bytes)?;
        let file_len = usize::try_from(file_len).map_err(|_| "it is too large".to_owned())?;
        header.check_extents(file_len, str::to_owned)?;
        let container::Header { mut metadata, tensors, data_start } = header;
        match metadata.remove(VERSION.0) {
            None => return Err("it is not a checkpoint of impasto".to_owned()),
            Some(version) if version != VERSION.1 => {
                return Err(format!("it is of impasto {version}, and this is {}", VERSION.1));
            }
            Some(_) => {}
        }
        let mut take = |key: &str| metadata.remove(key).ok_or_else(|| format!("it lacks the {key}"));
        let [scale, steps, evaluations, width, height] =
            ["scale", "steps", "evaluations", "width", "height"].map(&mut take);
        let number = |text: Result<String, String>| {
            let number = text?.parse::<u32>().map_err(|error| format!("a number in it is none: {error}"))?;
            usize::try_from(number).map_err(|error| error.to_string())
        };
        let (kind, checksum) = (take("optimiser")?, take("checksum")?);
        let (pairs, storage) = (number(take("pairs"))?, take("pairs are")?);
        // No more than any job has: what a damaged file says must not take memory.
        if !(1..=MOST_PAIRS).contains(&pairs) {
            return Err(format!("it has a history of {pairs} pairs"));
        }
        let storage = Storage::from_name(&storage).ok_or("how its pairs are kept is unknown")?;
        let [width, height] = [number(width)?, number(height)?];
        if tensors
            .values()
            .any(|info| info.dtype != safetensors::Dtype::F32 || info.shape != [3, height, width])
        {
            return Err("it has vectors of other sizes than its picture".to_owned());
        }
        if tensors.len() > MOST_VECTORS {
            return Err(format!("it has {} vectors, more than {MOST_VECTORS}", tensors.len()));
        }
        let mut vectors: Vec<_> = tensors.into_iter().collect();
        vectors.sort_by_key(|(_, info)| info.data_offsets);
        let mut header = Self {
            note: take("note")?,
            isa: take("instruction set")?,
            memory: take("memory")?.parse().map_err(|error| format!("its memory is none: {error}"))?,
            history: History { pairs, storage },
            strips: take("strips")?,
            inputs: BTreeMap::new(),
            kind: *State::KINDS.iter().find(|known| **known == kind).ok_or("its optimiser is unknown")?,
            numbers: BTreeMap::new(),
            scale: number(scale)?,
            steps: number(steps)?,
            evaluations: number(evaluations)?,
            width,
            height,
            vectors: vectors.into_iter().map(|(name, _)| name).collect(),
            data_start,
            checksum: Some(checksum.parse()?),
        };
        for (key, value) in metadata {
            match key.split_once('/') {
                Some(("input", name)) => header.inputs.insert(name.to_owned(), value),
                Some(("state", name)) => header.numbers.insert(name.to_owned(), value),
                _ => return Err(format!("{key:?} in it is unknown")),
            };
        }
        Ok(header)
    }

    /// Reads all of the file, of a job whose scales have these sizes, and keeps none of it.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Checkpoint`] if the file is damaged or not of such a job.
    pub(super) fn check(self, path: &Path, scales: &[Extent]) -> Result<Place<Option<Whole>>> {
        let refused = |reason: String| refused(path, reason);
        match scales.get(self.scale) {
            Some(extent) if (extent.width, extent.height) == (self.width, self.height) => {}
            _ => return Err(refused("it is damaged: it has no such scale".to_owned())),
        }
        let optimizer = self.inputs.get("the optimiser").map(String::as_str);
        if self.kind != State::START && Some(self.kind) != optimizer {
            return Err(refused(format!("it is damaged: it has a state of {}", self.kind)));
        }
        let unreadable = |source| Error::Read { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        io::copy(&mut (&mut file).take(self.data_start as u64), &mut io::sink()).map_err(unreadable)?;
        let mut hasher = self.hasher();
        let mut rest = vec![0; CHUNK];
        loop {
            match file.read(&mut rest).map_err(unreadable)? {
                0 => break,
                len => hasher.update(&rest[..len]),
            }
        }
        // A fuzzer can't find files with the right one.
        if Some(hasher.finish()) != self.checksum && !cfg!(fuzzing) {
            return Err(refused("it is damaged: its checksum is another one".to_owned()));
        }
        let Self { scale, steps, evaluations, .. } = self;
        let whole = Whole { path: path.to_owned(), file: file.into_inner(), header: self };
        Ok(Place { scale, steps, evaluations, state: Some(whole) })
    }

    /// All that the header says but for the vectors.
    fn metadata(&self) -> BTreeMap<String, String> {
        let mut metadata: BTreeMap<_, _> = [
            (VERSION.0, VERSION.1.to_owned()),
            ("note", self.note.clone()),
            ("instruction set", self.isa.clone()),
            ("memory", self.memory.to_string()),
            ("pairs", self.history.pairs.to_string()),
            ("pairs are", self.history.storage.to_string()),
            ("strips", self.strips.clone()),
            ("optimiser", self.kind.to_owned()),
            ("scale", self.scale.to_string()),
            ("steps", self.steps.to_string()),
            ("evaluations", self.evaluations.to_string()),
            ("width", self.width.to_string()),
            ("height", self.height.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        metadata.extend(self.checksum.map(|checksum| ("checksum".to_owned(), checksum.to_string())));
        for (folder, values) in [("input", &self.inputs), ("state", &self.numbers)] {
            metadata.extend(values.iter().map(|(name, value)| (format!("{folder}/{name}"), value.clone())));
        }
        metadata
    }

    /// A checksum in the making, of all but the vectors.
    fn hasher(&self) -> Hasher {
        let mut hasher = Hasher::new();
        let unsigned = Self { checksum: None, ..self.clone() };
        for (key, value) in unsigned.metadata() {
            hasher.update(format!("{key:?} {value:?}\n").as_bytes());
        }
        self.vectors.iter().for_each(|name| hasher.update(format!("{name:?}\n").as_bytes()));
        hasher
    }
}

/// A checkpoint's file, still open, that was found to be whole.
pub(in crate::stylize) struct Whole {
    path: PathBuf,
    file: File,
    header: Header,
}

impl Whole {
    /// Reads the optimiser's state, one vector after the other: this rank's `band` of it.
    ///
    /// # Errors
    /// [`Error::Read`], or [`Error::Checkpoint`] if the file is damaged.
    pub(in crate::stylize) fn state(self, band: &Band) -> Result<State> {
        let Self { path, mut file, header } = self;
        let size = (header.height, header.width);
        let bytes = (PICTURE_CHANNELS * header.height * header.width * size_of::<f32>()) as u64;
        let mut read = |name: &str| {
            let index = header.vectors.iter().position(|vector| vector == name);
            let index = index.ok_or_else(|| Fault::Damaged(format!("it lacks {name}")))?;
            file.seek(SeekFrom::Start(header.data_start as u64 + index as u64 * bytes))
                .and_then(|_| read_vector(&mut BufReader::new(&file), size, band.rows()))
                .map_err(Fault::Unreadable)
        };
        let loading = Loading { kind: header.kind, numbers: header.numbers.clone(), read: &mut read };
        let bounds = Bounds { lower: 0.0, upper: 1.0 };
        State::load(loading, header.history, bounds, band.ranks()).map_err(|fault| match fault {
            Fault::Damaged(reason) => refused(&path, format!("it is damaged: {reason}")),
            Fault::Unreadable(source) => Error::Read { path: path.clone(), source },
        })
    }
}

/// The bytes of a file's header, and the file's length.
fn header_bytes(path: &Path) -> Result<(Vec<u8>, u64)> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(unreadable)?;
    // Opening a pipe would wait for a process to write into it.
    if !found.is_file() {
        return Err(refused(path, "it is not a regular file"));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut start = Vec::new();
    (&mut file).take(32).read_to_end(&mut start).map_err(unreadable)?;
    let end = container::header_end(&start, found.len())
        .map_err(|reason| refused(path, format!("it is not a whole checkpoint: {reason}")))?;
    let rest = end.saturating_sub(start.len()) as u64;
    file.take(rest).read_to_end(&mut start).map_err(unreadable)?;
    start.truncate(end);
    match start.len() == end {
        true => Ok((start, found.len())),
        false => Err(refused(path, "it is not a whole checkpoint: it is truncated")),
    }
}

/// Calls `with` with the values' little-endian bytes, one part after the other.
fn for_each_bytes(values: &[f32], mut with: impl FnMut(&[u8])) {
    if cfg!(target_endian = "little") {
        return with(bytemuck::cast_slice(values));
    }
    let mut bytes = Vec::with_capacity(CHUNK * size_of::<f32>());
    for chunk in values.chunks(CHUNK) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        with(&bytes);
    }
}

/// Reads the `rows` of a vector of 3×H×W.
fn read_vector(
    file: &mut impl Read,
    (height, width): (usize, usize),
    rows: Range<usize>,
) -> io::Result<Vec<f32>> {
    let mut values: Vec<f32> = vec![0.0; PICTURE_CHANNELS * rows.len() * width];
    let mut other_row = vec![0.0; width];
    for plane in 0..PICTURE_CHANNELS {
        for row in 0..height {
            let to = match rows.contains(&row) {
                true => &mut values[(plane * rows.len() + row - rows.start) * width..][..width],
                false => &mut other_row,
            };
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(to);
            file.read_exact(bytes)?;
            to.iter_mut().for_each(|value| *value = f32::from_bits(u32::from_le(value.to_bits())));
        }
    }
    Ok(values)
}
