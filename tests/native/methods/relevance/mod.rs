//! LRP, DeepLIFT and salient relevance: nets solved by hand, conservation, completeness, and what
//! they have in common with gradients.

mod deep_lift;
mod lrp;
mod salient_relevance;

use serde_json::{Value, json};
use sightline::device;
use sightline::explain::Attribution;
use sightline::methods::find;
use sightline::nn::families::FAMILIES;
use sightline::nn::layers::{Conv2dSpec, LinearSpec, Pool};
use sightline::nn::net::{Op, PlaceOp};
use sightline::nn::pass::Pass;
use sightline::{Error, Explainer};
use sightline_kernels::Act;

use crate::common::nets::{image, staged, t};
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
    staged(input, classes, "", &[("all", ops)], |param| match named.iter().find(|(name, _)| *name == param.name) {
        Some((_, values)) => values.to_vec(),
        None => (0..param.shape.iter().product()).map(|_| rest()).collect(),
    })
}

fn unnamed() -> f32 {
    panic!("every weight of this net is named")
}

/// Seeded values in (-1, 1).
fn seeded() -> impl FnMut() -> f32 {
    let mut next = lcg(3);
    move || (next() >> 33) as f32 / (1u32 << 30) as f32 - 1.0
}

fn conv(name: &str, inputs: usize, outputs: usize, kernel: [usize; 2]) -> Conv2dSpec {
    Conv2dSpec::new(name, inputs, outputs, 1).kernel(kernel).padding(None)
}

fn dense(name: &str, inputs: usize, outputs: usize, bias: bool) -> Op {
    Op::Places(vec![PlaceOp::Linear(LinearSpec { name: name.into(), inputs, outputs, bias })])
}

fn given(data: &[f32], shape: [usize; 3]) -> Value {
    json!({ "data": data, "shape": shape })
}

#[track_caller]
fn close(map: &Attribution, expected: &[f32]) {
    assert_close(&map.values, expected, 1e-4);
}

fn sum(map: &Attribution) -> f64 {
    map.values.iter().map(|v| f64::from(*v)).sum()
}

#[test]
fn every_family_works_or_says_why_not() {
    for method in ["lrp", "deep_lift", "salient_relevance"] {
        let spec = find(method).unwrap().spec;
        for family in FAMILIES {
            for architecture in family.architectures() {
                let works = spec.works_on(plan(&config(&architecture, 3, 224)).unwrap().spec());
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
    let (mut explainer, input) = Golden::read("models/regnety_002").open();
    match attribute(&mut explainer, &input, json!({ "method": "deep_lift" })) {
        Err(Error::Unsupported(message)) => {
            assert!(message.contains("gates") && message.contains("integrated_gradients"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
