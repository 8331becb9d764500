//! Autodiff against finite differences on small nets of both families, and the axioms that need no reference.

mod common;

use common::*;
use serde_json::json;
use sightline::explainer::{Image, Unwatched};

/// The goldens' input gradient is what autodiff gives to 1e-4 (`tests/models.rs`).
#[test]
fn input_gradients_equal_finite_differences() {
    for name in ["vit_token", "vit_reg", "vit_pre_norm_scale", "mbv2_035_same"] {
        let folder = golden(&format!("models/{name}"));
        let meta = read_json(&folder.join("golden.json"));
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let package = load(&config, &hashed_weights(&config, meta["seed"].as_u64().unwrap())).unwrap();
        let expected = read_tensors(&folder.join("golden.safetensors"));
        let (shape, data) = expected["input"].clone();
        let target = meta["target"].as_u64().unwrap() as usize;
        let mut explainer = explainer(package);
        let mut score = |data: Vec<f32>| {
            let image = Image::Tensor { data, shape: shape[1..].to_vec() };
            f64::from(now(explainer.classify(&image, Some(1), &Unwatched)).unwrap().logits[target])
        };
        // Along the gradient itself the derivative is its norm; along a seeded direction, the dot product.
        let gradient = &expected["input_gradient"].1;
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let mut seed = 1u64;
        let random: Vec<f64> = (0..data.len())
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) as f64 / f64::from(1u32 << 31) - 0.5
            })
            .collect();
        let along: Vec<f64> = gradient.iter().map(|g| f64::from(*g) / norm).collect();
        for (direction, tolerance) in [(&along, 0.02), (&random, 0.05)] {
            let expected: f64 = direction.iter().zip(gradient).map(|(d, g)| d * f64::from(*g)).sum();
            let step = 3e-4; // small: a random ReLU6 net has kinks everywhere
            let moved =
                |sign: f64| data.iter().zip(direction).map(|(x, d)| x + (sign * step * d) as f32).collect::<Vec<_>>();
            let difference = (score(moved(1.0)) - score(moved(-1.0))) / (2.0 * step);
            assert!(
                (difference - expected).abs() < tolerance * expected.abs().max(0.1 * norm),
                "{name}: finite difference {difference}, autodiff {expected}"
            );
        }
    }
}

#[test]
fn the_same_request_gives_the_same_numbers_whatever_the_chunks() {
    for name in ["tiny-vit", "tiny-cnn"] {
        let folder = golden(&format!("packages/{name}"));
        let mut explainer = explainer(open(&folder));
        let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
        let mut ig = |chunk: usize| {
            let request = json!({ "method": "integrated_gradients", "nSteps": 12, "chunkSize": chunk, "baseline": "blur", "blurSigma": 3 });
            attribute(&mut explainer, &input, request).unwrap().values
        };
        let reference = ig(1);
        assert_eq!(reference, ig(1));
        for chunk in [2, 5, 12, 64] {
            let difference = relative(&ig(chunk), &reference);
            assert!(difference < 1e-5, "{name}, chunks of {chunk}: {difference:.1e}");
        }
    }
}
