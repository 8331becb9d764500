//! LRP, DeepLIFT and salient relevance: nets solved by hand, conservation, completeness, and what
//! they have in common with gradients.

mod deep_lift;
mod lrp;
mod salient_relevance;

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::device;
use sightline::explain::{Attribution, Image};
use sightline::methods::find;
use sightline::nn::families::FAMILIES;
use sightline::nn::layers::{Conv2dSpec, LinearSpec, Pool};
use sightline::nn::load::Package;
use sightline::nn::model::Plan;
use sightline::nn::net::{NetPlan, Op, PlaceOp};
use sightline::nn::pass::{Pass, Tappable};
use sightline::nn::weights::Weights;
use sightline::package::Config;
use sightline::photo::preprocess::PreprocessConfig;
use sightline::{Error, Explainer};
use sightline_kernels::Act;

use crate::common::*;

/// A net of these operations on inputs `[C, H, W]`, with weights by name; those that are not named
/// come from `rest`.
fn net(
    ops: Vec<Op>,
    input: [usize; 3],
    classes: usize,
    named: &[(&str, &[f32])],
    mut rest: impl FnMut() -> f32,
) -> Explainer {
    let config =
        json!({ "architecture": "net", "num_classes": classes, "pretrained_cfg": { "input_size": [3, 1, 1] } });
    let mut config = Config::parse(&config.to_string()).unwrap();
    config.preprocess.input_size = input;
    let plan = NetPlan::new(&config, "", vec![("all".into(), ops)]).unwrap();
    let named: BTreeMap<&str, &[f32]> = named.iter().copied().collect();
    let mut weights = Weights::default();
    for param in plan.params() {
        let length: usize = param.shape.iter().product();
        let values = match named.get(param.name.as_str()) {
            Some(values) => values.to_vec(),
            None => (0..length).map(|_| rest()).collect(),
        };
        assert_eq!(values.len(), length, "{}", param.name);
        weights.insert(&param.name, &param.shape, values, &Device::flex());
    }
    explainer(Package {
        model: plan.build(&mut weights).unwrap(),
        preprocess: PreprocessConfig::from_pretrained_cfg(&json!({})).unwrap(),
        labels: vec![],
        temperature: 1.0,
        parameters: 0,
    })
}

fn unnamed() -> f32 {
    panic!("every weight of this net is named")
}

/// Seeded values in (-1, 1).
fn seeded() -> impl FnMut() -> f32 {
    let mut state = 3u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f32 / (1u32 << 30) as f32 - 1.0
    }
}

fn conv(name: &str, inputs: usize, outputs: usize, kernel: [usize; 2]) -> Conv2dSpec {
    Conv2dSpec::new(name, inputs, outputs, 1).kernel(kernel).padding(None)
}

fn dense(name: &str, inputs: usize, outputs: usize, bias: bool) -> Op {
    Op::Places(vec![PlaceOp::Linear(LinearSpec { name: name.into(), inputs, outputs, bias })])
}

fn image(data: &[f32], shape: [usize; 3]) -> Image {
    Image::Tensor { data: data.to_vec(), shape: shape.to_vec() }
}

fn given(data: &[f32], shape: [usize; 3]) -> Value {
    json!({ "data": data, "shape": shape })
}

fn close(map: &Attribution, expected: &[f32]) {
    let close = |tolerance: f32| map.values.iter().zip(expected).all(|(a, b)| (a - b).abs() < tolerance);
    assert!(
        map.values.len() == expected.len() && close(1e-4),
        "{} gave {:?}, not {expected:?}",
        map.method,
        map.values
    );
}

fn sum(map: &Attribution) -> f64 {
    map.values.iter().map(|v| f64::from(*v)).sum()
}

fn open_golden(name: &str) -> (Explainer, Image) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let weights = hashed_weights(&config, meta["seed"].as_u64().unwrap(), meta["gain"].as_f64().unwrap_or(1.0) as f32);
    let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
    (explainer(load(&config, &weights).unwrap()), input)
}

#[test]
fn every_family_works_or_says_why_not() {
    let golden_of = |architecture: &str| {
        let plan = |args: Value| {
            let mut config = json!({
                "architecture": architecture, "num_classes": 3, "pretrained_cfg": { "input_size": [3, 224, 224] }
            });
            config["model_args"] = args;
            sightline::nn::families::plan(&Config::parse(&config.to_string()).unwrap())
        };
        plan(json!({})).unwrap()
    };
    for method in ["lrp", "deep_lift", "salient_relevance"] {
        let spec = find(method).unwrap().spec;
        for family in FAMILIES {
            for architecture in family.architectures() {
                let works = spec.works_on(golden_of(&architecture).spec());
                let expected = match family.id {
                    "convnext" | "regnety" | "vit" | "deit" | "dinov2" => false,
                    "efficientnet" => architecture.contains("lite"),
                    "mobilenet_v3" => architecture.contains("minimal"),
                    "resnet" => !architecture.starts_with("se"),
                    _ => true,
                };
                assert_eq!(works, expected, "{method} on {architecture}");
            }
        }
    }
    let (mut explainer, input) = open_golden("regnety_002");
    match attribute(&mut explainer, &input, json!({ "method": "deep_lift" })) {
        Err(Error::Unsupported(message)) => {
            assert!(message.contains("gates") && message.contains("integrated_gradients"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
