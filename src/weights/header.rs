//! The header of a safetensors file: eight bytes of length (little-endian), then JSON with a
//! `__metadata__` map of strings and, for each tensor, its type, shape and place in the data that
//! follows.
//!
//! The `safetensors` crate defines the format's types. What it does not do is to say which tensor is
//! wrong and how, so that is checked here.

use std::collections::BTreeMap;

use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value};

/// The longest header accepted, in bytes. VGG's take 3 to 5 kB.
const LONGEST: usize = 8 << 20;

pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, TensorInfo>,
    /// Where in the file the header ends and the data begins.
    pub(super) data_start: usize,
}

impl Header {
    /// Reads the header of a whole file's bytes, and nothing behind it. `Err` says in one line what is
    /// wrong.
    pub(super) fn parse(file: &[u8]) -> Result<Self, String> {
        let json = json(file)?;
        let mut entries: Map<String, Value> =
            serde_json::from_slice(json).map_err(|e| format!("the header is not valid JSON: {e}"))?;
        let metadata = match entries.remove("__metadata__") {
            Some(strings) => serde_json::from_value(strings).map_err(|e| format!("__metadata__: {e}"))?,
            None => BTreeMap::new(),
        };
        let tensors = entries
            .into_iter()
            .map(|(name, entry)| match serde_json::from_value(entry) {
                Ok(info) => Ok((name, info)),
                Err(e) => Err(format!("{name}: {e}")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { metadata, tensors, data_start: size_of::<u64>() + json.len() })
    }

    /// The metadata's value of `key`, where it is given; it must then be one that `from_name` takes.
    pub(super) fn stated<T>(
        &self,
        key: &str,
        from_name: fn(&str) -> Option<T>,
        known: &[&str],
    ) -> Result<Option<T>, String> {
        let Some(name) = self.metadata.get(key) else { return Ok(None) };
        match from_name(name) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("metadata {key}: expected one of {}, found {name:?}", known.join(", "))),
        }
    }

    /// Checks that each tensor's data is as long as its shape and type say, and that together they fill
    /// the rest of a file of `file_len` bytes, in which there is nothing else. `label` makes a
    /// tensor's name readable.
    pub(super) fn check_extents(
        &self,
        file_len: usize,
        label: impl Fn(&str) -> String,
    ) -> Result<(), String> {
        let mut tensors: Vec<_> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let present = file_len - self.data_start;
        let mut filled = 0;
        for (name, info) in tensors {
            let (begin, end) = info.data_offsets;
            let (shape, dtype) = (&info.shape, info.dtype);
            let fault = |what: String| Err(format!("{}: {what}", label(name)));
            if begin != filled {
                return fault(format!("expected its data at byte {filled}, found it at {begin}"));
            }
            let Some(size) = byte_len(info) else {
                return fault(format!("expected a shape that fits into memory, found {shape:?}"));
            };
            if end.checked_sub(begin) != Some(size) {
                return fault(format!(
                    "expected {size} bytes for shape {shape:?} in {dtype}, found bytes {begin} to {end}"
                ));
            }
            if end > present {
                return fault(format!(
                    "expected data up to byte {end}, found {present} bytes in the file: it is truncated"
                ));
            }
            filled = end;
        }
        if filled < present {
            return Err(format!("expected {filled} bytes of data, found {present}"));
        }
        Ok(())
    }
}

/// The header's JSON.
fn json(file: &[u8]) -> Result<&[u8], String> {
    let end = header_end(file, file.len() as u64)?;
    Ok(&file[size_of::<u64>()..end])
}

/// Where the header of a file of `file_len` bytes ends that begins with these; 32 of them are enough to
/// say what else it may be.
pub(super) fn header_end(start: &[u8], file_len: u64) -> Result<usize, String> {
    if file_len == 0 {
        return Err("expected safetensors, found an empty file".to_owned());
    }
    let split = start.split_first_chunk().map(|(len, rest)| (u64::from_le_bytes(*len), rest));
    let data_len = file_len.saturating_sub(size_of::<u64>() as u64);
    if let Some((len, rest)) = split
        && (1..=data_len).contains(&len)
        && rest.starts_with(b"{")
    {
        return match usize::try_from(len) {
            Ok(len) if len <= LONGEST => Ok(size_of::<u64>() + len),
            _ => Err(format!("expected a header of at most {LONGEST} bytes, found one of {len}")),
        };
    }
    Err(match (foreign(start), split) {
        (Some(format), _) => format!("expected safetensors, found {format}"),
        (None, Some((len, _))) if len > data_len => format!(
            "expected a header of {len} bytes, found a file of {file_len}: it is truncated, or not safetensors"
        ),
        _ => "expected safetensors, found something else: the header does not begin with '{'".to_owned(),
    })
}

/// What a file is that is not safetensors, where its first bytes tell.
fn foreign(file: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 6] = [
        (b"<", "an HTML or XML page, perhaps of a download that failed"),
        (b"{", "a JSON text, perhaps of a download that failed"),
        (b"version https://git-lfs", "a Git LFS pointer: fetch the file that it points to"),
        (b"PK\x03\x04", "a ZIP archive such as .pth and .npz: convert it with scripts/convert_weights.py"),
        (b"\x80\x02", "a Python pickle such as an old .pth: convert it with scripts/convert_weights.py"),
        (b"\x89HDF", "an HDF5 file such as .h5: convert it with scripts/convert_weights.py"),
    ];
    let start = file.trim_ascii_start();
    KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, kind)| *kind)
}

/// Bytes that a tensor of this shape and type takes, where that can be counted.
fn byte_len(info: &TensorInfo) -> Option<usize> {
    let bits = info.shape.iter().try_fold(info.dtype.bitsize(), |bits, &side| bits.checked_mul(side))?;
    Some(bits.div_ceil(8))
}
