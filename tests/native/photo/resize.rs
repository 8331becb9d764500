//! Resizing against Pillow.

use sightline::photo::resize::{Interpolation, resize};

use super::decode::decode;
use crate::common::*;

#[test]
fn resizing_is_byte_equal_to_pillow() {
    let list = read_json(&golden("photos/photos.json"));
    let cases = list["cases"].as_array().unwrap();
    assert!(cases.len() >= 30);
    for case in cases {
        let filter: Interpolation = serde_json::from_value(case["interpolation"].clone()).unwrap();
        let side = |key: &str| case[key].as_u64().unwrap() as usize;
        let got = resize(&decode(case["source"].as_str().unwrap()), side("width"), side("height"), filter);
        assert_eq!(got, decode(case["expected"].as_str().unwrap()), "{case}");
    }
}
