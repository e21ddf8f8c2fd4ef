//! EXIF data as bytes, little-endian.

use super::Density;
use super::exif::{
    Directory, Exif, Field, LOCATION_AT, PHOTOGRAPH_AT, RESOLUTION_UNIT, Value, X_RESOLUTION, Y_RESOLUTION,
};

const ORIENTATION: u16 = 0x0112;
const EXIF_VERSION: u16 = 0x9000;

/// The main directory's offset: behind the byte order, 42, and this offset itself.
const FIRST: usize = 8;

impl Exif {
    /// The data as a block for a file, with the resolution: upright, as pixels are turned by then.
    pub(in crate::picture) fn to_block(&self, density: Option<Density>) -> Vec<u8> {
        let of = |directory| self.fields.iter().filter(move |field| field.directory == directory).cloned();
        let main = |tag, value| Field { directory: Directory::Main, tag, value };
        let mut first: Vec<Field> = of(Directory::Main).collect();
        first.push(main(ORIENTATION, Value::Shorts(vec![1])));
        if let Some(density) = density {
            first.push(main(X_RESOLUTION, Value::Rationals(vec![rational(density.x)])));
            first.push(main(Y_RESOLUTION, Value::Rationals(vec![rational(density.y)])));
            first.push(main(RESOLUTION_UNIT, Value::Shorts(vec![2])));
        }
        let photograph = self.photograph();
        let location: Vec<Field> = of(Directory::Location).collect();

        // Directories and their values follow one another, so that each one's length tells where the next is.
        let with_offsets = |photograph_at: u32, location_at: u32| {
            let mut first = first.clone();
            if !photograph.is_empty() {
                first.push(main(PHOTOGRAPH_AT, Value::Longs(vec![photograph_at])));
            }
            if !location.is_empty() {
                first.push(main(LOCATION_AT, Value::Longs(vec![location_at])));
            }
            directory(first, FIRST)
        };
        let photograph_at = FIRST + with_offsets(0, 0).len();
        let location_at =
            photograph_at + if photograph.is_empty() { 0 } else { directory(photograph.clone(), 0).len() };

        let mut block = b"II\x2A\0\x08\0\0\0".to_vec();
        block.extend(with_offsets(photograph_at as u32, location_at as u32));
        if !photograph.is_empty() {
            block.extend(directory(photograph, photograph_at));
        }
        if !location.is_empty() {
            block.extend(directory(location, location_at));
        }
        block
    }

    /// The tags of the photograph's directory, with its version where there are some.
    pub(in crate::picture) fn photograph(&self) -> Vec<Field> {
        let is_in = |field: &&Field| field.directory == Directory::Photograph;
        let mut fields: Vec<_> = self.fields.iter().filter(is_in).cloned().collect();
        if !fields.is_empty() {
            let value = Value::Undefined(b"0232".to_vec());
            fields.push(Field { directory: Directory::Photograph, tag: EXIF_VERSION, value });
        }
        fields
    }
}

/// A resolution as a fraction.
pub(in crate::picture) fn rational(value: f64) -> [u32; 2] {
    // At most a million by `Density::of`.
    match (value.round() - value).abs() < 0.005 {
        true => [value.round() as u32, 1],
        false => [(value * 1000.0).round() as u32, 1000],
    }
}

/// A directory that begins at `at`, with its values behind it.
fn directory(mut fields: Vec<Field>, at: usize) -> Vec<u8> {
    fields.sort_by_key(|field| field.tag);
    let mut bytes = (fields.len() as u16).to_le_bytes().to_vec();
    let mut values = Vec::new();
    let values_at = at + 2 + 12 * fields.len() + 4;
    for Field { tag, value, .. } in fields {
        let (kind, width, data) = value.encoded(u16::to_le_bytes, u32::to_le_bytes);
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(((data.len() / width) as u32).to_le_bytes());
        match data.len() {
            length @ 0..=4 => {
                bytes.extend(&data);
                bytes.extend(&[0; 4][length..]);
            }
            length => {
                bytes.extend(((values_at + values.len()) as u32).to_le_bytes());
                values.extend(data);
                // Values begin at even offsets.
                values.extend(&[0; 1][..length % 2]);
            }
        }
    }
    // No further directory in the chain.
    bytes.extend([0; 4]);
    bytes.extend(values);
    bytes
}

impl Value {
    /// Its type in TIFF, the bytes of one of its parts, and its bytes, with numbers in an order of bytes.
    pub(in crate::picture) fn encoded(
        &self,
        short: impl Fn(u16) -> [u8; 2],
        long: impl Fn(u32) -> [u8; 4],
    ) -> (u16, usize, Vec<u8>) {
        match self {
            Self::Bytes(bytes) => (1, 1, bytes.clone()),
            Self::Text(text) => (2, 1, [&text[..], &[0]].concat()),
            Self::Shorts(values) => (3, 2, values.iter().flat_map(|value| short(*value)).collect()),
            Self::Longs(values) => (4, 4, values.iter().flat_map(|value| long(*value)).collect()),
            Self::Rationals(values) => {
                (5, 8, values.as_flattened().iter().flat_map(|value| long(*value)).collect())
            }
            Self::Undefined(bytes) => (7, 1, bytes.clone()),
        }
    }
}
