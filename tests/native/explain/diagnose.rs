//! Maps that mean nothing say so.

use serde_json::json;

use crate::common::nets::*;
use crate::common::*;

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

/// The causes that a CAM's warnings give.
fn causes(
    explainer: &mut sightline::Explainer,
    input: &sightline::explain::Image,
    request: serde_json::Value,
) -> Vec<&'static str> {
    let map = attribute(explainer, input, request).unwrap();
    map.warnings.iter().filter(|w| w.code == "zero-map").filter_map(|w| w.cause).collect()
}

#[test]
fn a_class_token_reads_no_patch_of_the_last_block() {
    let (mut explainer, input) = Golden::read("packages/tiny-vit").open();
    let last = explainer.package().model.spec().attention.as_ref().unwrap().blocks - 1;
    for leaf in ["", ".mlp", ".norm2", ".attn"] {
        let request = json!({ "method": "grad_cam", "layer": format!("blocks.{last}{leaf}") });
        assert_eq!(causes(&mut explainer, &input, request), ["disconnected"], "{leaf}");
    }
    let request = json!({ "method": "grad_cam", "layer": format!("blocks.{last}.norm1") });
    assert!(causes(&mut explainer, &input, request).is_empty());
    // Of all layers, those of which it is true decide, not the largest gradient of any.
    let map = attribute(&mut explainer, &input, json!({ "method": "grad_cam", "layer": "all" })).unwrap();
    assert!(map.layers.iter().any(|layer| layer.values.iter().all(|v| *v == 0.0)));
    let request = json!({ "method": "grad_cam", "layer": "all" });
    assert_eq!(causes(&mut explainer, &input, request), ["disconnected"]);
}

#[test]
fn layers_have_causes_of_their_own() {
    // The score reads the first layer where a unit is saturated, and of the second nothing at all.
    let forward = |x: burn::tensor::Tensor<4>, pass: &mut sightline::nn::pass::Pass| {
        let near = pass.tap("near", x.clone())?;
        let far = pass.tap("far", x)?;
        let [n, ..] = near.dims();
        let saturated = near.reshape([n, 1, 4, 1]).sum_dim(2).clamp_max(2.0);
        logits(saturated + far.reshape([n, 1, 4, 1]).sum_dim(2) * 0.0)
    };
    let layers = [("near", [1, 2, 2]), ("far", [1, 2, 2])];
    let input = image(&[1.0; 4], [1, 2, 2]);
    let mut explainer = net([1, 2, 2], 2, &layers, forward);
    for (layer, expected) in [(json!("near"), vec!["saturated"]), (json!("far"), vec!["disconnected"])] {
        let request = json!({ "method": "grad_cam", "target": 0, "layer": layer });
        assert_eq!(causes(&mut explainer, &input, request), expected, "{layer}");
    }
    let request = json!({ "method": "grad_cam", "target": 0, "layer": "all" });
    assert_eq!(causes(&mut explainer, &input, request), ["saturated", "disconnected"]);
    // At the input it is the same question.
    for (forward, expected) in [(dead as Forward, "saturated"), (constant, "disconnected")] {
        let mut explainer = net([1, 2, 2], 2, &[], forward);
        let request = json!({ "method": "saliency", "target": 0 });
        assert_eq!(causes(&mut explainer, &input, request), [expected]);
    }
}
