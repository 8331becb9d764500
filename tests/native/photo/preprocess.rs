//! Preprocessing against timm's evaluation transform, bit for bit:
//! `tests/reference/make_preprocess_goldens.py`.

use safetensors::SafeTensors;
use serde_json::{Value, json};
use sightline::Error;
use sightline::photo::Photo;
use sightline::photo::preprocess::{PreprocessConfig, preprocess};

use crate::common::*;

/// The picture that the golden script describes.
fn picture(width: u32, height: u32) -> Photo {
    let length = u64::from(width * height * 3);
    let byte = |i: u64| ((((i as u32).wrapping_mul(2_654_435_761) >> 24) as u64 + i * 255 / length) / 2) as u8;
    Photo { width, height, rgb: (0..length).map(byte).collect(), scaled_from: None }
}

#[test]
fn inputs_equal_timms_bit_for_bit() {
    let list = read_json(&golden("preprocess/cases.json"));
    let bytes = std::fs::read(golden("preprocess/expected.safetensors")).unwrap();
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
    let nulls = json!({
        "input_size": null, "mean": null, "std": null, "crop_pct": null, "interpolation": null, "crop_mode": null
    });
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

fn parsed(value: Value) -> PreprocessConfig {
    PreprocessConfig::from_pretrained_cfg(&value).unwrap()
}

#[test]
fn the_crop_maps_back_to_the_photo() {
    let photo = |width: u32, height: u32| Photo {
        width,
        height,
        rgb: vec![128; (width * height * 3) as usize],
        scaled_from: None,
    };
    // 224 / 0.875 = 256: a 512 x 1024 photo becomes 256 x 512; the crop starts at 16 and 144.
    let prepared =
        preprocess(&photo(512, 1024), &parsed(json!({ "input_size": [3, 224, 224], "crop_pct": 0.875 }))).unwrap();
    let c = prepared.crop;
    assert_eq!((c.x, c.y, c.width, c.height), (32.0, 288.0, 448.0, 448.0));
    assert_eq!((c.photo_width, c.photo_height), (512, 1024));
    // Half to even: 5 - 2 = 3, half is 1.5, rounds to 2.
    let prepared = preprocess(&photo(2, 5), &parsed(json!({ "input_size": [3, 2, 2], "crop_pct": 1.0 }))).unwrap();
    assert_eq!((prepared.crop.x, prepared.crop.y, prepared.crop.height), (0.0, 2.0, 2.0));
    // Squash takes all of it.
    let prepared =
        preprocess(&photo(30, 10), &parsed(json!({ "input_size": [3, 8, 8], "crop_pct": 1.0, "crop_mode": "squash" })))
            .unwrap();
    assert_eq!((prepared.crop.x, prepared.crop.width, prepared.crop.height), (0.0, 30.0, 10.0));
    // A flat grey stays flat, normalised.
    let grey = (128.0f32 / 255.0 - 0.485) / 0.229;
    assert!(prepared.data[..64].iter().all(|v| (v - grey).abs() < 1e-6));
}

#[test]
fn a_thread_of_a_photo_needs_little_memory_and_time() {
    let config = parsed(json!({ "input_size": [3, 224, 224] }));
    for (width, height) in [(1, 30_000), (30_000, 1)] {
        let photo = Photo { width, height, rgb: vec![7; 90_000], scaled_from: None };
        let prepared = preprocess(&photo, &config).unwrap();
        assert_eq!(prepared.data.len(), 3 * 224 * 224);
        assert!(prepared.crop.width <= 1.0 && prepared.crop.height <= 1.0);
    }
}

#[test]
#[ignore = "needs ../shared"]
fn photos_become_the_references_inputs() {
    let (photos, reference) = (shared("photos/cc_by"), shared("reference"));
    for model in REAL_MODELS {
        let folder = shared(&format!("models/{model}"));
        let cfg = read_json(&folder.join("config.json"));
        let config = parsed(cfg["pretrained_cfg"].clone());
        for entry in std::fs::read_dir(reference.join(model)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "safetensors") {
                continue;
            }
            let name = path.with_extension("jpg");
            let photo = Photo::decode(&std::fs::read(photos.join(name.file_name().unwrap())).unwrap()).unwrap();
            let got = preprocess(&photo, &config).unwrap().data;
            let expected = &read_tensors(&path)["input"].1;
            let plane = got.len() / 3;
            // Undo the normalisation: differences times std, in units of 1/255.
            let each = || {
                got.iter()
                    .zip(expected)
                    .enumerate()
                    .map(|(i, (a, b))| f64::from((a - b).abs() * config.std[i / plane]) * 255.0)
            };
            let (mean, largest) = (each().sum::<f64>() / got.len() as f64, each().fold(0.0, f64::max));
            println!("{model} {:?}: mean {mean:.4}/255, largest {largest:.2}/255", name.file_name().unwrap());
            assert!(mean <= 0.05 && largest <= 4.0);
        }
    }
}
