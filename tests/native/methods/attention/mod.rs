//! Methods that read attention, and the head table: nets solved by hand, slow twins, class,
//! distillation and register tokens.

mod by_hand;
mod heads;
mod twins;

use std::ops::Range;

use burn::tensor::Tensor;
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};
use sightline::ask::control::Unwatched;
use sightline::explain::{Attribution, Image};
use sightline::inside::heads::Heads;
use sightline::nn::load::Package;
use sightline::nn::model::{AttentionSpec, Feature, Model, ModelSpec, Stage};
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::{Error, Explainer, Result};

use crate::common::nets::{bare, image, t};
use crate::common::*;

/// A golden's name, its special tokens, and whether its classifier reads the mean of the patches.
const VARIANTS: [(&str, &[&str], bool); 9] = [
    ("vit_token", &["class"], false),
    ("vit_reg", &["class", "register", "register"], false),
    ("dinov2_reg4", &["class", "register", "register", "register", "register"], false),
    ("deit_distilled", &["class", "distillation"], false),
    ("deit_24x40", &["class"], false),
    ("vit_avg_norm", &[], true),
    ("vit_avg_fc_norm", &["class"], true),
    ("vit_reg_no_embed_class", &["class", "register", "register"], true),
    ("vit_qk_norm", &["class"], false),
];

/// Every block's attention and the class' gradients there, each `[heads][T T]`, from one pass
/// through the whole net.
fn attention(package: &Package, input: &Image, target: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let spec = package.model.spec();
    let Image::Tensor { data, shape } = input else { panic!("a tensor") };
    let names: Vec<String> = (0..spec.attention.as_ref().unwrap().blocks).map(AttentionSpec::maps).collect();
    let mut pass = names.iter().fold(Pass::new(), |pass, name| pass.keep_gradient(name));
    let x = t(data, [1, shape[0], shape[1], shape[2]]).autodiff().require_grad();
    let gradients = forward(package.model.as_ref(), x, &mut pass).narrow(1, target, 1).sum().backward();
    let both = |name: &String| {
        let tapped = pass.tapped(name).unwrap();
        (numbers(tapped.value.clone()), numbers(tapped.gradient(&gradients).unwrap()))
    };
    names.iter().map(both).collect()
}

#[test]
fn what_the_model_does_not_have_is_refused_by_name() {
    let (mut explainer, input) = Golden::read("models/vit_reg").open();
    for (method, option, value) in [
        ("raw_attention", "block", 2),
        ("raw_attention", "head", 3),
        ("raw_attention", "query", 16),
        ("token_cut", "block", 2),
    ] {
        let mut request = json!({ "method": method });
        request[option] = json!(value - 1);
        attribute(&mut explainer, &input, request.clone()).unwrap();
        request[option] = json!(value);
        match attribute(&mut explainer, &input, request) {
            Err(Error::BadOption(message)) => assert!(message.starts_with(option), "{message}"),
            other => panic!("{method}, {option}: {other:?}"),
        }
    }
    for (key, value) in [("block", json!(0)), ("target", json!(99)), ("output", json!("probability"))] {
        let request = Map::from_iter([(key.to_owned(), value)]);
        match now(explainer.heads(&input, request, &Unwatched)) {
            Err(Error::BadOption(message)) => assert!(message.starts_with(key), "{message}"),
            other => panic!("{key}: {other:?}"),
        }
    }
    let (mut cnn, input) = Golden::read("packages/tiny-cnn").open();
    let Err(Error::Unsupported(message)) = now(cnn.heads(&input, Map::new(), &Unwatched)) else { panic!() };
    assert!(message.contains("only transformers"), "{message}");
}
