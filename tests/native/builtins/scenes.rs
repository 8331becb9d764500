//! The page's first models on held-out scenes with exact masks: they see what is there, and
//! Grad-CAM looks where it is.

use serde_json::json;
use sightline::ask::control::Unwatched;
use sightline::explain::Image;
use sightline::photo::Photo;

use crate::common::*;

/// Value of a map `[h, w]` at a point of the unit square, bilinear between cell centres.
fn sample(values: &[f32], [h, w]: [usize; 2], y: f64, x: f64) -> f64 {
    let axis = |at: f64, n: usize| {
        let at = (at * n as f64 - 0.5).clamp(0.0, (n - 1) as f64);
        let left = at.floor() as usize;
        (left, (left + 1).min(n - 1), at - left as f64)
    };
    let ((top, bottom, v), (left, right, u)) = (axis(y, h), axis(x, w));
    let at = |row: usize, column: usize| f64::from(values[row * w + column].max(0.0));
    (at(top, left) * (1.0 - u) + at(top, right) * u) * (1.0 - v)
        + (at(bottom, left) * (1.0 - u) + at(bottom, right) * u) * v
}

#[test]
fn the_first_models_see_the_shapes_and_look_at_them() {
    let list = read_json(&golden("scenes/scenes.json"));
    let scenes = list.as_array().unwrap();
    assert!(scenes.len() >= 16);
    for name in ["scene-cnn", "scene-vit"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("www/models").join(name);
        let mut explainer = explainer(open(&folder));
        let (mut right, mut mass, mut share) = (0, 0.0, 0.0);
        for scene in scenes {
            let read = |key: &str| std::fs::read(golden(&format!("scenes/{}", scene[key].as_str().unwrap()))).unwrap();
            let image = Image::Encoded(read("file"));
            let seen = now(explainer.classify(&image, None, &Unwatched)).unwrap();
            right += usize::from(seen.predictions[0].label == scene["label"].as_str().unwrap());
            let cam =
                attribute(&mut explainer, &image, json!({ "method": "grad_cam", "target": scene["class"] })).unwrap();
            let shape: [usize; 2] = cam.shape.clone().try_into().unwrap();
            assert!(shape.iter().all(|&side| side >= 8), "{name}: the default grid is {shape:?}");
            let mask = Photo::decode(&read("mask")).unwrap();
            let (mut inside, mut total, mut area) = (0.0, 0.0, 0.0);
            for (i, pixel) in mask.rgb.chunks(3).enumerate() {
                let (y, x) = (i as u32 / mask.width, i as u32 % mask.width);
                let at = |p: u32, n: u32| (f64::from(p) + 0.5) / f64::from(n);
                let value = sample(&cam.values, shape, at(y, mask.height), at(x, mask.width));
                let covered = f64::from(pixel[0]) / 255.0;
                inside += value * covered;
                total += value;
                area += covered;
            }
            mass += inside / total;
            share += area / f64::from(mask.width * mask.height);
        }
        let n = scenes.len() as f64;
        println!(
            "{name}: {right} of {} right, Grad-CAM mass inside the mask {:.3}, mask's share {:.3}",
            scenes.len(),
            mass / n,
            share / n
        );
        assert!(right as f64 >= 0.9 * n, "{name}: {right} of {n} right");
        assert!(mass > 2.0 * share, "{name}: mass {mass}, share {share}");
    }
}
