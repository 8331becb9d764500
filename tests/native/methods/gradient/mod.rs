//! Gradients at the input, their means, and guided backpropagation: nets solved by hand, axioms,
//! and slow twins.

mod guided;
mod noisy;
mod plain;

use std::cell::{Cell, RefCell};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::ask::control::Control;
use sightline::device;
use sightline::explain::{Attribution, Image};
use sightline::nn::pass::{Pass, Rules, Tappable};
use sightline::{Explainer, Result};
use sightline_kernels::Act;

use crate::common::nets::*;
use crate::common::*;

const NOISY: [&str; 3] = ["smooth_grad", "smooth_grad_sq", "var_grad"];

/// A golden model and its input.
pub fn golden_model(name: &str) -> (Explainer, Tensors) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let gain = meta["gain"].as_f64().unwrap_or(1.0) as f32;
    let package = load(&config, &hashed_weights(&config, meta["seed"].as_u64().unwrap(), gain)).unwrap();
    (explainer(package), read_tensors(&folder.join("golden.safetensors")))
}

pub fn run(explainer: &mut Explainer, image: &Image, request: Value) -> Attribution {
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
pub fn normal(count: usize) -> Vec<f32> {
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
