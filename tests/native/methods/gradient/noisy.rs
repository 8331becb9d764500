//! Gradients of noisy copies of the input, and what they have in common.

use super::*;

/// sum w x^2 / 2, w = 1, 2, .., 12
fn quadratic(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let weight: Vec<f32> = (1..=12).map(|i| i as f32 / 2.0).collect();
    let [n, ..] = x.dims();
    logits((x.square() * t(&weight, [1, 3, 2, 2])).reshape([n, 1, 12, 1]).sum_dim(2))
}

/// The gradient is w x: over copies x + sigma z its mean is w (x + sigma mean z), its variance w^2
/// sigma^2 var z.
#[test]
fn noisy_gradients_of_a_quadratic_net_are_the_noises_moments() {
    let mut explainer = net([3, 2, 2], 2, &[], quadratic);
    let pixels: Vec<f32> = (0..12).map(|i| i as f32 / 4.0 - 1.0).collect();
    let input = image(&pixels, [3, 2, 2]);
    let (samples, level) = (9, 0.2);
    let noise = normal(samples * 12);
    let sigma = level * 2.75; // the pixels go from -1 to 1.75
    let moments = |i: usize| {
        let weight = (i + 1) as f64;
        let values: Vec<f64> =
            (0..samples).map(|s| weight * (f64::from(pixels[i]) + sigma * f64::from(noise[s * 12 + i]))).collect();
        let mean = values.iter().sum::<f64>() / samples as f64;
        let square = values.iter().map(|v| v * v).sum::<f64>() / samples as f64;
        [mean, square, square - mean * mean].map(|v| v as f32)
    };
    for chunk in [1, 2, 4, 9] {
        for (which, method) in NOISY.into_iter().enumerate() {
            let request = json!({
                "method": method, "target": 0, "nSamples": samples, "noiseLevel": level, "chunkSize": chunk,
                "noise": { "data": noise, "shape": [samples, 3, 2, 2] }
            });
            let expected: Vec<f32> = (0..12).map(|i| moments(i)[which]).collect();
            let map = run(&mut explainer, &input, request);
            assert!(relative(&map.values, &expected) < 1e-5, "{method}, chunks of {chunk}");
            assert_eq!(map.passes.backward, samples as f64);
        }
    }
    // Drawn noise is standard normal too: over many samples the moments are the distribution's.
    let mut drawn = |method: &str, seed: u64| {
        let request = json!({
            "method": method, "target": 0, "nSamples": 1000, "noiseLevel": level, "seed": seed, "chunkSize": 64
        });
        run(&mut explainer, &input, request).values
    };
    let ratio = |values: Vec<f32>| {
        let relative = |(i, v): (usize, f32)| f64::from(v) / ((i + 1) as f64 * sigma).powi(2);
        values.into_iter().enumerate().map(relative).sum::<f64>() / 12.0
    };
    let variance = ratio(drawn("var_grad", 0));
    assert!((variance - 1.0).abs() < 0.04, "{variance}"); // its standard deviation is 0.013
    let off = drawn("smooth_grad", 5);
    let mean: f64 =
        (0..12).map(|i| f64::from(off[i]) / ((i + 1) as f64) - f64::from(pixels[i])).sum::<f64>() / 12.0 / sigma;
    assert!(mean.abs() < 0.03, "{mean}"); // its standard deviation is 0.009
    assert_ne!(drawn("smooth_grad", 5), drawn("smooth_grad", 6));
    assert_eq!(drawn("smooth_grad", 5), off);
}

#[test]
fn noisy_gradients_equal_single_gradients_gathered_one_by_one() {
    for name in ["resnet_basic", "vit_reg"] {
        let golden = Golden::read(format!("models/{name}"));
        let (mut explainer, image) = golden.open();
        let x = golden.tensors["input"].1.clone();
        let spec = explainer.package().model.spec().clone();
        let [c, h, w] = spec.input_size;
        let (samples, level, target) = (5, 0.1f32, 2);
        let noise = normal(samples * x.len());
        let range = x.iter().fold(f32::MIN, |m, v| m.max(*v)) - x.iter().fold(f32::MAX, |m, v| m.min(*v));
        let copy = |z: &[f32]| x.iter().zip(z).map(|(x, z)| x + level * range * z).collect::<Vec<_>>();
        let single: Vec<Vec<f32>> = noise.chunks(x.len()).map(|z| gradient(&explainer, &copy(z), target)).collect();
        let gather = |i: usize| {
            let values = || single.iter().map(|g| f64::from(g[i]));
            let mean = values().sum::<f64>() / samples as f64;
            let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / samples as f64;
            [mean, variance + mean * mean, variance].map(|v| v as f32)
        };
        for (which, method) in NOISY.into_iter().enumerate() {
            let expected: Vec<f32> = (0..x.len()).map(|i| gather(i)[which]).collect();
            let request = json!({
                "method": method, "target": target, "nSamples": samples, "noiseLevel": level, "chunkSize": 3,
                "noise": { "data": noise, "shape": [samples, c, h, w] }
            });
            let got = run(&mut explainer, &image, request).values;
            assert!(relative(&got, &expected) < 1e-3, "{name} {method}: {:.1e}", relative(&got, &expected));
            assert!(cosine(&got, &expected) > 0.999_999, "{name} {method}");
        }
        let noise = json!({ "data": noise, "shape": [samples * c, 1, h, w] });
        let error =
            attribute(&mut explainer, &image, json!({ "method": "smooth_grad", "nSamples": samples, "noise": noise }));
        assert!(error.unwrap_err().to_string().contains("noise: its shape must be [5, 3"));
    }
}

#[test]
fn without_noise_every_sample_is_the_gradient() {
    let golden = Golden::read("models/resnet_basic");
    let (mut explainer, image) = golden.open();
    let g = gradient(&explainer, &golden.tensors["input"].1, 6);
    let mut map = |method: &str| {
        let request = json!({ "method": method, "target": 6, "nSamples": 5, "noiseLevel": 0, "chunkSize": 2 });
        run(&mut explainer, &image, request).values
    };
    assert!(relative(&map("smooth_grad"), &g) < 1e-5);
    let squares: Vec<f32> = g.iter().map(|g| g * g).collect();
    assert!(relative(&map("smooth_grad_sq"), &squares) < 1e-5);
    let largest = squares.iter().fold(0f32, |m, v| m.max(*v));
    assert!(map("var_grad").iter().all(|v| *v < 1e-9 * largest));
}

#[test]
fn the_same_seed_gives_the_same_map_whatever_the_chunks() {
    let (mut explainer, image) = Golden::read("models/resnet_basic").open();
    for method in NOISY {
        let mut map = |chunk: usize, seed: u64| {
            let request = json!({ "method": method, "nSamples": 7, "chunkSize": chunk, "seed": seed });
            run(&mut explainer, &image, request).values
        };
        let reference = map(1, 11);
        assert_eq!(reference, map(1, 11));
        assert!(relative(&map(1, 12), &reference) > 0.01);
        for chunk in [2, 3, 7, 64] {
            let difference = relative(&map(chunk, 11), &reference);
            assert!(difference < 1e-4, "{method}, chunks of {chunk}: {difference:.1e}");
        }
    }
}

#[test]
fn stopping_keeps_the_estimate_so_far() {
    let (mut explainer, image) = Golden::read("models/resnet_basic").open();
    for method in NOISY {
        let watcher = Watcher::stop_after(2);
        let request = |samples: usize| json!({ "method": method, "nSamples": samples, "chunkSize": 2 });
        let stopped = watched(&mut explainer, &image, request(10), &watcher).unwrap();
        assert_eq!(stopped.warnings[0].code, "partial");
        assert!(stopped.warnings[0].message.contains("4 of 10"));
        assert_eq!(stopped.warnings[0].key, "warning.partial");
        assert_eq!(stopped.warnings[0].values, [("done", 4.0), ("total", 10.0)].into());
        let fewer = run(&mut explainer, &image, request(4));
        assert!(relative(&stopped.values, &fewer.values) < 1e-6, "{method}");
        let estimates = watcher.estimates.borrow();
        assert_eq!(estimates.len(), 2);
        assert_eq!(estimates[1].values, stopped.values);
        assert_eq!(estimates[0].values, run(&mut explainer, &image, request(2)).values, "{method}");
        assert!(fewer.warnings.is_empty());
    }
}
