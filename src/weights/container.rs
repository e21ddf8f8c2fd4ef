//! The safetensors format: a header, which is eight bytes of length (little-endian) and then JSON with a
//! `__metadata__` map of strings and each tensor's type, shape and place in the data; then the data.
//!
//! The `safetensors` crate defines the format's types. Its reader does not say which tensor is wrong and
//! how, and its writer keeps metadata in a hash map, so that the same metadata give other bytes each time.

use std::collections::BTreeMap;

use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value, json};

use super::tensor::Dtype;

/// The longest header accepted, in bytes. VGG's take 3 to 5 kB.
pub(super) const LONGEST: usize = 8 << 20;

/// The header is padded with spaces to a multiple of it in bytes, as the format's own writer does, so
/// that the data is aligned.
const ALIGNMENT: usize = 8;

/// A tensor to be written.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// What its values are.
    pub dtype: Dtype,
    /// Its sides, outermost first.
    pub shape: &'a [usize],
}

/// The header of a file of these tensors, whose data must follow in this order without gaps. The same
/// arguments give the same bytes.
pub fn write_header(tensors: &[Entry], metadata: &BTreeMap<impl AsRef<str>, impl AsRef<str>>) -> Vec<u8> {
    let metadata: Map<_, _> =
        metadata.iter().map(|(key, value)| (key.as_ref().to_owned(), json!(value.as_ref()))).collect();
    let mut header = Map::from_iter([("__metadata__".to_owned(), Value::Object(metadata))]);
    let mut end = 0;
    for Entry { name, dtype, shape } in tensors {
        let start = end;
        end += shape.iter().product::<usize>() * dtype.size();
        let entry = json!({ "dtype": dtype.to_string(), "shape": shape, "data_offsets": [start, end] });
        header.insert((*name).to_owned(), entry);
    }
    let mut json = Value::Object(header).to_string().into_bytes();
    json.resize(json.len().next_multiple_of(ALIGNMENT), b' ');
    [&(json.len() as u64).to_le_bytes()[..], &json].concat()
}

/// What the header of a file says.
pub(crate) struct Header {
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tensors: BTreeMap<String, TensorInfo>,
    /// Where in the file the header ends and the data begins.
    pub(crate) data_start: usize,
}

impl Header {
    /// Reads the header of a file's bytes, all of them or only the header's, and none of the data. `Err` says in one line what is
    /// wrong.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, String> {
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
    /// the rest of a file of `file_len` bytes, in which there is nothing else. `label` adds the layer to a
    /// tensor's name.
    pub(crate) fn check_extents(
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

/// Where the header of a file of `file_len` bytes ends, from its first bytes. 32 of them are enough to
/// say what kind of file it is if it is not safetensors.
pub(crate) fn header_end(start: &[u8], file_len: u64) -> Result<usize, String> {
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

/// The kind of a file that is not safetensors, where its first bytes tell.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What other programs have read since the first version, byte by byte.
    #[test]
    fn headers_are_the_same_bytes_every_time() {
        let shape = [2, 3];
        let tensors = [
            Entry { name: "second", dtype: Dtype::F32, shape: &shape },
            Entry { name: "first", dtype: Dtype::BF16, shape: &shape[..1] },
        ];
        let metadata = BTreeMap::from([("bc", "2"), ("a", "\"ü\"")]);
        let json = concat!(
            r#"{"__metadata__":{"a":"\"ü\"","bc":"2"},"#,
            r#""first":{"data_offsets":[24,28],"dtype":"BF16","shape":[2]},"#,
            r#""second":{"data_offsets":[0,24],"dtype":"F32","shape":[2,3]}}"#
        );
        let padding = " ".repeat(json.len().next_multiple_of(8) - json.len());
        assert_ne!(padding, "");
        let len = (json.len() + padding.len()) as u64;
        let expected = [&len.to_le_bytes(), json.as_bytes(), padding.as_bytes()].concat();
        let header = write_header(&tensors, &metadata);
        assert_eq!(header, expected);

        let file = [&header[..], &[0; 28]].concat();
        let read = Header::parse(&file).unwrap();
        read.check_extents(file.len(), str::to_owned).unwrap();
        assert_eq!((read.data_start, read.metadata["a"].as_str()), (header.len(), "\"ü\""));
        let others = safetensors::SafeTensors::deserialize(&file).unwrap();
        assert_eq!(others.tensor("first").unwrap().shape(), [2]);
    }
}
