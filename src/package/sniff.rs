//! What a file is, by its first bytes. A name or an ending says nothing.

use crate::package::limits::MAX_HEADER_BYTES;

/// How a file of weights is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsFormat {
    /// A safetensors file: the length of its header, the header, the values.
    Safetensors,
    /// What `torch.save` writes, or wrote: [`crate::package::pth::Reader`] reads it or says what to
    /// do.
    PyTorch,
}

impl WeightsFormat {
    /// The format's id, as JavaScript sees it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::PyTorch => "pytorch",
        }
    }
}

/// The format of a file that begins with `first`, of which eight bytes are enough; `None` where it
/// is neither.
///
/// A header of 0x280 bytes makes a safetensors file begin as an old pickle does; the brace behind
/// the length tells them apart.
pub fn sniff(first: &[u8]) -> Option<WeightsFormat> {
    let brace = first.get(8).is_none_or(|&byte| byte == b'{');
    let length = first.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    if first.starts_with(b"PK\x03\x04") {
        return Some(WeightsFormat::PyTorch);
    }
    if let Some(length) = length
        && (2..=MAX_HEADER_BYTES).contains(&length)
        && brace
    {
        return Some(WeightsFormat::Safetensors);
    }
    matches!(first, [0x80, 1..=5, ..]).then_some(WeightsFormat::PyTorch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safetensors(length: u64) -> Vec<u8> {
        [&length.to_le_bytes()[..], b"{\"a\":"].concat()
    }

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        let cases: [(&[u8], Option<WeightsFormat>); 8] = [
            (b"PK\x03\x04rest", Some(WeightsFormat::PyTorch)),
            (b"\x80\x02\x8a\nl\xfc\x9cF", Some(WeightsFormat::PyTorch)),
            (&safetensors(1000), Some(WeightsFormat::Safetensors)),
            // As a pickle of protocol 2 begins.
            (&safetensors(0x280), Some(WeightsFormat::Safetensors)),
            (&safetensors(MAX_HEADER_BYTES + 1), None),
            (&safetensors(0), None),
            (b"<!doctype html>", None),
            (b"", None),
        ];
        for (first, format) in cases {
            assert_eq!(sniff(first), format, "{first:x?}");
        }
    }
}
