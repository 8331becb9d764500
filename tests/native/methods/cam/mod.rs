//! CAMs against hand-solved nets, slow twins written from the formulas, and the axioms that they
//! have.

mod axioms;
mod by_hand;
mod channels;
mod formulas;

use std::cell::{Cell, RefCell};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::ask::control::{Control, Unwatched};
use sightline::explain::{Attribution, Image};
use sightline::methods::{Group, METHODS, Reads};
use sightline::nn::layers::Conv2dSpec;
use sightline::nn::load::Package;
use sightline::nn::model::{Fold, ModelSpec};
use sightline::nn::net::{self, Op};
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::nn::weights::Param;
use sightline::nn::weights::Weights;
use sightline::package::Config;
use sightline::{Error, Explainer};
use sightline_kernels::Act;

use crate::common::*;

/// A net from its stages, with weights that are given by name.
fn build(
    input: [usize; 3],
    classes: usize,
    stages: &[(&str, Vec<Op>)],
    weight: impl Fn(&Param) -> Vec<f32>,
) -> Explainer {
    let config = json!({ "architecture": "", "num_classes": classes, "pretrained_cfg": { "input_size": [3, 8, 8] } });
    let mut config = Config::parse(&config.to_string()).unwrap();
    config.preprocess.input_size = input;
    let stages: Vec<(String, Vec<Op>)> = stages.iter().map(|(name, ops)| ((*name).into(), ops.clone())).collect();
    let plan = net::plan(&config, "a", stages).unwrap();
    let mut weights = Weights::default();
    for param in plan.params() {
        weights.insert(&param.name, &param.shape, weight(&param), &Device::flex());
    }
    let model = plan.build(&mut weights).unwrap();
    explainer(Package { model, preprocess: config.preprocess, labels: vec![], temperature: 1.0, parameters: 0 })
}

fn conv(name: &str, inputs: usize, outputs: usize, kernel: usize) -> Op {
    Op::Conv(Conv2dSpec::new(name, inputs, outputs, kernel).padding(None).bias(true))
}

/// Numbers without a pattern, between -0.5 and 0.5.
pub fn noise(seed: u64, length: usize) -> Vec<f32> {
    let mut seed = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1u32 << 24) as f32 - 0.5
    };
    (0..length).map(|_| next()).collect()
}

fn golden_model(name: &str) -> (Explainer, Image) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let gain = meta["gain"].as_f64().unwrap_or(1.0) as f32;
    let package = load(&config, &hashed_weights(&config, meta["seed"].as_u64().unwrap(), gain)).unwrap();
    (explainer(package), tensor(&read_tensors(&folder.join("golden.safetensors")), "input"))
}

fn cams() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|m| m.spec).filter(|m| m.group == Group::Cam && m.reads == Reads::Layers).map(|m| m.id)
}
