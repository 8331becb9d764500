//! Nets small enough to solve by hand: F1, F2, F5, F6 of the field's known answers, and what a pass can do.

mod common;

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use common::*;
use serde_json::json;
use sightline::Result;
use sightline::explainer::Image;
use sightline::layers::{Act, Conv2d, Conv2dSpec, Linear};
use sightline::models::{Feature, Fold, Layer, Model, ModelSpec, Stage};
use sightline::package::Package;
use sightline::pass::{Activation, Pass, Rules, Tappable};
use sightline::preprocess::PreprocessConfig;

type Forward = fn(Tensor<4>, &mut Pass) -> Result<Tensor<2>>;

/// A net of one stage, written as a function.
struct Net {
    spec: ModelSpec,
    forward: Forward,
}

impl Model for Net {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }
    fn run(&self, _: Range<usize>, state: Activation, pass: &mut Pass) -> Result<Activation> {
        Ok((self.forward)(Tappable::unwrap(state)?, pass)?.wrap())
    }
}

fn net(
    input_size: [usize; 3],
    num_classes: usize,
    layers: &[(&str, [usize; 3])],
    forward: Forward,
) -> sightline::Explainer {
    let layer = |(id, [channels, h, w]): &(&str, [usize; 3])| Layer {
        id: (*id).into(),
        stage: 0,
        fold: Fold::Map { channels: *channels, h: *h, w: *w },
    };
    let spec = ModelSpec {
        architecture: "net".into(),
        input_size,
        num_classes,
        stages: vec![Stage { name: "all".into(), macs: 1.0 }],
        layers: layers.iter().map(layer).collect(),
        default_layer: layers.last().map(|l| l.0.into()).unwrap_or_default(),
        features: [Feature::Rectifier].into(),
        attention: None,
    };
    let preprocess = PreprocessConfig::from_pretrained_cfg(&json!({})).unwrap();
    explainer(Package {
        model: Box::new(Net { spec, forward }),
        preprocess,
        labels: vec![],
        temperature: 1.0,
        parameters: 0,
    })
}

fn image(data: &[f32], shape: [usize; 3]) -> Image {
    Image::Tensor { data: data.to_vec(), shape: shape.to_vec() }
}

fn t<const D: usize>(data: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data.to_vec(), shape), &Device::flex())
}

fn one_conv(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let conv = Conv2d {
        spec: Conv2dSpec::new("conv", 1, 2, 3).padding(None).bias(true),
        weight: t(&[1.0; 18], [2, 1, 3, 3]),
        bias: Some(t(&[-50.0, -75.0], [2])),
    };
    let a = pass.tap("conv", pass.conv2d(&conv, x))?;
    let a = pass.tap("relu", pass.act(Act::Relu, a))?;
    let [n, ..] = a.dims();
    let weight: Vec<f32> = [1.0; 5].into_iter().chain([-1.0; 3]).collect();
    let linear = Linear { weight: t(&weight, [8, 1]), bias: None };
    let y = pass.linear(&linear, a.reshape([n, 1, 8]));
    let y = pass.act(Act::Relu, y.reshape([n, 1, 1, 1])).reshape([n, 1]);
    // A second class, so that there is something to choose.
    Ok(Tensor::cat(vec![y.clone(), y * -1.0], 1))
}

#[test]
fn f1_grad_cam_of_captums_one_conv_net() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let input = image(&pixels, [1, 4, 4]);
    let mut explainer = net([1, 4, 4], 2, &[("conv", [2, 2, 2]), ("relu", [2, 2, 2])], one_conv);
    for (layer, expected) in [("conv", [11.25, 13.5, 20.25, 22.5]), ("relu", [0.0, 4.0, 28.0, 32.5])] {
        let request = json!({ "method": "grad_cam", "target": 0, "layer": layer });
        let map = attribute(&mut explainer, &input, request).unwrap();
        assert_eq!(map.values, expected, "{layer}");
        assert_eq!((map.shape, map.score), (vec![2, 2], 54.0));
        assert!(map.warnings.is_empty());
    }
}

#[test]
fn f1_relu_rule_changes_the_gradient_and_not_the_score() {
    /// Passes every gradient through a ReLU unchanged.
    struct Straight;
    impl Rules for Straight {
        fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
            let y = sightline::pass::Plain.act(act, x.clone());
            x.clone() + (y - x).detach()
        }
    }
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let gradient = |pass: &mut Pass| {
        let x = t(&pixels, [1, 1, 4, 4]).autodiff().require_grad();
        let score = one_conv(x.clone(), pass).unwrap().narrow(1, 0, 1).sum();
        let value: f32 = score.clone().inner().into_data().try_into_vec::<f32>().unwrap()[0];
        let gradients = score.backward();
        (value, x.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap())
    };
    // conv: channel 0 is -5, 4, 31, 40; channel 1 is -30, -21, 6, 15. Alive with weights: (0, 1), (1, 0), (1, 1) of channel 0 with +1
    // and the lower row of channel 1 with -1: what remains is the upper right placement of the kernel.
    let (score, plain) = gradient(&mut Pass::new());
    assert_eq!(score, 54.0);
    assert_eq!(plain, [0., 1., 1., 1., 0., 1., 1., 1., 0., 1., 1., 1., 0., 0., 0., 0.]);
    let (score, straight) = gradient(&mut Pass::new().with_rules(&Straight));
    assert_eq!(score, 54.0);
    // Without any ReLU the gradient is the sum of the kernels' placements times the weights: channel 0 everywhere +1, channel 1 +1 at
    // the first cell and -1 at the three others.
    let mut expected = [0.0f32; 16];
    for (cell, weight) in [2.0, 0.0, 0.0, 0.0].into_iter().enumerate() {
        for k in 0..9 {
            expected[(cell / 2 + k / 3) * 4 + cell % 2 + k % 3] += weight;
        }
    }
    assert_eq!(straight, expected);
    assert_ne!(plain, straight);
}

#[test]
fn a_pass_replaces_what_it_is_told_to() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let mut pass = Pass::new().replace("relu", |a| {
        let a = Tensor::<4>::unwrap(a)?;
        let dead = a.clone().narrow(1, 1, 1) * 0.0;
        Ok(Tensor::cat(vec![a.narrow(1, 0, 1), dead], 1).wrap())
    });
    let y = one_conv(t(&pixels, [1, 1, 4, 4]), &mut pass).unwrap();
    // Channel 0 alone: 0 + 4 + 31 + 40.
    assert_eq!(y.into_data().try_into_vec::<f32>().unwrap(), [75.0, -75.0]);

    let mut pass = Pass::new().replace("relu", |a| Ok(Tensor::<4>::unwrap(a)?.narrow(1, 0, 1).wrap()));
    assert!(one_conv(t(&pixels, [1, 1, 4, 4]), &mut pass).is_err(), "a replacement of another shape");
}

fn two_features(x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    (x.clone().narrow(3, 0, 1), x.narrow(3, 1, 1))
}

fn logits(y: Tensor<4>) -> Result<Tensor<2>> {
    let [n, ..] = y.dims();
    let y = y.reshape([n, 1]);
    Ok(Tensor::cat(vec![y.clone(), y * -1.0], 1))
}

/// ReLU(ReLU(x1) - 1 - ReLU(x2))
fn f2_direct(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let (a, b) = two_features(x);
    let z = pass.act(Act::Relu, a) - 1.0 - pass.act(Act::Relu, b);
    logits(pass.act(Act::Relu, z))
}

/// The same function by another net: ReLU(ReLU(x1 - 1) - ReLU(x2)).
fn f2_equivalent(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let (a, b) = two_features(x);
    let z = pass.act(Act::Relu, a - 1.0) - pass.act(Act::Relu, b);
    logits(pass.act(Act::Relu, z))
}

#[test]
fn f2_integrated_gradients_of_the_papers_two_nets() {
    for forward in [f2_direct as Forward, f2_equivalent] {
        let mut explainer = net([1, 1, 2], 2, &[], forward);
        let input = image(&[3.0, 1.0], [1, 1, 2]);
        for steps in [50, 100] {
            let request = json!({ "method": "integrated_gradients", "target": 0, "nSteps": steps, "chunkSize": 7 });
            let ig = attribute(&mut explainer, &input, request).unwrap();
            assert_eq!((ig.score, ig.shape.clone()), (1.0, vec![1, 1, 2]));
            // The path crosses the kink at a = 1/2, where an even rule has no node.
            assert!((ig.values[0] - 1.5).abs() < 1e-5 && (ig.values[1] + 0.5).abs() < 1e-5, "{steps}: {:?}", ig.values);
            let completeness = ig.completeness.unwrap();
            assert!(completeness.delta.abs() < 1e-5 && completeness.baseline_score == 0.0);
        }
    }
}

fn linear_model(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let weight: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
    let y = x * t(&weight, [1, 3, 2, 2]);
    let [n, ..] = y.dims();
    logits(y.reshape([n, 1, 12, 1]).sum_dim(2) + 0.25)
}

#[test]
fn f5_every_quadrature_is_exact_on_a_linear_model_at_every_n() {
    let mut explainer = net([3, 2, 2], 2, &[], linear_model);
    let pixels: Vec<f32> = (0..12).map(|i| (i as f32 * 1.3).cos()).collect();
    let input = image(&pixels, [3, 2, 2]);
    for quadrature in ["gauss_legendre", "midpoint", "trapezoid"] {
        for baseline in ["mean", "black", "white", "blur"] {
            for steps in [1, 2, 3, 10, 33] {
                let request = json!({
                    "method": "integrated_gradients", "target": 0, "nSteps": steps, "quadrature": quadrature, "baseline": baseline
                });
                let ig = attribute(&mut explainer, &input, request).unwrap();
                let c = ig.completeness.unwrap();
                assert!(c.delta.abs() < 1e-5, "{quadrature} {baseline} {steps}: {c:?}");
                if baseline == "mean" {
                    for (i, (value, pixel)) in ig.values.iter().zip(&pixels).enumerate() {
                        assert!((value - pixel * (i as f32 * 0.7).sin()).abs() < 1e-5);
                    }
                }
            }
        }
    }
}

fn dead(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x)?;
    let [n, ..] = a.dims();
    let z = pass.act(Act::Relu, a.reshape([n, 1, 4, 1]).sum_dim(2) - 100.0);
    logits(z)
}

fn constant(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x * 0.0 + 2.0)?;
    let [n, ..] = a.dims();
    logits(a.reshape([n, 1, 4, 1]).sum_dim(2))
}

fn overflow(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x)?;
    let [n, ..] = a.dims();
    // The root's derivative at 0 is infinite.
    logits((a.reshape([n, 1, 4, 1]) - 1.0).sqrt().sum_dim(2))
}

#[test]
fn f6_meaningless_maps_say_so_and_are_never_nan() {
    let input = image(&[1.0; 4], [1, 2, 2]);
    for (forward, code) in [(dead as Forward, "zero-map"), (constant, "constant-map"), (overflow, "non-finite")] {
        let mut explainer = net([1, 2, 2], 2, &[("a", [1, 2, 2])], forward);
        let map = attribute(&mut explainer, &input, json!({ "method": "grad_cam", "target": 0 })).unwrap();
        assert!(map.values.iter().all(|v| v.is_finite()), "{code}: {:?}", map.values);
        let codes: Vec<&str> = map.warnings.iter().map(|w| w.code).collect();
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    let mut explainer = net([1, 2, 2], 2, &[], dead);
    let map = attribute(&mut explainer, &input, json!({ "method": "integrated_gradients", "target": 0, "nSteps": 4 }))
        .unwrap();
    assert_eq!(map.values, [0.0; 4]);
    assert_eq!(map.warnings[0].code, "zero-map");
}
