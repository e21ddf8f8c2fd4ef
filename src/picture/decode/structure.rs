//! What the structure of a file tells before it is decoded: whether it is cut short, for the formats whose decoders
//! would fill in grey, and how much memory its decoder will hold.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::{ExtendedColorType, ImageFormat};

use super::{Failure, tiff_tags};

/// What a file's decoder will hold beside the samples that it returns, and other facts of its structure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Structure {
    /// Bytes.
    pub fixed: u64,
    /// Bits for each pixel.
    bits_a_pixel: u64,
    /// Whether the decoder has a second buffer for all samples in the file's own colour type.
    original: bool,
    /// Width and height as a JPEG's frame header has them, or else 0.
    pub size: [u16; 2],
    /// Whether the orientation may be asked for.
    pub has_orientation: bool,
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
            // PNG and BMP decoders hold a few rows.
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

    /// A WebP file is one RIFF chunk: four letters, the number of the bytes after it, these bytes, which are chunks.
    ///
    /// What the decoder, image-webp, holds for a pixel: a lossy frame 12 bits, as YCbCr; its alpha up to 40, as RGBA
    /// and once more as alpha; a lossless frame up to 6 of transforms, and 32, as RGBA, where that is not the form
    /// that it returns; of an animation the frame and the canvas, both as RGBA.
    fn of_webp<R: BufRead + Seek>(file: &mut R, start: u64) -> Result<Self, Failure> {
        let mut header = [0; 12];
        file.read_exact(&mut header)?;
        let end = start + 8 + u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
        if file.seek(SeekFrom::End(0))? < end {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        file.seek(SeekFrom::Start(start + 12))?;
        let mut first = [0; 9];
        // A chunk with less is refused by the decoder.
        let read = file.take(9).read(&mut first)?;
        const ANIMATION: u8 = 1 << 1;
        const ALPHA: u8 = 1 << 4;
        let bits_a_pixel = match &first[..read] {
            [b'V', b'P', b'8', b' ', ..] => 12,
            [b'V', b'P', b'8', b'X', .., flags] if flags & ANIMATION != 0 => 12 + 40 + 32 + 32,
            // Either a lossy frame with alpha, or a lossless one.
            [b'V', b'P', b'8', b'X', .., flags] if flags & ALPHA != 0 => 12 + 40,
            // Either a lossy frame, or a lossless one of which the alpha is dropped.
            _ => 32 + 6,
        };
        Ok(Self { bits_a_pixel, ..Self::default() })
    }

    /// The decoder has a buffer of its own for the samples, and, where they are JPEG data, decodes a strip or tile,
    /// which may be the whole picture, to a third one, of which the coefficients may be kept.
    fn of_tiff<R: BufRead + Seek>(file: &mut R, start: u64) -> Result<Self, Failure> {
        let tags = tiff_tags::read(file, start)?;
        let bits_a_pixel = if tags.holds_jpeg { 4 * (8 + 16) } else { 0 };
        let has_orientation = !tags.orientation_is_text;
        Ok(Self { bits_a_pixel, original: true, has_orientation, ..Self::default() })
    }
}

impl Default for Structure {
    fn default() -> Self {
        Self { fixed: 0, bits_a_pixel: 0, original: false, size: [0; 2], has_orientation: true }
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

fn read_byte(file: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}
