//! What tests and benches share: models with known answers, nets small enough to solve by hand, a
//! caller that watches, measures of agreement.
#![allow(dead_code, unused_imports)] // each program uses a part

pub mod alloc;
mod compare;
mod files;
mod golden;
pub mod nets;
mod now;
mod random;
mod watcher;
mod weights;

use burn::tensor::{Device, Tensor};
use serde_json::{Value, json};
use sightline::ask::control::{Control, Unwatched};
use sightline::explain::{Attribution, Image};
use sightline::nn::families;
use sightline::nn::load::Package;
use sightline::nn::model::{Model, Plan};
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::package::Config;
use sightline::{Explainer, Result};

pub use compare::*;
pub use files::*;
pub use golden::*;
pub use now::now;
pub use random::*;
pub use watcher::*;
pub use weights::*;

/// A breath that lets nothing in, for work that is not part of a call.
pub async fn idle() -> Result<()> {
    Ok(())
}

pub fn explainer(package: Package) -> Explainer {
    Explainer::new(package, &Device::flex())
}

/// `attribute` with a request written as JSON.
pub fn attribute(explainer: &mut Explainer, image: &Image, request: Value) -> Result<Attribution> {
    watched(explainer, image, request, &Unwatched)
}

/// `attribute` as a caller sees it.
pub fn watched(explainer: &mut Explainer, image: &Image, request: Value, control: &dyn Control) -> Result<Attribution> {
    let Value::Object(request) = request else { panic!("a request is an object") };
    now(explainer.attribute(image, request, control))
}

/// A tensor's numbers.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

/// An activation's numbers.
pub fn numbers(activation: Activation) -> Vec<f32> {
    match activation {
        Activation::Map(tensor) => values(tensor),
        Activation::Tokens(tensor) => values(tensor),
        Activation::Logits(tensor) => values(tensor),
    }
}

/// A model's logits of inputs `[N, C, H, W]`, by this pass.
pub fn forward(model: &dyn Model, x: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
    Tensor::unwrap(model.run(0..model.spec().stages.len(), x.wrap(), pass).unwrap()).unwrap()
}

/// The side of the images that an architecture's published weights take.
pub fn usual_side(architecture: &str) -> usize {
    // A smaller number is a width, as in mobilenetv2_100.
    let named = architecture.rsplit('_').find_map(|part| part.parse().ok().filter(|side| (160..=512).contains(side)));
    match named {
        Some(side) => side,
        None if architecture.starts_with("inception") => 299,
        None if architecture.contains("dinov2") => 518,
        None => 224,
    }
}

/// A config.json that says no more than it has to.
pub fn config(architecture: &str, classes: usize, side: usize) -> Value {
    json!({
        "architecture": architecture, "num_classes": classes, "pretrained_cfg": { "input_size": [3, side, side] }
    })
}

pub fn plan(config: &Value) -> Result<Box<dyn Plan>> {
    families::plan(&Config::parse(&config.to_string())?)
}

/// Names and shapes of a plan's tensors.
pub fn params(plan: &dyn Plan) -> Vec<(String, Vec<usize>)> {
    plan.params().into_iter().map(|param| (param.name, param.shape)).collect()
}
