//! A photo that was scaled down while it was read: the crop is in its own pixels, and it is said.

use serde_json::json;
use sightline::ask::control::Unwatched;
use sightline::explain::Image;
use sightline::photo::Photo;
use sightline::photo::preprocess::{PreprocessConfig, preprocess};

use crate::common::*;

#[test]
fn results_of_a_scaled_photo_say_so_and_their_crop_is_in_its_own_pixels() {
    let golden = Golden::read("packages/tiny-cnn");
    let mut explainer = explainer(load(&golden.config, &golden.weights()).unwrap());
    let (width, height) = (6_200u32, 4_100);
    let data: Vec<u8> =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x / 25) as u8, (y / 17) as u8, 90, 255])).collect();
    let image = Image::Rgba { width, height, data };
    let classification = now(explainer.classify(&image, None, &Unwatched)).unwrap();
    let attribution = attribute(&mut explainer, &image, json!({ "method": "grad_cam" })).unwrap();
    for warnings in [&classification.warnings, &attribution.warnings] {
        let scaled = warnings.iter().find(|warning| warning.code == "scaled").expect("a warning");
        assert_eq!((scaled.values["width"], scaled.values["height"]), (6_200.0, 4_100.0));
        assert!(scaled.message.contains("6200 x 4100"), "{}", scaled.message);
        assert!(scaled.values["keptWidth"] * scaled.values["keptHeight"] <= 24e6);
    }
    let crop = classification.crop.unwrap();
    assert_eq!((crop.photo_width, crop.photo_height, classification.crop), (width, height, attribution.crop));
    assert!(crop.x + crop.width <= f64::from(width) && crop.width > f64::from(height) * 0.5);

    let small = Image::Rgba { width: 64, height: 48, data: vec![200; 64 * 48 * 4] };
    assert!(now(explainer.classify(&small, None, &Unwatched)).unwrap().warnings.is_empty());
}

#[test]
fn a_scaled_photo_gives_nearly_the_same_input() {
    let (width, height) = (6_000u32, 4_400);
    let level = |x: u32, y: u32| [(x / 24) as u8, (y / 18) as u8, ((x / 300 + y / 300) % 2 * 200) as u8];
    let rgb: Vec<u8> = (0..height).flat_map(|y| (0..width).flat_map(move |x| level(x, y))).collect();
    let rgba: Vec<u8> = rgb.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
    let whole = Photo { width, height, rgb, scaled_from: None };
    let scaled = Photo::from_rgba(width, height, &rgba).unwrap();
    assert!(scaled.scaled_from.is_some());
    let config =
        PreprocessConfig::from_pretrained_cfg(&json!({ "input_size": [3, 224, 224], "std": [1, 1, 1] })).unwrap();
    let [expected, got] = [&whole, &scaled].map(|photo| preprocess(photo, &config).unwrap());
    assert_eq!(got.crop, expected.crop);
    let largest = expected.data.iter().zip(&got.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest <= 4.0 / 255.0, "{}", largest * 255.0);
}
