//! The built-in models: right about the page's samples, a fine grid, calibrated, small, and as
//! accurate on `../shared` as their cards say.

use std::io::Read;
use std::path::{Path, PathBuf};

use sightline::ask::control::Unwatched;
use sightline::explain::Image;
use sightline::nn::model::Fold;
use sightline::package::Config;

use crate::common::*;

fn www(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("www").join(path)
}

/// The folders of the models that are trained on photos.
fn builtins() -> Vec<PathBuf> {
    let list = read_json(&www("models/models.json"));
    let paths = list["models"].as_array().unwrap().iter().filter_map(|m| m["path"].as_str());
    paths.filter(|path| path.starts_with("sightline-")).map(|path| www("models").join(path)).collect()
}

#[test]
fn they_are_small_and_look_finely() {
    let mut bytes = 0;
    for folder in builtins() {
        bytes += std::fs::metadata(folder.join("model.safetensors")).unwrap().len();
        let package = open(&folder);
        let spec = package.model.spec();
        let fold = spec.layer(&spec.default_layer).unwrap().fold;
        let (Fold::Map { h, w, .. } | Fold::Tokens { h, w, .. }) = fold;
        assert!(h >= 8 && w >= 8, "{}: {fold:?}", spec.architecture);
        assert_eq!((spec.input_size, package.labels.len()), ([3, 64, 64], 64));
        assert!(folder.join("README.md").exists());
    }
    assert!(bytes > 0 && bytes <= 8_000_000, "{bytes} bytes");
}

#[test]
fn they_are_right_about_the_samples() {
    for (place, folder) in builtins().into_iter().enumerate() {
        let temperature =
            Config::parse(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap().temperature;
        let mut explainer = explainer(open(&folder));
        let samples = read_json(&www("samples/samples.json"));
        for (i, sample) in samples.as_array().unwrap().iter().enumerate() {
            let image = Image::Encoded(std::fs::read(www("samples").join(sample["file"].as_str().unwrap())).unwrap());
            let seen = now(explainer.classify(&image, Some(5), &Unwatched)).unwrap();
            if let Some(label) = sample["label"].as_str() {
                // The first one is what the page shows of each; of the model that it opens on, the
                // others are among its guesses.
                let shown = if i == 0 { &seen.predictions[..1] } else { &seen.predictions[..] };
                assert!(
                    (place > 0 && i > 0) || shown.iter().any(|p| p.label == label),
                    "{folder:?}, {label}: {:?}",
                    seen.predictions
                );
            }
            // Probabilities are those at the package's temperature.
            let exp = |l: f32| (f64::from(l - seen.predictions[0].logit) / temperature).exp();
            let expected = 1.0 / seen.logits.iter().map(|&l| exp(l)).sum::<f64>();
            assert!((f64::from(seen.predictions[0].probability) - expected).abs() < 1e-6);
        }
    }
}

/// The files of an uncompressed tar archive.
fn untar(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        (name, data)
    });
    entries.filter(|(name, _)| name.ends_with(".JPEG")).collect()
}

#[test]
fn they_are_as_accurate_as_their_cards_say() {
    let (Some(tar), Some(classes)) = (shared("training/photos64/val.tar"), shared("training/photos64/classes.json"))
    else {
        return;
    };
    let mut photos = untar(&std::fs::read(tar).unwrap());
    photos.sort();
    let classes = read_json(&classes);
    let index = |wnid: &str| classes.as_array().unwrap().iter().position(|c| c["wnid"] == *wnid).unwrap();
    for folder in builtins() {
        let figures = read_json(&folder.join("figures.json"));
        let mut explainer = explainer(open(&folder));
        // Every fifth photo, ten of each class.
        let (mut one, mut five, mut n) = (0, 0, 0);
        for (name, data) in photos.iter().step_by(5) {
            let truth = index(name.split('/').next().unwrap());
            let seen = now(explainer.classify(&Image::Encoded(data.clone()), Some(5), &Unwatched)).unwrap();
            one += usize::from(seen.predictions[0].index == truth);
            five += usize::from(seen.predictions.iter().any(|p| p.index == truth));
            n += 1;
        }
        let share = |right: usize| right as f64 / f64::from(n);
        println!("{folder:?}: top-1 {:.3}, top-5 {:.3} on {n} photos", share(one), share(five));
        // Three standard deviations of a sample of 640.
        for (right, figure) in [(one, &figures["top1"]), (five, &figures["top5"])] {
            let figure = figure.as_f64().unwrap();
            assert!(
                (share(right) - figure).abs() < 3.0 * (figure * (1.0 - figure) / f64::from(n)).sqrt(),
                "{folder:?}"
            );
        }
    }
}
