//! Gradients at the input and their means, guided backpropagation, and what integrated gradients add to them: nets solved by hand, axioms, and
//! slow twins.

use std::cell::{Cell, RefCell};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::explainer::{Attribution, Control, Image};
use sightline::layers::{self, Act};
use sightline::pass::{Pass, Rules, Tappable};
use sightline::{Explainer, Result};

use crate::common::nets::*;
use crate::common::*;

const NOISY: [&str; 3] = ["smooth_grad", "smooth_grad_sq", "var_grad"];

/// A golden model and its input.
fn golden_model(name: &str) -> (Explainer, Tensors) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let gain = meta["gain"].as_f64().unwrap_or(1.0) as f32;
    let package = load(&config, &hashed_weights(&config, meta["seed"].as_u64().unwrap(), gain)).unwrap();
    (explainer(package), read_tensors(&folder.join("golden.safetensors")))
}

fn run(explainer: &mut Explainer, image: &Image, request: Value) -> Attribution {
    attribute(explainer, image, request).unwrap()
}

/// `[1, C, H, W]`
fn device_tensor(data: &[f32], [c, h, w]: [usize; 3]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(data.to_vec(), [1, c, h, w]), &Device::flex())
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

/// Seeded standard normal numbers, by Box and Muller.
fn normal(count: usize) -> Vec<f32> {
    let mut seed = 3u64;
    let mut uniform = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 33) as f64 + 0.5) / f64::from(1u32 << 31)
    };
    let mut draw = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..count).map(|_| draw() as f32).collect()
}

/// The class' logit as a function of an input, by a pass.
fn logit(explainer: &Explainer, x: Tensor<4>, target: usize, pass: &mut Pass) -> Tensor<1> {
    let model = &explainer.package().model;
    let stages = model.spec().stages.len();
    let logits = Tensor::<2>::unwrap(model.run(0..stages, x.wrap(), pass).unwrap()).unwrap();
    logits.narrow(1, target, 1).sum()
}

/// d logit / dx
fn gradient(explainer: &Explainer, x: &[f32], target: usize) -> Vec<f32> {
    let x = device_tensor(x, explainer.package().model.spec().input_size).autodiff().require_grad();
    let gradients = logit(explainer, x.clone(), target, &mut Pass::new()).backward();
    host(x.grad(&gradients).unwrap())
}

#[test]
fn saliency_and_the_product_are_made_of_timms_gradient() {
    for name in ["resnet_basic", "vit_reg", "mbv2_035"] {
        let (mut explainer, tensors) = golden_model(name);
        let meta = read_json(&golden(&format!("models/{name}/golden.json")));
        let target = &meta["target"];
        let image = tensor(&tensors, "input");
        let (x, g) = (&tensors["input"].1, &tensors["input_gradient"].1);
        let saliency = run(&mut explainer, &image, json!({ "method": "saliency", "target": target }));
        let expected: Vec<f32> = g.iter().map(|g| g.abs()).collect();
        assert!(relative(&saliency.values, &expected) < 1e-4, "{name}");
        let product = run(&mut explainer, &image, json!({ "method": "input_x_gradient", "target": target }));
        let expected: Vec<f32> = g.iter().zip(x).map(|(g, x)| g * x).collect();
        assert!(relative(&product.values, &expected) < 1e-4, "{name}");
    }
}

#[test]
fn a_linear_models_gradient_is_its_weights() {
    let mut explainer = net([3, 2, 2], 2, &[], linear_model);
    let pixels: Vec<f32> = (0..12).map(|i| (i as f32 * 1.3).cos()).collect();
    let input = image(&pixels, [3, 2, 2]);
    let weight: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
    let mut map = |method: &str| run(&mut explainer, &input, json!({ "method": method, "target": 0 })).values;
    assert!(relative(&map("smooth_grad"), &weight) < 1e-6);
    let squares: Vec<f32> = weight.iter().map(|w| w * w).collect();
    assert!(relative(&map("smooth_grad_sq"), &squares) < 1e-6);
    assert!(map("var_grad").iter().all(|v| *v < 1e-12), "a linear model's gradient does not vary");
    let magnitudes: Vec<f32> = weight.iter().map(|w| w.abs()).collect();
    assert!(relative(&map("saliency"), &magnitudes) < 1e-6);
    let product: Vec<f32> = weight.iter().zip(&pixels).map(|(w, x)| w * x).collect();
    assert!(relative(&map("input_x_gradient"), &product) < 1e-6);
}

/// sum w x^2 / 2, w = 1, 2, .., 12
fn quadratic(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let weight: Vec<f32> = (1..=12).map(|i| i as f32 / 2.0).collect();
    let [n, ..] = x.dims();
    logits((x.square() * t(&weight, [1, 3, 2, 2])).reshape([n, 1, 12, 1]).sum_dim(2))
}

/// The gradient is w x: over copies x + sigma z its mean is w (x + sigma mean z), its variance w^2 sigma^2 var z.
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
        let request = json!({ "method": method, "target": 0, "nSamples": 1000, "noiseLevel": level, "seed": seed, "chunkSize": 64 });
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
        let (mut explainer, tensors) = golden_model(name);
        let x = tensors["input"].1.clone();
        let image = tensor(&tensors, "input");
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
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    let g = gradient(&explainer, &tensors["input"].1, 6);
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
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
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
fn signed_gradients_are_linear_in_the_score() {
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    for method in ["input_x_gradient", "smooth_grad", "integrated_gradients"] {
        let mut map = |target: Value| {
            let mut request = json!({ "method": method, "target": target });
            if method != "input_x_gradient" {
                request[if method == "smooth_grad" { "nSamples" } else { "nSteps" }] = json!(4);
            }
            run(&mut explainer, &image, request).values
        };
        let difference: Vec<f32> = map(json!(1)).iter().zip(map(json!(5))).map(|(a, b)| a - b).collect();
        assert!(relative(&map(json!({ "contrast": [1, 5] })), &difference) < 1e-4, "{method}");
    }
}

#[test]
fn equivalent_nets_have_equal_gradients() {
    let input = image(&[3.0, 1.0], [1, 1, 2]);
    for (method, expected) in
        [("saliency", [1.0, 1.0]), ("input_x_gradient", [3.0, -1.0]), ("smooth_grad", [1.0, -1.0])]
    {
        for forward in [f2_direct as Forward, f2_equivalent] {
            let mut explainer = net([1, 1, 2], 2, &[], forward);
            let mut request = json!({ "method": method, "target": 0 });
            if method == "smooth_grad" {
                request["noiseLevel"] = json!(0.01);
            }
            let map = run(&mut explainer, &input, request);
            assert!(relative(&map.values, &expected) < 1e-6, "{method}: {:?}", map.values);
        }
    }
}

/// A caller that looks at every estimate and stops after so many parts.
struct Impatient {
    after: usize,
    done: Cell<usize>,
    estimates: RefCell<Vec<Vec<f32>>>,
}

impl Control for Impatient {
    fn progress(&self, done: usize, _: usize) {
        self.done.set(done);
    }
    fn stopped(&self) -> bool {
        self.done.get() >= self.after
    }
    fn wants_estimate(&self) -> bool {
        true
    }
    fn estimate(&self, values: &[f32], shape: &[usize]) {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        self.estimates.borrow_mut().push(values.to_vec());
    }
}

#[test]
fn stopping_keeps_the_estimate_so_far() {
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    for method in NOISY {
        let control = Impatient { after: 4, done: Cell::new(0), estimates: RefCell::default() };
        let request = |samples: usize| json!({ "method": method, "nSamples": samples, "chunkSize": 2 });
        let Value::Object(whole) = request(10) else { unreachable!() };
        let stopped = now(explainer.attribute(&image, whole, &control)).unwrap();
        assert_eq!(stopped.warnings[0].code, "partial");
        assert!(stopped.warnings[0].message.contains("4 of 10"));
        let fewer = run(&mut explainer, &image, request(4));
        assert!(relative(&stopped.values, &fewer.values) < 1e-6, "{method}");
        let estimates = control.estimates.borrow();
        assert_eq!(estimates.len(), 2);
        assert_eq!(estimates[1], stopped.values);
        assert_eq!(estimates[0], run(&mut explainer, &image, request(2)).values, "{method}");
        assert!(fewer.warnings.is_empty());
    }
}

#[test]
fn f1_guided_backpropagation_and_deconvolution_of_captums_one_conv_net() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let input = image(&pixels, [1, 4, 4]);
    let mut explainer = net([1, 4, 4], 2, &[("conv", [2, 2, 2]), ("relu", [2, 2, 2])], one_conv);
    let guided = [0., 1., 1., 1., 1., 3., 3., 2., 1., 3., 3., 2., 1., 2., 2., 1.];
    let deconvolution = [2., 3., 3., 1., 3., 5., 5., 2., 3., 5., 5., 2., 1., 2., 2., 1.];
    for (rule, expected) in [("guided", guided), ("deconvolution", deconvolution)] {
        let request = json!({ "method": "guided_backprop", "target": 0, "rule": rule });
        let map = run(&mut explainer, &input, request);
        assert_eq!(map.values, expected, "{rule}");
        assert_eq!((map.shape, map.score), (vec![1, 4, 4], 54.0));
    }
    let map = run(&mut explainer, &input, json!({ "method": "guided_backprop", "target": 0 }));
    assert_eq!(map.values, guided);
    // Grad-CAM at the ReLU is 0, 4 / 28, 32.5.
    for (interpolation, factors) in [
        ("nearest", [0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 4.0, 4.0, 28.0, 28.0, 32.5, 32.5, 28.0, 28.0, 32.5, 32.5]),
        (
            "bilinear",
            [
                0.0, 1.0, 3.0, 4.0, 7.0, 8.03125, 10.09375, 11.125, 21.0, 22.09375, 24.28125, 25.375, 28.0, 29.125,
                31.375, 32.5,
            ],
        ),
    ] {
        let request =
            json!({ "method": "guided_grad_cam", "target": 0, "layer": "relu", "interpolation": interpolation });
        let map = run(&mut explainer, &input, request);
        let expected: Vec<f32> = guided.iter().zip(factors).map(|(g, f)| g * f).collect();
        assert!(relative(&map.values, &expected) < 1e-6, "{interpolation}: {:?}", map.values);
        assert_eq!(map.layer.as_deref(), Some("relu"));
    }
}

/// x1 through ReLU6 at an input inside, below and above its range, and with a negative weight behind it.
fn relu6_units(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let y = pass.act(Act::Relu6, x) * t(&[2.0, 2.0, 2.0, -2.0], [1, 1, 2, 2]);
    let [n, ..] = y.dims();
    logits(y.reshape([n, 1, 4, 1]).sum_dim(2))
}

#[test]
fn relu6_passes_positive_gradients_of_units_within_its_range() {
    let mut explainer = net([1, 2, 2], 2, &[], relu6_units);
    for (pixels, guided) in
        [([3.0, -1.0, 7.0, 3.0], [2.0, 0.0, 0.0, 0.0]), ([5.9, 0.0, 6.0, 7.0], [2.0, 0.0, 0.0, 0.0])]
    {
        let input = image(&pixels, [1, 2, 2]);
        for (rule, expected) in [("guided", guided), ("deconvolution", [2.0, 2.0, 2.0, 0.0])] {
            let request = json!({ "method": "guided_backprop", "target": 0, "rule": rule });
            assert_eq!(run(&mut explainer, &input, request).values, expected, "{rule} at {pixels:?}");
        }
    }
}

/// Cuts the net behind every ReLU: each segment begins at leaves.
#[derive(Default)]
struct Cuts {
    inputs: RefCell<Vec<Tensor<4>>>,
    leaves: RefCell<Vec<Tensor<4>>>,
}

impl Rules for Cuts {
    fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        let y = layers::forward(act, x.clone());
        if !matches!(act, Act::Relu | Act::Relu6) {
            return y;
        }
        let leaf = y.inner().autodiff().require_grad();
        self.inputs.borrow_mut().push(x);
        self.leaves.borrow_mut().push(leaf.clone());
        leaf
    }
}

/// Guided backpropagation one segment at a time: the gradient that has gathered behind a ReLU is edited by hand and handed to the segment before.
fn guided_twin(explainer: &Explainer, x: &[f32], target: usize, deconvolution: bool, top: f32) -> Vec<f32> {
    let shape = explainer.package().model.spec().input_size;
    let mut at_input = vec![0.0; x.len()];
    let mut behind: Vec<Vec<f32>> = Vec::new();
    let mut segment = None;
    loop {
        // Every segment is run anew: a graph serves one backward pass.
        let cuts = Cuts::default();
        let x = device_tensor(x, shape).autodiff().require_grad();
        let score = logit(explainer, x.clone(), target, &mut Pass::new().with_rules(&cuts));
        let (inputs, leaves) = (cuts.inputs.into_inner(), cuts.leaves.into_inner());
        let score = match segment {
            None => {
                behind = leaves.iter().map(|leaf| vec![0.0; leaf.shape().num_elements()]).collect();
                score
            }
            Some(at) => {
                let input: &Tensor<4> = &inputs[at];
                let before = host(input.clone().inner());
                let edited = before.iter().zip(&behind[at]).map(|(&a, &g)| {
                    let open = deconvolution || (a > 0.0 && a < top);
                    if open && g > 0.0 { g } else { 0.0 }
                });
                let edited = TensorData::new(edited.collect::<Vec<f32>>(), input.dims());
                (input.clone() * Tensor::<4>::from_data(edited, &Device::flex()).autodiff()).sum()
            }
        };
        let gradients = score.backward();
        let add = |to: &mut Vec<f32>, leaf: &Tensor<4>| {
            if let Some(gradient) = leaf.grad(&gradients) {
                to.iter_mut().zip(host(gradient)).for_each(|(sum, g)| *sum += g);
            }
        };
        add(&mut at_input, &x);
        behind.iter_mut().zip(&leaves).for_each(|(to, leaf)| add(to, leaf));
        match segment.unwrap_or(leaves.len()) {
            0 => return at_input,
            at => segment = Some(at - 1),
        }
    }
}

#[test]
fn guided_backpropagation_equals_a_twin_that_edits_gradients_between_segments() {
    for (name, top) in [
        ("resnet_basic", f32::INFINITY),
        ("resnet_bottleneck", f32::INFINITY),
        ("regnety_002", f32::INFINITY),
        ("mbv2_035", 6.0),
    ] {
        let (mut explainer, tensors) = golden_model(name);
        let image = tensor(&tensors, "input");
        let x = &tensors["input"].1;
        let plain = gradient(&explainer, x, 2);
        for rule in ["guided", "deconvolution"] {
            let map = run(&mut explainer, &image, json!({ "method": "guided_backprop", "target": 2, "rule": rule }));
            let twin = guided_twin(&explainer, x, 2, rule == "deconvolution", top);
            let difference = relative(&map.values, &twin);
            println!("{name} {rule}: {difference:.1e}; cosine with the gradient {:.3}", cosine(&twin, &plain));
            assert!(difference < 1e-4, "{name} {rule}: {difference:.1e}");
            assert!(cosine(&twin, &plain) < 0.95, "{name} {rule}: the rule changes nothing");
        }
    }
}

#[test]
fn guided_grad_cam_is_the_product_of_its_parts() {
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    let [c, h, w] = explainer.package().model.spec().input_size;
    let guided = run(&mut explainer, &image, json!({ "method": "guided_backprop", "target": 1 })).values;
    for layer in ["layer2", "layer4"] {
        let cam = run(&mut explainer, &image, json!({ "method": "grad_cam", "target": 1, "layer": layer }));
        let (rows, columns) = (cam.shape[0], cam.shape[1]);
        let request = json!({ "method": "guided_grad_cam", "target": 1, "layer": layer, "interpolation": "nearest" });
        let product = run(&mut explainer, &image, request).values;
        for i in 0..c * h * w {
            let (y, x) = (i % (h * w) / w, i % w);
            let factor = cam.values[y * rows / h * columns + x * columns / w].max(0.0);
            assert_eq!(product[i], guided[i] * factor, "{layer}: {i}");
        }
    }
}

/// ReLU(sum x - 100): dead.
fn dead_unit(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x)?;
    let [n, ..] = a.dims();
    let y = pass.act(Act::Relu, a.reshape([n, 1, 4, 1]).sum_dim(2) - 100.0);
    logits(pass.tap("b", y)?)
}

/// 7 min(max(sum x, 0), 6) / 6 at a sum above 6: saturated.
fn saturated_unit(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x)?;
    let [n, ..] = a.dims();
    logits(pass.act(Act::Relu6, a.reshape([n, 1, 4, 1]).sum_dim(2) * 5.0) * 2.0)
}

/// A score that falls with every unit.
fn against(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", pass.act(Act::Relu, x))?;
    let [n, ..] = a.dims();
    logits(a.reshape([n, 1, 4, 1]).sum_dim(2) * -1.0)
}

#[test]
fn f6_maps_of_zeros_say_why() {
    let input = image(&[1.0, 2.0, 3.0, 4.0], [1, 2, 2]);
    let gradients = ["saliency", "input_x_gradient", "smooth_grad", "smooth_grad_sq", "var_grad"];
    let guided = ["guided_backprop", "guided_grad_cam"];
    for (forward, cause, methods) in [
        (dead_unit as Forward, "saturated", [&gradients[..], &guided[..]].concat()),
        (saturated_unit, "saturated", [&gradients[..], &guided[..]].concat()),
        (against, "cancelled", guided.to_vec()),
    ] {
        for method in methods {
            let mut explainer = net([1, 2, 2], 2, &[("a", [1, 2, 2])], forward);
            let map = run(&mut explainer, &input, json!({ "method": method, "target": 0 }));
            assert_eq!(map.values, [0.0; 4], "{method}");
            assert_eq!((map.warnings[0].code, map.warnings[0].cause), ("zero-map", Some(cause)), "{method}");
        }
    }
    let mut explainer = net([1, 2, 2], 2, &[("b", [1, 1, 1])], dead_unit);
    let map = run(&mut explainer, &input, json!({ "method": "guided_grad_cam", "target": 0 }));
    assert_eq!((map.values, map.warnings[0].cause), (vec![0.0; 4], Some("dead-relu")));
}

#[test]
fn several_baselines_are_the_mean_of_single_runs() {
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    let shape = explainer.package().model.spec().input_size;
    let given = json!({ "data": normal(shape.iter().product()), "shape": shape });
    let mut ig = |baseline: Value| {
        let request = json!({ "method": "integrated_gradients", "target": 6, "nSteps": 6, "baseline": baseline });
        run(&mut explainer, &image, request)
    };
    let single = [json!("black"), json!("blur"), json!("noise"), given].map(|b| (ig(b.clone()), b));
    let together = ig(json!(single.iter().map(|s| &s.1).collect::<Vec<_>>()));
    let mean = |of: &dyn Fn(&Attribution) -> f64| single.iter().map(|s| of(&s.0)).sum::<f64>() / 4.0;
    let expected: Vec<f32> = (0..together.values.len()).map(|i| mean(&|m| f64::from(m.values[i])) as f32).collect();
    assert!(relative(&together.values, &expected) < 1e-5);
    let completeness = together.completeness.unwrap();
    assert!((completeness.baseline_score - mean(&|m| m.completeness.unwrap().baseline_score)).abs() < 1e-6);
    assert!((completeness.delta - mean(&|m| m.completeness.unwrap().delta)).abs() < 1e-5);
    assert_eq!(together.details, Some(json!({ "steps": [6, 6, 6, 6] })));
    assert_eq!(together.passes.backward, 24.0);
}

/// sum x^4
fn quartic(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let [n, ..] = x.dims();
    logits(x.square().square().reshape([n, 1, 4, 1]).sum_dim(2))
}

#[test]
fn steps_double_until_the_residual_is_within_the_tolerance() {
    let mut explainer = net([1, 2, 2], 2, &[], quartic);
    let input = image(&[1.0, -0.5, 2.0, 0.1], [1, 2, 2]);
    let mut ig = |steps: usize, tolerance: f64, most: usize| {
        let request = json!({
            "method": "integrated_gradients", "target": 0, "nSteps": steps, "quadrature": "midpoint", "tolerance": tolerance, "maxSteps": most
        });
        run(&mut explainer, &input, request)
    };
    // The midpoint rule's error of 4 a^3 on [0, 1] is 1 / (2 n^2) of the integral: below 0.005 from n = 10 on, so from 3 the fourth try is it.
    let adaptive = ig(3, 0.005, 1000);
    assert_eq!(adaptive.details, Some(json!({ "steps": [12] })));
    assert!(adaptive.warnings.is_empty());
    assert_eq!(adaptive.values, ig(12, 0.0, 1000).values);
    assert_eq!(adaptive.passes.backward, 21.0);
    let completeness = adaptive.completeness.unwrap();
    let difference = completeness.score - completeness.baseline_score;
    assert!((completeness.delta / difference + 1.0 / 288.0).abs() < 1e-5, "{completeness:?}");
    // The last try has exactly `maxSteps`, and says that it is not enough.
    let short = ig(3, 0.005, 8);
    assert_eq!(short.details, Some(json!({ "steps": [8] })));
    assert_eq!(short.values, ig(8, 0.0, 1000).values);
    assert_eq!(short.warnings[0].code, "incomplete");
    assert_eq!(ig(50, 0.005, 8).details, Some(json!({ "steps": [8] })));
    // No tolerance: as many as were asked for, whatever the residual.
    assert_eq!(ig(3, 0.0, 2).details, Some(json!({ "steps": [3] })));

    // On a net, every baseline by itself.
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    let mut ig = |baseline: Value| {
        let request = json!({
            "method": "integrated_gradients", "target": 6, "nSteps": 2, "baseline": baseline, "tolerance": 0.02
        });
        run(&mut explainer, &image, request)
    };
    let steps = ["black", "white"].map(|b| {
        let single = ig(json!(b));
        let completeness = single.completeness.unwrap();
        let allowed = 0.02 * (completeness.score - completeness.baseline_score).abs();
        assert!(completeness.delta.abs() <= allowed + 1e-7, "{b}: {completeness:?}");
        single.details.unwrap()["steps"][0].clone()
    });
    assert_eq!(ig(json!(["black", "white"])).details, Some(json!({ "steps": steps })));
}
