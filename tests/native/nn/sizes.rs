//! Sizes that follow from a config's numbers: none comes out as 0, in any family, and what a model
//! takes is known before it is read.

use burn::tensor::Device;
use serde_json::{Value, json};
use sightline::Error;
use sightline::explain::Image;
use sightline::nn::families::FAMILIES;
use sightline::nn::load::Loader;
use sightline::nn::model::Plan;
use sightline::nn::weights::Weights;

use crate::common::nets::bare;
use crate::common::*;

/// Every number that a family takes from `model_args`, with values about the ends of its range.
fn extremes() -> Vec<(&'static str, Vec<Value>)> {
    let numbers = |values: &[f64]| values.iter().map(|v| json!(v)).collect::<Vec<_>>();
    let whole = |values: &[u32]| values.iter().map(|v| json!(v)).collect::<Vec<_>>();
    let lists = |lengths: &[usize], values: &[u32]| -> Vec<Value> {
        lengths.iter().flat_map(|n| values.iter().map(|v| json!(vec![*v; *n]))).collect()
    };
    vec![
        ("embed_dim", whole(&[1, 2, 3, 5, 4096])),
        ("mlp_ratio", numbers(&[1e-4, 2e-4, 0.1, 0.2, 0.3, 4.0, 16.0])),
        ("num_heads", whole(&[1, 3, 64])),
        ("depth", whole(&[1, 4, 64])),
        ("patch_size", whole(&[1, 7, 32, 64])),
        ("reg_tokens", whole(&[0, 64])),
        ("img_size", vec![json!(1), json!([1, 64]), json!(1024)]),
        ("growth_rate", whole(&[1, 2, 3, 4, 256])),
        ("block_config", lists(&[1, 2, 6], &[1, 2])),
        ("bn_size", whole(&[1, 16])),
        ("num_init_features", whole(&[1, 2, 3, 1024])),
        ("output_stride", whole(&[2, 8, 16, 32])),
        ("w0", whole(&[8, 16, 4096])),
        ("wa", numbers(&[0.0, 0.1, 1024.0])),
        ("wm", numbers(&[1.01, 2.0, 16.0])),
        ("group_size", whole(&[1, 7, 4096])),
        ("group_min_ratio", numbers(&[0.0, 0.5, 1.0])),
        ("se_ratio", numbers(&[0.0, 1e-9, 0.01, 0.02, 4.0])),
        ("stem_width", whole(&[1, 2, 4, 5, 1024])),
        ("layers", lists(&[4], &[1, 2])),
        ("channels", lists(&[4], &[1, 2, 4096])),
        ("cardinality", whole(&[1, 3, 1024])),
        ("base_width", whole(&[1, 2, 63, 64, 1024])),
        ("depths", lists(&[4], &[1, 2])),
        ("dims", lists(&[4], &[1, 2, 3, 4096])),
        ("kernel_sizes", lists(&[4], &[1, 31])),
        ("head_hidden_size", whole(&[0, 1, 8192])),
        (
            "stem_type",
            ["deep", "deep_tiered", "deep_tiered_narrow", "overlap", "overlap_tiered"].map(|v| json!(v)).to_vec(),
        ),
    ]
}

/// Runs a planned model that is small enough, with weights without a pattern: nothing divides by 0.
fn run(plan: &dyn Plan, name: &str) -> bool {
    let size: usize = plan.params().iter().map(|param| param.shape.iter().product::<usize>()).sum();
    let macs: f64 = plan.spec().stages.iter().map(|stage| stage.macs).sum();
    if size > 200_000 || macs > 1e7 {
        return false;
    }
    let mut weights = Weights::default();
    for param in plan.params() {
        let count = param.shape.iter().product();
        let variance = param.name.ends_with("running_var");
        let values = noise(1, count).into_iter().map(|v| if variance { 1.0 } else { 0.2 * v }).collect();
        weights.insert(&param.name, &param.shape, values, &Device::flex());
    }
    let shape = plan.spec().input_size;
    let mut explainer = bare(plan.build(&mut weights).unwrap_or_else(|error| panic!("{name}: {error}")));
    let image = Image::Tensor { data: noise(2, shape.iter().product()), shape: shape.to_vec() };
    for method in ["grad_cam", "saliency"] {
        let request = json!({ "method": method, "target": 0 });
        match attribute(&mut explainer, &image, request) {
            Ok(_) | Err(Error::BadModel(_) | Error::BadOption(_)) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
    true
}

#[test]
fn no_family_plans_a_size_of_nothing() {
    let extremes = extremes();
    let (mut planned, mut refused, mut ran) = (0, 0, 0);
    let mut next = lcg(23);
    let mut draw = |n: usize| (next() >> 33) as usize % n;
    for family in FAMILIES {
        let architectures = family.architectures();
        for round in 0..400 {
            let mut asked = config(&architectures[draw(architectures.len())], 2 + round % 2, [16, 32, 64][draw(3)]);
            let mut args = json!({});
            // Few at a time, so that most are taken.
            for _ in 0..1 + draw(4) {
                let (name, values) = &extremes[draw(extremes.len())];
                args[*name] = values[draw(values.len())].clone();
            }
            // Arguments of other families are refused by name; without them the rest is tried.
            let plan = loop {
                asked["model_args"] = args.clone();
                match plan(&asked) {
                    Err(Error::UnsupportedArchitecture(message)) if message.contains("model_args.") => {
                        let name = message.split("model_args.").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
                        assert!(args.as_object_mut().unwrap().remove(name).is_some(), "{message}");
                    }
                    other => break other,
                }
            };
            match plan {
                Ok(plan) => {
                    planned += 1;
                    for param in plan.params() {
                        assert!(!param.shape.contains(&0), "{asked}: {} {:?}", param.name, param.shape);
                    }
                    for layer in &plan.spec().layers {
                        assert!(layer.fold.grid_shape().iter().all(|n| *n > 0), "{asked}: {}", layer.id);
                    }
                    ran += usize::from(run(plan.as_ref(), &asked.to_string()));
                }
                Err(Error::BadModel(_) | Error::OutOfMemory(_)) => refused += 1,
                Err(error) => panic!("{asked}: {error}"),
            }
        }
    }
    println!("{planned} planned, {ran} of them run, {refused} refused");
    assert!(planned > 1000 && refused > 300 && ran > 50, "{planned} {refused} {ran}");
}

#[test]
fn a_transformer_without_hidden_units_is_refused() {
    // `config` of the fault list's divide-by-zero.config.json.txt.
    let mut asked = config("vit_tiny_patch16_224", 3, 224);
    asked["model_args"] = json!({ "embed_dim": 3, "mlp_ratio": 0.1, "qkv_bias": false });
    match plan(&asked) {
        Err(Error::BadModel(message)) => assert!(message.contains("mlp_ratio"), "{message}"),
        other => panic!("{:?}", other.map(|plan| plan.spec().clone())),
    }
}

#[test]
fn what_the_kernels_keep_counts_as_well() {
    // 459 million parameters are allowed, but linear layers are kept twice.
    let mut asked = config("vit_large_patch16_224", 1000, 224);
    assert!(Loader::new(&asked.to_string(), None, &Device::flex()).is_ok());
    asked["model_args"] = json!({ "depth": 36 });
    match Loader::new(&asked.to_string(), None, &Device::flex()) {
        Err(Error::OutOfMemory(message)) => assert!(message.contains("second copy"), "{message}"),
        other => panic!("{:?}", other.map(drop)),
    }
    // Every published size still opens.
    for family in FAMILIES {
        for architecture in family.architectures() {
            let asked = config(&architecture, 1000, usual_side(&architecture));
            if let Err(error) = Loader::new(&asked.to_string(), None, &Device::flex()) {
                panic!("{architecture}: {error}");
            }
        }
    }
}
