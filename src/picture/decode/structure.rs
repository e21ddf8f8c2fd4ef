//! What the structure of a file tells before it is decoded: whether it is cut short, for the formats whose decoders
//! would fill in grey, and how much memory its decoder will hold.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::{ExtendedColorType, ImageFormat};

use super::{Failure, MAX_METADATA, tiff_tags};

/// The most chunks of a WebP file that are looked at for its metadata's sake.
const MOST_CHUNKS: usize = 100_000;

/// What a file's decoder will hold beside the samples that it returns, and other facts of its structure.
#[derive(Clone, Debug)]
pub(super) struct Structure {
    /// Bytes.
    pub fixed: u64,
    /// Bits for each pixel.
    bits_a_pixel: u64,
    /// Whether the decoder has a second buffer for all samples in the file's own colour type.
    original: bool,
    /// Width and height as a JPEG's frame header has them, or else 0.
    pub size: [u16; 2],
    /// Bytes of the rows that a PNG's decoder holds.
    pub rows: u64,
    /// Whether the orientation, and other EXIF data, may be asked for.
    pub has_orientation: bool,
    /// A TIFF file's colour profile.
    pub profile: Option<Vec<u8>>,
    /// Whether the decoder may be asked for a profile.
    pub has_profile: bool,
}

impl Structure {
    /// Reads the structure of `file` from where it stands, and leaves it there.
    ///
    /// # Errors
    ///
    /// [`Failure::Decode`] where it is found to be cut short or damaged.
    pub(super) fn read<R: BufRead + Seek>(format: ImageFormat, file: &mut R) -> Result<Self, Failure> {
        let start = file.stream_position()?;
        let structure = match format {
            ImageFormat::Jpeg => Self::of_jpeg(file, start)?,
            ImageFormat::WebP => Self::of_webp(file, start)?,
            ImageFormat::Tiff => Self::of_tiff(file, start)?,
            ImageFormat::Png => Self::of_png(file)?,
            // Its decoder holds one row.
            _ => Self::default(),
        };
        file.seek(SeekFrom::Start(start))?;
        Ok(structure)
    }

    /// Bytes that the decoder holds beside the samples that it returns.
    pub(super) fn held_by_decoder(&self, (width, height): (u32, u32), original: ExtendedColorType) -> u64 {
        let original = if self.original { u64::from(original.bits_per_pixel()) } else { 0 };
        let pixels = u64::from(width) * u64::from(height);
        self.fixed.saturating_add(pixels.saturating_mul(self.bits_a_pixel + original) / 8)
    }

    /// The width follows a signature, a length and a name, 16 bytes in all. The decoder holds a few rows, of at most
    /// 8 bytes a pixel, and the metadata.
    fn of_png(file: &mut impl Read) -> Result<Self, Failure> {
        let [.., a, b, c, d] = read_bytes::<20>(file)?;
        Ok(Self { rows: 4 * 8 * u64::from(u32::from_be_bytes([a, b, c, d])), ..Self::default() })
    }

    /// The decoder holds the file and a row of blocks, and, unless the first scan has all there is of each block,
    /// the coefficients of every block in 16 bits. It can't decode at a reduced scale: neither `image` nor
    /// zune-jpeg, which it uses, has such an option.
    fn of_jpeg<R: BufRead + Seek>(file: &mut R, start: u64) -> Result<Self, Failure> {
        let jpeg = JpegHeader::read(file)?;
        let length = file.seek(SeekFrom::End(0))?.saturating_sub(start);
        let coefficients = if jpeg.keeps_coefficients { jpeg.coefficients() } else { 0 };
        // Three channels' rows of blocks, 16 pixels high, of 16-bit values, before and after upsampling.
        let rows = u64::from(jpeg.size[0]) * 3 * 16 * 2 * 2;
        Ok(Self { fixed: length + 2 * coefficients + rows, size: jpeg.size, ..Self::default() })
    }

    /// A WebP file is one RIFF chunk: four letters, the number of the bytes after it, these bytes, which are chunks of
    /// the same form.
    fn of_webp<R: BufRead + Seek>(file: &mut R, start: u64) -> Result<Self, Failure> {
        let header = read_bytes::<12>(file)?;
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        if file.seek(SeekFrom::End(0))? < start + 8 + u64::from(length) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        file.seek(SeekFrom::Start(start + 12))?;
        let is_sound = has_sound_chunks(file, start + 8 + u64::from(length)).unwrap_or(false);
        file.seek(SeekFrom::Start(start + 12))?;
        let bits_a_pixel = match webp_bits_a_pixel(file) {
            // The decoder says what is missing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            bits => bits?,
        };
        Ok(Self { bits_a_pixel, has_orientation: is_sound, has_profile: is_sound, ..Self::default() })
    }

    /// The decoder has a buffer of its own for the samples, and, where they are JPEG data, decodes a strip or tile,
    /// which may be the whole picture, to a third one, of which the coefficients may be kept.
    fn of_tiff<R: BufRead + Seek>(file: &mut R, start: u64) -> Result<Self, Failure> {
        let tags = tiff_tags::read(file, start)?;
        let bits_a_pixel = if tags.holds_jpeg { 4 * (8 + 16) } else { 0 };
        let has_orientation = !tags.orientation_is_text;
        Ok(Self {
            bits_a_pixel,
            original: true,
            has_orientation,
            profile: tags.profile,
            has_profile: false,
            ..Self::default()
        })
    }
}

impl Default for Structure {
    fn default() -> Self {
        Self {
            fixed: 0,
            bits_a_pixel: 0,
            original: false,
            size: [0; 2],
            rows: 0,
            has_orientation: true,
            profile: None,
            has_profile: true,
        }
    }
}

/// What a JPEG file's markers tell.
#[derive(Default)]
struct JpegHeader {
    /// Width and height.
    size: [u16; 2],
    /// Sampling factors of each component, horizontal and vertical.
    sampling: Vec<[u64; 2]>,
    /// Whether a block's coefficients come in several scans.
    keeps_coefficients: bool,
}

impl JpegHeader {
    /// Goes from marker to marker until the end-of-image marker, past the thumbnails in metadata, which have one of
    /// their own.
    fn read(file: &mut impl BufRead) -> io::Result<Self> {
        let mut header = Self::default();
        loop {
            // Entropy-coded data, in which 0xFF is followed by 0x00, or nothing.
            file.skip_until(0xFF)?;
            let mut marker = read_byte(file)?;
            while marker == 0xFF {
                marker = read_byte(file)?;
            }
            match marker {
                0xD9 => return Ok(header),
                // A stuffed 0x00, TEM, RST0–7 and SOI stand alone; a length follows every other marker.
                0x00 | 0x01 | 0xD0..=0xD8 => {}
                _ => {
                    let length = u64::from(u16::from_be_bytes([read_byte(file)?, read_byte(file)?]));
                    let mut segment = file.take(length.saturating_sub(2));
                    match marker {
                        // Frame headers; 0xC4, 0xC8 and 0xCC are something else.
                        0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                            header.frame(marker, &mut segment)?;
                        }
                        0xDA => header.scan(&mut segment)?,
                        _ => {}
                    }
                    io::copy(&mut segment, &mut io::sink())?;
                }
            }
        }
    }

    /// A frame header: precision, height, width, components, of which each has a name, factors and a table.
    fn frame(&mut self, marker: u8, segment: &mut impl Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        segment.read_to_end(&mut bytes)?;
        if let [_, high, low, wide, narrow, _, components @ ..] = &bytes[..] {
            self.size = [u16::from_be_bytes([*wide, *narrow]), u16::from_be_bytes([*high, *low])];
            let factors = |component: &[u8; 3]| [component[1] >> 4, component[1] & 15].map(u64::from);
            self.sampling = components.as_chunks().0.iter().map(factors).collect();
            self.keeps_coefficients |= marker == 0xC2;
        }
        Ok(())
    }

    /// A scan header begins with the number of components that the scan has.
    fn scan(&mut self, segment: &mut impl Read) -> io::Result<()> {
        let mut components = [0];
        segment.read_exact(&mut components)?;
        self.keeps_coefficients |= usize::from(components[0]) < self.sampling.len();
        Ok(())
    }

    /// How many coefficients all blocks have.
    fn coefficients(&self) -> u64 {
        let most = |axis: usize| self.sampling.iter().map(|factors| factors[axis]).max().unwrap_or(1).max(1);
        let blocks = |axis: usize| u64::from(self.size[axis]).div_ceil(8 * most(axis));
        let block: u64 = self.sampling.iter().map(|factors| factors[0] * factors[1] * 64).sum();
        blocks(0) * blocks(1) * block
    }
}

/// Whether the chunks that follow end where the file does. The decoder takes as much memory for metadata as is said.
fn has_sound_chunks<R: BufRead + Seek>(file: &mut R, end: u64) -> io::Result<bool> {
    for _ in 0..MOST_CHUNKS {
        let at = file.stream_position()?;
        if at >= end {
            return Ok(at == end);
        }
        let [name @ .., a, b, c, d] = read_bytes::<8>(file)?;
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        if matches!(&name, b"ICCP" | b"EXIF") && length > MAX_METADATA {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(at + 8 + length + length % 2))?;
    }
    Ok(false)
}

/// Bits that image-webp holds for a pixel beside the samples that it returns, from the chunks that follow.
fn webp_bits_a_pixel<R: BufRead + Seek>(file: &mut R) -> io::Result<u64> {
    /// A lossy frame, as YCbCr.
    const FRAME: u64 = 12;
    /// Alpha beside it: packed, by way of RGBA, or plain.
    const PACKED_ALPHA: u64 = 32 + 8;
    const PLAIN_ALPHA: u64 = 8;
    /// A lossless frame's transforms: 6 at their finest, 1 as encoders usually have them.
    const TRANSFORMS: u64 = 3;
    /// Samples as RGBA.
    const RGBA: u64 = 32;

    let (mut has_alpha, mut alpha) = (None, 0);
    loop {
        let [name @ .., a, b, c, d] = read_bytes::<8>(file)?;
        let length = u32::from_le_bytes([a, b, c, d]);
        let end = file.stream_position()? + u64::from(length) + u64::from(length % 2);
        match &name {
            b"VP8 " => return Ok(FRAME + alpha),
            // A signature, width and height of 14 bits, whether there is alpha.
            b"VP8L" => {
                let has_alpha = has_alpha.unwrap_or(read_bytes::<5>(file)?[4] & 1 << 4 != 0);
                return Ok(TRANSFORMS + if has_alpha { 0 } else { RGBA });
            }
            // A frame of an animation is laid on a canvas.
            b"ANMF" => return Ok(TRANSFORMS + RGBA + RGBA),
            b"VP8X" => has_alpha = Some(read_byte(file)? & 1 << 4 != 0),
            b"ALPH" => alpha = if read_byte(file)? & 3 == 1 { PACKED_ALPHA } else { PLAIN_ALPHA },
            _ => {}
        }
        file.seek(SeekFrom::Start(end))?;
    }
}

fn read_byte(file: &mut impl Read) -> io::Result<u8> {
    Ok(read_bytes::<1>(file)?[0])
}

fn read_bytes<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
