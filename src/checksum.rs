//! SHA-256.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

const LEN: usize = 32;

/// A SHA-256; as text 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum([u8; LEN]);

#[cfg(any(test, feature = "fetch"))]
impl Checksum {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_all([bytes])
    }

    /// That of these, one after the other.
    pub(crate) fn of_all<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finish()
    }
}

/// A SHA-256 in the making.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// That of all bytes so far, in their order.
    pub(crate) fn finish(self) -> Checksum {
        Checksum(self.0.finalize().into())
    }
}

impl FromStr for Checksum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("expected {} hexadecimal digits", 2 * LEN);
        let (pairs, rest) = text.as_bytes().as_chunks();
        let mut bytes = [0; LEN];
        if pairs.len() != LEN || !rest.is_empty() {
            return Err(fault());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(fault);
        for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (digit(high)? << 4 | digit(low)?) as u8;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_leads_back() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Checksum::of(b"abc").to_string(), abc);
        assert_eq!(Checksum::of_all([&b"a"[..], b"bc"]), Checksum::of(b"abc"));
        assert_eq!(abc.to_uppercase().parse(), Ok(Checksum::of(b"abc")));
        for bad in ["", "ba78", &abc[1..], &format!("{abc}00"), &abc.replace('b', "g")] {
            assert!(bad.parse::<Checksum>().is_err(), "{bad}");
        }
    }
}
