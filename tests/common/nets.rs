//! Nets small enough to solve by hand.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;
use sightline::Result;
use sightline::explain::Image;
use sightline::nn::layers::{Conv2d, Conv2dSpec, Linear};
use sightline::nn::load::Package;
use sightline::nn::model::{Feature, Fold, Layer, Model, ModelSpec, Stage};
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::photo::preprocess::PreprocessConfig;
use sightline_kernels::Act;

use super::explainer;

pub type Forward = fn(Tensor<4>, &mut Pass) -> Result<Tensor<2>>;

/// A net of one stage, written as a function.
pub struct Net {
    pub spec: ModelSpec,
    pub forward: Forward,
}

impl Model for Net {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }
    fn run(&self, _: Range<usize>, state: Activation, pass: &mut Pass) -> Result<Activation> {
        Ok((self.forward)(Tappable::unwrap(state)?, pass)?.wrap())
    }
}

pub fn net(
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

pub fn image(data: &[f32], shape: [usize; 3]) -> Image {
    Image::Tensor { data: data.to_vec(), shape: shape.to_vec() }
}

pub fn t<const D: usize>(data: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data.to_vec(), shape), &Device::flex())
}

pub fn one_conv(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let spec = Conv2dSpec::new("conv", 1, 2, 3).padding(None).bias(true);
    let conv = Conv2d::new(spec, t(&[1.0; 18], [2, 1, 3, 3]), Some(t(&[-50.0, -75.0], [2])));
    let a = pass.tap("conv", pass.conv2d(&conv, x))?;
    let a = pass.tap("relu", pass.act(Act::Relu, a))?;
    let [n, ..] = a.dims();
    let weight: Vec<f32> = [1.0; 5].into_iter().chain([-1.0; 3]).collect();
    let linear = Linear::new(t(&weight, [8, 1]), None);
    let y = pass.linear(&linear, a.reshape([n, 1, 8]));
    let y = pass.act(Act::Relu, y.reshape([n, 1, 1, 1])).reshape([n, 1]);
    // A second class, so that there is something to choose.
    Ok(Tensor::cat(vec![y.clone(), y * -1.0], 1))
}

pub fn two_features(x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    (x.clone().narrow(3, 0, 1), x.narrow(3, 1, 1))
}

pub fn logits(y: Tensor<4>) -> Result<Tensor<2>> {
    let [n, ..] = y.dims();
    let y = y.reshape([n, 1]);
    Ok(Tensor::cat(vec![y.clone(), y * -1.0], 1))
}

/// ReLU(ReLU(x1) - 1 - ReLU(x2))
pub fn f2_direct(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let (a, b) = two_features(x);
    let z = pass.act(Act::Relu, a) - 1.0 - pass.act(Act::Relu, b);
    logits(pass.act(Act::Relu, z))
}

/// The same function by another net: ReLU(ReLU(x1 - 1) - ReLU(x2)).
pub fn f2_equivalent(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let (a, b) = two_features(x);
    let z = pass.act(Act::Relu, a - 1.0) - pass.act(Act::Relu, b);
    logits(pass.act(Act::Relu, z))
}

pub fn linear_model(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let weight: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
    let y = x * t(&weight, [1, 3, 2, 2]);
    let [n, ..] = y.dims();
    logits(y.reshape([n, 1, 12, 1]).sum_dim(2) + 0.25)
}

pub fn dead(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x)?;
    let [n, ..] = a.dims();
    let z = pass.act(Act::Relu, a.reshape([n, 1, 4, 1]).sum_dim(2) - 100.0);
    logits(z)
}

pub fn constant(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x * 0.0 + 2.0)?;
    let [n, ..] = a.dims();
    logits(a.reshape([n, 1, 4, 1]).sum_dim(2))
}

pub fn overflow(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let a = pass.tap("a", x)?;
    let [n, ..] = a.dims();
    // The root's derivative at 0 is infinite.
    logits((a.reshape([n, 1, 4, 1]) - 1.0).sqrt().sum_dim(2))
}
