//! Decoding and preprocessing against Pillow, and files that lie.

use serde_json::json;
use sightline::Error;
use sightline::photo::Photo;
use sightline::preprocess::{Interpolation, PreprocessConfig, preprocess, resize};

use crate::common::*;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(golden(&format!("photos/{name}"))).unwrap()
}

fn decode(name: &str) -> Photo {
    Photo::decode(&bytes(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// (mean, largest) absolute difference.
fn difference(a: &Photo, b: &Photo) -> (f64, u8) {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let each = || a.rgb.iter().zip(&b.rgb).map(|(x, y)| x.abs_diff(*y));
    (each().map(f64::from).sum::<f64>() / a.rgb.len() as f64, each().max().unwrap())
}

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

#[test]
fn every_orientation_comes_out_upright() {
    let upright = decode("upright.png");
    for orientation in 1..=8 {
        let (mean, largest) = difference(&decode(&format!("orientation-{orientation}.jpg")), &upright);
        assert!(mean < 2.5 && largest < 30, "orientation {orientation}: mean {mean}, largest {largest}");
    }
}

#[test]
fn every_format_is_the_same_picture() {
    let picture = decode("photo.png");
    assert_eq!((picture.width, picture.height), (64, 48));
    assert_eq!(decode("photo.bmp"), picture);
    assert_eq!(decode("photo.webp"), picture);
    // 4:2:0, against Pillow's decoder.
    let (mean, largest) = difference(&decode("photo.jpg"), &decode("photo-jpg.png"));
    assert!(mean < 0.5 && largest <= 6, "4:2:0: {mean}, {largest}");
    assert_eq!(decode("animated.gif"), decode("animated-first.png"));
    let (mean, largest) = difference(&decode("transparent.png"), &decode("transparent-on-white.png"));
    assert!(mean < 0.6 && largest <= 1, "transparency: {mean}, {largest}");
    assert_eq!(decode("grey.png"), decode("grey16.png"));
    // The inverted CMYK of Adobe's programs: the colours must come out, not their negative.
    let (mean, largest) = difference(&decode("cmyk.jpg"), &decode("cmyk-jpg.png"));
    assert!(mean < 2.0 && largest < 24, "CMYK: {mean}, {largest}");
}

#[test]
fn bad_files_are_refused_with_the_right_code() {
    for (name, code) in [
        ("text.jpg", "unsupported-image"),
        ("empty.jpg", "unsupported-image"),
        ("truncated.jpg", "unsupported-image"),
        ("truncated.png", "unsupported-image"),
        ("made-up.heic", "unsupported-image"),
        ("huge-header.png", "image-too-large"),
    ] {
        let error = Photo::decode(&bytes(name)).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
    }
    assert!(matches!(Photo::from_rgba(2, 2, &[0; 15]), Err(Error::BadOption(_))));
    assert!(matches!(Photo::from_rgba(0, 2, &[]), Err(Error::UnsupportedImage(_))));
    assert!(matches!(Photo::from_rgba(u32::MAX, u32::MAX, &[]), Err(Error::ImageTooLarge(_))));
}

#[test]
fn a_jpeg_with_a_film_behind_it_is_read_and_one_with_a_whole_thumbnail_but_half_a_picture_is_not() {
    let jpeg = bytes("photo.jpg");
    let film: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    assert_eq!(Photo::decode(&[&jpeg[..], &film].concat()).unwrap(), decode("photo.jpg"));
    // An APP1 segment with a whole JPEG in it, then half of the real one.
    let length = ((jpeg.len() + 2) as u16).to_be_bytes();
    let half = [&jpeg[..2], &[0xff, 0xe1], &length, &jpeg, &jpeg[2..jpeg.len() / 2]].concat();
    assert_eq!(Photo::decode(&half).unwrap_err().code(), "unsupported-image");
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let mut seed = 42u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) as usize) % below
    };
    for name in ["photo.jpg", "photo.png", "photo.bmp", "photo.webp", "animated.gif", "orientation-6.jpg", "cmyk.jpg"] {
        let original = bytes(name);
        for _ in 0..300 {
            let mut mutated = original.clone();
            for _ in 0..1 + random(6) {
                // Mostly headers.
                let at = if random(3) > 0 { random(mutated.len().min(200)) } else { random(mutated.len()) };
                mutated[at] = random(256) as u8;
            }
            if random(3) == 0 {
                mutated.truncate(random(mutated.len()));
            }
            if let Ok(photo) = Photo::decode(&mutated) {
                assert_eq!(photo.rgb.len(), photo.width as usize * photo.height as usize * 3);
            }
        }
    }
}

fn config(value: serde_json::Value) -> PreprocessConfig {
    PreprocessConfig::from_pretrained_cfg(&value).unwrap()
}

#[test]
fn the_crop_maps_back_to_the_photo() {
    let photo = |width: u32, height: u32| Photo { width, height, rgb: vec![128; (width * height * 3) as usize] };
    // 224 / 0.875 = 256: a 512 x 1024 photo becomes 256 x 512; the crop starts at 16 and 144.
    let prepared =
        preprocess(&photo(512, 1024), &config(json!({ "input_size": [3, 224, 224], "crop_pct": 0.875 }))).unwrap();
    let c = prepared.crop;
    assert_eq!((c.x, c.y, c.width, c.height), (32.0, 288.0, 448.0, 448.0));
    assert_eq!((c.photo_width, c.photo_height), (512, 1024));
    // Half to even: 5 - 2 = 3, half is 1.5, rounds to 2.
    let prepared = preprocess(&photo(2, 5), &config(json!({ "input_size": [3, 2, 2], "crop_pct": 1.0 }))).unwrap();
    assert_eq!((prepared.crop.x, prepared.crop.y, prepared.crop.height), (0.0, 2.0, 2.0));
    // Squash takes all of it.
    let prepared =
        preprocess(&photo(30, 10), &config(json!({ "input_size": [3, 8, 8], "crop_pct": 1.0, "crop_mode": "squash" })))
            .unwrap();
    assert_eq!((prepared.crop.x, prepared.crop.width, prepared.crop.height), (0.0, 30.0, 10.0));
    // A flat grey stays flat, normalised.
    let grey = (128.0f32 / 255.0 - 0.485) / 0.229;
    assert!(prepared.data[..64].iter().all(|v| (v - grey).abs() < 1e-6));
}

#[test]
fn a_thread_of_a_photo_needs_little_memory_and_time() {
    let config = config(json!({ "input_size": [3, 224, 224] }));
    for (width, height) in [(1, 30_000), (30_000, 1)] {
        let photo = Photo { width, height, rgb: vec![7; 90_000] };
        let prepared = preprocess(&photo, &config).unwrap();
        assert_eq!(prepared.data.len(), 3 * 224 * 224);
        assert!(prepared.crop.width <= 1.0 && prepared.crop.height <= 1.0);
    }
}

#[test]
fn photos_become_the_references_inputs() {
    let (Some(photos), Some(reference)) = (shared("photos/cc_by"), shared("reference")) else { return };
    for model in ["deit_tiny_patch16_224", "mobilenetv2_100_same"] {
        let Some(folder) = shared(&format!("models/{model}")) else { return };
        let cfg = read_json(&folder.join("config.json"));
        let config = config(cfg["pretrained_cfg"].clone());
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
