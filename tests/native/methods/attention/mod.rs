//! Methods that read attention, and the head table: nets solved by hand, slow twins, class,
//! distillation and register tokens.

mod by_hand;
mod heads;
mod twins;

use std::cell::Cell;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};
use sightline::ask::control::{Control, Unwatched};
use sightline::explain::{Attribution, Image};
use sightline::inside::heads::Heads;
use sightline::nn::load::Package;
use sightline::nn::model::{AttentionSpec, Feature, Model, ModelSpec, Stage};
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::photo::preprocess::PreprocessConfig;
use sightline::{Error, Explainer, Result};

use crate::common::*;

fn t<const D: usize>(data: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data.to_vec(), shape), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn image(data: &[f32], shape: [usize; 3]) -> Image {
    Image::Tensor { data: data.to_vec(), shape: shape.to_vec() }
}

fn close(got: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(1f32, |m, v| m.max(v.abs()));
    assert_eq!(got.len(), expected.len());
    assert!(got.iter().zip(expected).all(|(g, e)| (g - e).abs() < 2e-6 * largest), "{got:?}, expected {expected:?}");
}

fn variant(name: &str) -> (String, Vec<u8>, Image, usize) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let weights = hashed_weights(&config, meta["seed"].as_u64().unwrap(), meta["gain"].as_f64().unwrap_or(1.0) as f32);
    let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
    (config, weights, input, meta["target"].as_u64().unwrap() as usize)
}

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
    let Image::Tensor { data, shape } = input else { panic!() };
    let names: Vec<String> = (0..spec.attention.as_ref().unwrap().blocks).map(AttentionSpec::maps).collect();
    let mut pass = names.iter().fold(Pass::new(), |pass, name| pass.keep_gradient(name));
    let x = t(data, [1, shape[0], shape[1], shape[2]]).autodiff().require_grad();
    let logits = package.model.run(0..spec.stages.len(), x.wrap(), &mut pass).unwrap();
    let gradients = Tensor::<2>::unwrap(logits).unwrap().narrow(1, target, 1).sum().backward();
    let both = |name: &String| {
        let tapped = pass.tapped(name).unwrap();
        let gradient = Tensor::<4>::unwrap(tapped.gradient(&gradients).unwrap()).unwrap();
        (values(Tensor::<4>::unwrap(tapped.value.clone()).unwrap()), values(gradient))
    };
    names.iter().map(both).collect()
}

#[test]
fn what_the_model_does_not_have_is_refused_by_name() {
    let (config, weights, input, _) = variant("vit_reg");
    let mut explainer = explainer(load(&config, &weights).unwrap());
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
    let folder = golden("packages/tiny-cnn");
    let mut cnn = crate::common::explainer(open(&folder));
    let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
    let Err(Error::Unsupported(message)) = now(cnn.heads(&input, Map::new(), &Unwatched)) else { panic!() };
    assert!(message.contains("only transformers"), "{message}");
}
