//! Preprocessing against timm's evaluation transform, bit for bit: `tests/reference/make_preprocess_goldens.py`.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::{Value, json};
use sightline::Error;
use sightline::photo::Photo;
use sightline::preprocess::{PreprocessConfig, preprocess};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/preprocess").join(name)
}

/// The picture that the golden script describes.
fn picture(width: u32, height: u32) -> Photo {
    let length = u64::from(width * height * 3);
    let byte = |i: u64| ((((i as u32).wrapping_mul(2_654_435_761) >> 24) as u64 + i * 255 / length) / 2) as u8;
    Photo { width, height, rgb: (0..length).map(byte).collect() }
}

#[test]
fn inputs_equal_timms_bit_for_bit() {
    let list: Value = serde_json::from_str(&std::fs::read_to_string(golden("cases.json")).unwrap()).unwrap();
    let bytes = std::fs::read(golden("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let cases = list["cases"].as_array().unwrap();
    assert!(cases.len() >= 90);
    for (k, case) in cases.iter().enumerate() {
        let side = |key: &str| case[key].as_u64().unwrap() as u32;
        let photo = picture(side("width"), side("height"));
        let config = PreprocessConfig::from_pretrained_cfg(&case["pretrained_cfg"]).unwrap();
        let got: Vec<u8> = preprocess(&photo, &config).unwrap().data.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(got, expected.tensor(&k.to_string()).unwrap().data(), "{case}");
    }
}

#[test]
fn absent_and_null_keys_take_timms_defaults() {
    let bare = PreprocessConfig::from_pretrained_cfg(&json!({})).unwrap();
    let nulls = json!({ "input_size": null, "mean": null, "std": null, "crop_pct": null, "interpolation": null, "crop_mode": null });
    assert_eq!(PreprocessConfig::from_pretrained_cfg(&nulls).unwrap(), bare);
    let written = json!({
        "input_size": [3, 224, 224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        "crop_pct": 0.875, "interpolation": "bicubic", "crop_mode": "center"
    });
    assert_eq!(PreprocessConfig::from_pretrained_cfg(&written).unwrap(), bare);
}

#[test]
fn senseless_configurations_are_refused_by_key() {
    for (key, values) in [
        (
            "input_size",
            vec![
                json!([1, 8, 8]),
                json!([3, 8]),
                json!([3, 0, 8]),
                json!([3, 8, 1025]),
                json!([3, "8", 8, 8]),
                json!(8),
            ],
        ),
        ("mean", vec![json!([0.5, 0.5]), json!([0.5, "x", 0.5, 0.5]), json!([0.5, 0.5, 1e39]), json!(0.5)]),
        (
            "std",
            vec![
                json!([0.2, 0.2, 0.0]),
                json!([0.2, 0.2, -0.2]),
                json!([0.2, 0.2, 1e-60]),
                json!([null, 0.2, 0.2, 0.2]),
            ],
        ),
        ("crop_pct", vec![json!(0), json!(0.01), json!(1.5), json!("all")]),
        ("interpolation", vec![json!("random"), json!("nearest"), json!(3)]),
        ("crop_mode", vec![json!("border"), json!(1)]),
    ] {
        for value in values {
            let error = PreprocessConfig::from_pretrained_cfg(&json!({ key: value })).unwrap_err();
            assert!(matches!(&error, Error::BadModel(message) if message.contains(key)), "{key} {value}: {error}");
        }
    }
}
