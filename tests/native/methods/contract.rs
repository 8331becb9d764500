//! What holds for every method on every family, by the registries alone.

use std::path::PathBuf;

use serde_json::{Value, json};
use sightline::ask::control::{Passes, Unwatched};
use sightline::explain::Image;
use sightline::methods::{Group, Kind, METHODS, MethodSpec, Need, Reads, Space};
use sightline::nn::families;
use sightline::nn::families::{FAMILIES, Family};
use sightline::nn::model::ModelSpec;
use sightline::package::Config;
use sightline::{Error, Explainer};

use crate::common::*;

/// The cheapest net of a family among the goldens, with its input.
fn cheapest(family: &Family) -> (Explainer, Image) {
    let mut best: Option<(f64, PathBuf)> = None;
    for entry in std::fs::read_dir(golden("models")).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(config) = std::fs::read_to_string(folder.join("config.json")) else { continue };
        let config = Config::parse(&config).unwrap();
        if family.architectures().contains(&config.architecture) {
            let macs = families::plan(&config).unwrap().spec().stages.iter().map(|s| s.macs).sum();
            if best.as_ref().is_none_or(|(least, _)| macs < *least) {
                best = Some((macs, folder));
            }
        }
    }
    Golden::read(best.unwrap_or_else(|| panic!("{} has no golden", family.id)).1).open()
}

/// A request that runs fast: two samples or steps, three where a fit needs more, and windows of
/// half the image.
fn quick(spec: &MethodSpec, model: &ModelSpec) -> Value {
    let mut request = json!({ "method": spec.id });
    let [_, h, w] = model.input_size;
    let few: u32 = if spec.needs.contains(&Need::Gradients) { 2 } else { 3 };
    for option in spec.options {
        let Kind::Integer { min, max, .. } = option.kind else { continue };
        match option.id {
            "nSamples" | "nSteps" | "maxChannels" | "nSegments" | "maxSteps" => {
                request[option.id] = json!(few.clamp(min, max));
            }
            "window" | "stride" => request[option.id] = json!(h.max(w).div_ceil(2)),
            _ => {}
        }
    }
    request
}

fn every_method_on(id: &str) {
    let family = id;
    let (mut explainer, image) = cheapest(FAMILIES.iter().find(|f| f.id == id).unwrap());
    let mut ran = 0;
    let model = explainer.package().model.spec().clone();
    for spec in METHODS.iter().map(|m| m.spec) {
        let name = format!("{} on {family}", spec.id);
        let request = quick(spec, &model);
        if !spec.works_on(&model) {
            match attribute(&mut explainer, &image, request) {
                Err(Error::Unsupported(message)) => assert!(message.contains("these do: "), "{name}: {message}"),
                other => panic!("{name}: {other:?}"),
            }
            continue;
        }
        ran += 1;
        let first = attribute(&mut explainer, &image, request.clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(first.values.len(), first.shape.iter().product::<usize>(), "{name}");
        assert!(first.values.iter().all(|v| v.is_finite()), "{name}");
        assert_eq!(first.space, spec.space);
        let [channels, h, w] = model.input_size;
        match spec.space {
            Space::Layer => {
                let grid = match (spec.reads, &model.attention) {
                    (Reads::Input, Some(attention)) => attention.grid.to_vec(),
                    _ => model.layer(&model.default_layer).unwrap().fold.grid_shape().to_vec(),
                };
                assert_eq!(first.shape, grid, "{name}");
            }
            Space::Input => {
                assert!(first.shape == [channels, h, w] || first.shape == [1, h, w], "{name}: {:?}", first.shape)
            }
        }
        // Nothing is left over from the first run, and nothing is drawn without the seed.
        let second = attribute(&mut explainer, &image, request.clone()).unwrap();
        assert_eq!(first.values, second.values, "{name}: twice");
        if spec.group == Group::Cam && spec.reads == Reads::Layers && spec.needs.contains(&Need::Gradients) {
            let Passes { forward, backward } = second.passes;
            assert!(
                (forward + backward - cam_cost(&model)).abs() < 1e-9 && forward == backward,
                "{name}: {:?}",
                second.passes
            );
        }
        for target in [json!({ "contrast": [0, 1] }), json!({ "group": [0, 2] })] {
            let mut request = request.clone();
            request["target"] = target.clone();
            let map = attribute(&mut explainer, &image, request).unwrap_or_else(|e| panic!("{name}, {target}: {e}"));
            assert_eq!((map.target, map.shape), (target, first.shape.clone()), "{name}");
            assert_eq!(map.values == first.values, spec.class_free, "{name}: the same for every target");
        }
    }
    println!("{family}: {ran} of {} methods", METHODS.len());
}

for_every_family!(every_method_on);

#[test]
fn every_family_is_here() {
    assert_eq!(tested(), FAMILIES.iter().map(|family| family.id).collect());
}

#[test]
fn every_description_is_complete() {
    for spec in METHODS.iter().map(|m| m.spec) {
        for text in
            [spec.name, spec.summary, spec.caveat, spec.citation, spec.arxiv, spec.equation, spec.cost, spec.shape]
        {
            assert!(!text.trim().is_empty(), "{}", spec.id);
        }
        assert!(spec.summary.ends_with('?') || spec.summary.ends_with('.'), "{}", spec.id);
        for option in spec.options {
            assert!(!option.help.is_empty());
            if let Kind::Integer { default: Some(default), min, max } = option.kind {
                assert!((min..=max).contains(&default), "{}: {}", spec.id, option.id);
            }
            if let Kind::Number { default, min, max } = option.kind {
                assert!((min..=max).contains(&default), "{}: {}", spec.id, option.id);
            }
        }
        assert_eq!(spec.random, spec.options.iter().any(|o| o.id == "seed" && spec.random), "{}: seed", spec.id);
    }
}

#[test]
fn options_out_of_range_or_unknown_are_refused_by_name() {
    let (mut explainer, image) = Golden::read("models/resnet_basic").open();
    let model = explainer.package().model.spec().clone();
    for spec in METHODS.iter().map(|m| m.spec) {
        if !spec.works_on(&model) {
            continue;
        }
        let mut wrong = vec![("nonsense", json!(1)), ("output", json!("probability")), ("target", json!(-1))];
        for option in spec.options {
            wrong.push((
                option.id,
                match option.kind {
                    Kind::Integer { max, .. } => json!(f64::from(max) + 1.0),
                    Kind::Number { max, .. } => json!(max + 1.0),
                    Kind::Choice { .. } | Kind::Baseline { .. } => json!("nonsense"),
                    Kind::Boolean { .. } => json!("yes"),
                    Kind::Tensor { .. } => json!({ "data": [1.0, null], "shape": [2] }),
                },
            ));
        }
        for (option, value) in wrong {
            let mut request = quick(spec, &model);
            request[option] = value;
            match attribute(&mut explainer, &image, request) {
                Err(Error::BadOption(message)) => assert!(message.starts_with(option), "{}: {message}", spec.id),
                other => panic!("{} with {option}: {other:?}", spec.id),
            }
        }
    }
}

#[test]
fn several_layers_come_from_one_backward_pass() {
    let (mut explainer, image) = Golden::read("models/resnet_basic").open();
    now(explainer.classify(&image, None, &Unwatched)).unwrap();
    let model = explainer.package().model.spec().clone();
    let ids: Vec<String> = model.layers.iter().map(|l| l.id.clone()).collect();
    for spec in METHODS.iter().map(|m| m.spec).filter(|m| m.reads == Reads::Layers) {
        let mut request = quick(spec, &model);
        request["layer"] = json!("all");
        let all = attribute(&mut explainer, &image, request.clone()).unwrap();
        assert_eq!(all.layers.iter().map(|l| l.id.clone()).collect::<Vec<_>>(), ids);
        if !spec.cost.contains("channels") {
            assert!(
                all.passes.forward <= 1.0 + 1e-9 && all.passes.backward <= 1.0 + 1e-9,
                "{}: {:?}",
                spec.id,
                all.passes
            );
        }
        for layer in &all.layers {
            request["layer"] = json!(layer.id);
            let alone = attribute(&mut explainer, &image, request.clone()).unwrap();
            assert!(relative(&layer.values, &alone.values) < 1e-5, "{} at {}", spec.id, layer.id);
        }
        // The whole is on the finest grid, and no layer weighs more than its share.
        let finest = all.layers.iter().map(|l| l.shape.iter().product::<usize>()).max().unwrap();
        assert_eq!(all.values.len(), finest);
        assert!(all.values.iter().all(|v| v.abs() <= 1.0 + 1e-5));
    }
}

/// What a CAM adds to the prediction's forward pass: from its layer on, forward and back.
fn cam_cost(model: &ModelSpec) -> f64 {
    let layer = model.layer(&model.default_layer).unwrap();
    2.0 * model.share(layer.stage..model.stages.len())
}

#[test]
fn prediction_and_cam_at_the_last_stage_cost_at_most_1_2_forwards() {
    // The cost of published sizes needs no weights; that running CAMs count so is seen above.
    let mut architectures = 0;
    for (family, architecture) in FAMILIES.iter().flat_map(|f| f.architectures().into_iter().map(|a| (f.id, a))) {
        let size = usual_side(&architecture);
        let plan = plan(&config(&architecture, 1000, size)).unwrap();
        let cost = cam_cost(plan.spec());
        // SqueezeNet's classifier is a convolution of the whole last map: a CAM runs as much of it
        // as the prediction did.
        let most = if family == "squeezenet" { 0.5 } else { 0.2 };
        assert!(cost <= most, "{architecture} at {size} pixels: a CAM costs {cost:.3} forwards more");
        architectures += 1;
    }
    assert!(architectures >= 200, "{architectures}");
}
