//! EXIF data of a photograph: what is worth keeping in a picture made from it.
//!
//! They have the form of a small TIFF file: directories of tags, the main one with offsets to that of the photograph and
//! that of the place (Exif 3.0, section 4.6). A few tags are looked for, each of a limited length, so that damaged or
//! hostile data cost neither time nor memory.

use std::io::{self, Read, Seek, SeekFrom};

use super::Density;
use crate::picture::numbers::Numbers;

/// What is kept of a photograph's EXIF data: date, camera, lens, artist, copyright, and the place where it was taken.
/// Thumbnails, serial numbers and makers' notes aren't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exif {
    /// By directory and tag.
    pub(crate) fields: Vec<Field>,
}

/// A tag with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub directory: Directory,
    pub tag: u16,
    pub value: Value,
}

/// Where a tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Directory {
    Main,
    Photograph,
    Location,
}

/// A tag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Without its final 0.
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Undefined(Vec<u8>),
    Shorts(Vec<u16>),
    Longs(Vec<u32>),
    /// Numerators and denominators.
    Rationals(Vec<[u32; 2]>),
}

/// Make, model, time of change, artist, copyright.
const MAIN: [u16; 5] = [0x010F, 0x0110, 0x0132, 0x013B, 0x8298];

/// Times of taking and of digitising with their zones and fractions, focal length, and the lens: its range, make and model.
const PHOTOGRAPH: [u16; 13] =
    [0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292, 0x920A, 0xA405, 0xA432, 0xA433, 0xA434];

/// All tags of a place: 0 to this one.
const LAST_OF_LOCATION: u16 = 0x1F;

pub(super) const X_RESOLUTION: u16 = 0x011A;
pub(super) const Y_RESOLUTION: u16 = 0x011B;
pub(super) const RESOLUTION_UNIT: u16 = 0x0128;
pub(in crate::picture) const PHOTOGRAPH_AT: u16 = 0x8769;
pub(in crate::picture) const LOCATION_AT: u16 = 0x8825;

/// The most tags of a directory that are looked at.
const MOST_TAGS: u16 = 1000;

/// The most bytes of a value that is kept. With it everything kept fits in a JPEG segment, of 65533 bytes.
const LONGEST: u32 = 1000;

impl Exif {
    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether there is something about the place where the photograph was taken.
    pub fn has_location(&self) -> bool {
        self.fields.iter().any(|field| field.directory == Directory::Location)
    }

    /// The same without the place where the photograph was taken.
    #[must_use]
    pub fn without_location(mut self) -> Self {
        self.fields.retain(|field| field.directory != Directory::Location);
        self
    }

    /// Reads the data that begin at `start`: those of EXIF, or a TIFF file. What can't be read is left out.
    pub(in crate::picture) fn read<R: Read + Seek>(file: &mut R, start: u64) -> (Self, Option<Density>) {
        let mut reader = Reader { start, numbers: Numbers { big_endian: false, file }, found: Vec::new() };
        // What was found before an error counts.
        let _ = reader.all();
        let density = density(&reader.found);
        let is_kept = |field: &Field| match field.directory {
            Directory::Main => MAIN.contains(&field.tag),
            Directory::Photograph => PHOTOGRAPH.contains(&field.tag),
            Directory::Location => true,
        };
        let mut fields = reader.found;
        fields.retain(is_kept);
        fields.sort_by_key(|field| (field.directory, field.tag));
        fields.dedup_by_key(|field| (field.directory, field.tag));
        (Self { fields }, density)
    }
}

/// The resolution of a main directory.
fn density(fields: &[Field]) -> Option<Density> {
    let value = |tag| {
        let is_it = |field: &&Field| field.directory == Directory::Main && field.tag == tag;
        fields.iter().find(is_it).map(|field| &field.value)
    };
    let resolution = |tag| match value(tag) {
        Some(Value::Rationals(values)) => values.first().map(|[a, b]| f64::from(*a) / f64::from(*b)),
        _ => None,
    };
    let an_inch = match value(RESOLUTION_UNIT) {
        Some(Value::Shorts(values)) => match values.first() {
            Some(2) => 1.0,
            Some(3) => 2.54,
            _ => return None,
        },
        // Inches are the default.
        _ => 1.0,
    };
    Density::of(resolution(X_RESOLUTION)? * an_inch, resolution(Y_RESOLUTION)? * an_inch)
}

/// Reads tags that are looked for.
struct Reader<'f, R> {
    /// Where offsets count from.
    start: u64,
    numbers: Numbers<'f, R>,
    found: Vec<Field>,
}

/// A tag's entry in its directory.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// The value, or its offset.
    value: [u8; 4],
}

impl<R: Read + Seek> Reader<'_, R> {
    fn all(&mut self) -> io::Result<()> {
        self.numbers.file.seek(SeekFrom::Start(self.start))?;
        self.numbers.big_endian = match &self.numbers.bytes::<2>()? {
            b"II" => false,
            b"MM" => true,
            _ => return Ok(()),
        };
        if self.numbers.short()? != 42 {
            return Ok(());
        }
        let at = self.numbers.long()?;
        // Each at most once: offsets can't lead in a circle.
        let further = self.directory(Directory::Main, at)?;
        for (directory, at) in further {
            self.directory(directory, at)?;
        }
        Ok(())
    }

    /// Reads a directory, and says where others are.
    fn directory(&mut self, directory: Directory, at: u32) -> io::Result<Vec<(Directory, u32)>> {
        self.numbers.file.seek(SeekFrom::Start(self.start + u64::from(at)))?;
        let count = self.numbers.short()?.min(MOST_TAGS);
        let (mut entries, mut further) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let entry = Entry {
                tag: self.numbers.short()?,
                kind: self.numbers.short()?,
                count: self.numbers.long()?,
                value: self.numbers.bytes()?,
            };
            let offset = self.numbers.long_of(entry.value);
            let is_wanted = match (directory, entry.tag) {
                (Directory::Main, PHOTOGRAPH_AT) => {
                    further.push((Directory::Photograph, offset));
                    false
                }
                (Directory::Main, LOCATION_AT) => {
                    further.push((Directory::Location, offset));
                    false
                }
                (Directory::Main, X_RESOLUTION | Y_RESOLUTION | RESOLUTION_UNIT) => true,
                (Directory::Main, tag) => MAIN.contains(&tag),
                (Directory::Photograph, tag) => PHOTOGRAPH.contains(&tag),
                (Directory::Location, tag) => tag <= LAST_OF_LOCATION,
            };
            if is_wanted {
                entries.push(entry);
            }
        }
        // The first of each.
        further.sort_by_key(|(directory, _)| *directory);
        further.dedup_by_key(|(directory, _)| *directory);
        for entry in entries {
            // One value that is out of reach is no reason to leave out the next.
            if let Ok(Some(value)) = self.value(&entry) {
                self.found.push(Field { directory, tag: entry.tag, value });
            }
        }
        Ok(further)
    }

    fn value(&mut self, entry: &Entry) -> io::Result<Option<Value>> {
        let size = match entry.kind {
            1 | 2 | 7 => 1,
            3 => 2,
            4 => 4,
            5 => 8,
            _ => return Ok(None),
        };
        let length = match entry.count.checked_mul(size) {
            Some(length @ 1..=LONGEST) => length as usize,
            _ => return Ok(None),
        };
        let mut bytes = vec![0; length];
        if length <= entry.value.len() {
            bytes.copy_from_slice(&entry.value[..length]);
        } else {
            let offset = u64::from(self.numbers.long_of(entry.value));
            self.numbers.file.seek(SeekFrom::Start(self.start + offset))?;
            self.numbers.file.read_exact(&mut bytes)?;
        }
        let long = |bytes: &[u8; 4]| self.numbers.long_of(*bytes);
        Ok(match entry.kind {
            1 => Some(Value::Bytes(bytes)),
            2 => {
                bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(length));
                // Once written it has its 0 behind it.
                (1..LONGEST as usize).contains(&bytes.len()).then_some(Value::Text(bytes))
            }
            3 => Some(Value::Shorts(
                bytes.as_chunks::<2>().0.iter().map(|bytes| self.numbers.short_of(*bytes)).collect(),
            )),
            4 => Some(Value::Longs(bytes.as_chunks::<4>().0.iter().map(long).collect())),
            5 => {
                let pairs = bytes.as_chunks::<4>().0.as_chunks::<2>().0;
                Some(Value::Rationals(pairs.iter().map(|[a, b]| [long(a), long(b)]).collect()))
            }
            _ => Some(Value::Undefined(bytes)),
        })
    }
}
