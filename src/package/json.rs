//! JSON from packages: weighed before anything is made of it, for a parser makes up to a hundred
//! bytes of one.

use safetensors::tensor::Metadata;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, bad_model, quote};
use crate::package::limits::{MAX_CONFIG_DEPTH, MAX_CONFIG_VALUES, MAX_TENSORS};

/// What a list and an object cost, in values: what is set aside for them at once.
const LIST: usize = 4;
const OBJECT: usize = 8;
/// A tensor of a header is an object, two lists, and their numbers and names.
const TENSOR: usize = 32;
const HEADER_DEPTH: usize = 8;

/// Reads a config.
///
/// # Errors
/// [`Error::BadModel`] past its limits, or where it is not JSON.
pub(super) fn config(text: &str) -> Result<serde_json::Value> {
    let name = "config.json";
    parse(text.as_bytes(), name, "use the config.json that timm saved", MAX_CONFIG_DEPTH, MAX_CONFIG_VALUES)
}

/// Reads the JSON header of a safetensors file, which checks that the tensors follow each other
/// without gaps, and that sizes and shapes agree.
///
/// # Errors
/// [`Error::BadModel`] past its limits, or where it is damaged.
pub fn header(bytes: &[u8]) -> Result<Metadata> {
    let name = "the safetensors header of the weights";
    parse(bytes, name, "download the file again", HEADER_DEPTH, MAX_TENSORS * TENSOR)
}

fn parse<T: DeserializeOwned>(bytes: &[u8], name: &str, advice: &str, depth: usize, values: usize) -> Result<T> {
    let weight = Weight::of(bytes);
    if weight.depth > depth {
        return bad_model(format!("{name} is nested {} deep; the limit is {depth}: {advice}", weight.depth));
    }
    if weight.values > values {
        return bad_model(format!("{name} contains more than {values} values, which is the limit; {advice}"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let error = quote(error);
        Error::BadModel(format!("{name} is damaged: it is not valid JSON, or not what is expected ({error}); {advice}"))
    })
}

/// What a parser will make, roughly, whether the text is valid or not.
#[derive(Debug, Default, PartialEq)]
struct Weight {
    depth: usize,
    values: usize,
}

impl Weight {
    fn of(bytes: &[u8]) -> Self {
        let (mut weight, mut depth) = (Self::default(), 0usize);
        let mut bytes = bytes.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                // To the string's end, past what is escaped.
                b'"' => {
                    while let Some(byte) = bytes.next() {
                        match byte {
                            b'"' => break,
                            b'\\' => drop(bytes.next()),
                            _ => (),
                        }
                    }
                }
                b'{' | b'[' => {
                    depth += 1;
                    weight.depth = weight.depth.max(depth);
                    weight.values += if *byte == b'{' { OBJECT } else { LIST };
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' => weight.values += 1,
                _ => (),
            }
        }
        weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_strings_weighs_nothing() {
        for (text, depth, values) in [
            ("", 0, 0),
            ("1", 0, 0),
            (r#"{"a": [1, 2, {}]}"#, 3, 22),
            (r#"["{[,\"[{,", 0, "\\"]"#, 1, 6),
            ("]]][", 1, 4),
            ("\"[[[[", 0, 0),
        ] {
            assert_eq!(Weight::of(text.as_bytes()), Weight { depth, values }, "{text}");
        }
    }
}
