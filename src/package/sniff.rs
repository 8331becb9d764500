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

    #[test]
    fn a_header_of_any_length_is_one_whatever_else_begins_so() {
        // Every length whose low bytes are those of a pickle of any protocol, and of other files.
        let magics = [b"PK", b"BM", b"GI", b"RI", b"\x89P", b"\xff\xd8", b"\x1f\x8b", b"{\"", b"<!"];
        let pickles = (1..=5).map(|protocol| [0x80, protocol]);
        for low in magics.into_iter().copied().chain(pickles) {
            for high in 0..=MAX_HEADER_BYTES >> 16 {
                let length = high << 16 | u64::from(u16::from_le_bytes(low));
                let file = safetensors(length);
                let expected = (length <= MAX_HEADER_BYTES).then_some(WeightsFormat::Safetensors);
                // Beyond the limit of headers the bytes of a pickle are that.
                if expected.is_some() || low[0] != 0x80 {
                    assert_eq!(sniff(&file), expected, "{length:x}");
                }
                // Nothing but the brace tells them apart: no pickle goes on with zeros, but for a
                // number that happens to have them.
                let pickle = [&length.to_le_bytes()[..], b"."].concat();
                let expected = (low[0] == 0x80).then_some(WeightsFormat::PyTorch);
                assert_eq!(sniff(&pickle), expected, "{length:x}");
            }
        }
        // What torch.save writes, by protocol.
        for rest in [&b"}q\0(X\x06\0\0\0"[..], b"ccollections", b"\x8a\nl\xfc\x9cF", b"\x95\0\x10\0\0\0\0\0\0}"] {
            for protocol in 1..=5 {
                assert_eq!(sniff(&[&[0x80, protocol], rest].concat()), Some(WeightsFormat::PyTorch), "{rest:x?}");
            }
        }
    }
}
