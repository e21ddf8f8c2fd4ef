//! Numbers of files in TIFF's form, in the file's own byte order.

use std::io::{self, Read};

/// A file's numbers in its own byte order.
pub(super) struct Numbers<'f, R> {
    pub big_endian: bool,
    pub file: &'f mut R,
}

impl<R: Read> Numbers<'_, R> {
    pub(super) fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn short_of(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    pub(super) fn long_of(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    pub(super) fn long8_of(&self, bytes: [u8; 8]) -> u64 {
        if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    }

    pub(super) fn short(&mut self) -> io::Result<u16> {
        let bytes = self.bytes()?;
        Ok(self.short_of(bytes))
    }

    pub(super) fn long(&mut self) -> io::Result<u32> {
        let bytes = self.bytes()?;
        Ok(self.long_of(bytes))
    }

    pub(super) fn long8(&mut self) -> io::Result<u64> {
        let bytes = self.bytes()?;
        Ok(self.long8_of(bytes))
    }
}
