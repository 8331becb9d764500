//! Gradients at the input, their means, and guided backpropagation: nets solved by hand, axioms,
//! and slow twins.

mod guided;
mod noisy;
mod plain;

use std::cell::RefCell;

use burn::tensor::Tensor;
use serde_json::{Value, json};
use sightline::device;
use sightline::explain::{Attribution, Image};
use sightline::nn::pass::{Pass, Rules};
use sightline::{Explainer, Result};
use sightline_kernels::Act;

use crate::common::nets::*;
use crate::common::*;

const NOISY: [&str; 3] = ["smooth_grad", "smooth_grad_sq", "var_grad"];

fn run(explainer: &mut Explainer, image: &Image, request: Value) -> Attribution {
    attribute(explainer, image, request).unwrap()
}

/// The class' logit as a function of an input, by a pass.
fn logit(explainer: &Explainer, x: Tensor<4>, target: usize, pass: &mut Pass) -> Tensor<1> {
    forward(explainer.package().model.as_ref(), x, pass).narrow(1, target, 1).sum()
}

/// d logit / dx
fn gradient(explainer: &Explainer, x: &[f32], target: usize) -> Vec<f32> {
    let [c, h, w] = explainer.package().model.spec().input_size;
    let x = t(x, [1, c, h, w]).autodiff().require_grad();
    let gradients = logit(explainer, x.clone(), target, &mut Pass::new()).backward();
    values(x.grad(&gradients).unwrap())
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
