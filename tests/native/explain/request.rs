//! Requests that make no sense: the right code, a message that names the culprit.

use serde_json::{Value, json};
use sightline::Error;
use sightline::ask::control::Unwatched;
use sightline::explain::Image;

use crate::common::*;

#[test]
fn requests_that_make_no_sense_are_bad_options_by_name() {
    let folder = golden("packages/tiny-vit");
    let mut explainer = explainer(open(&folder));
    let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
    let mut refused = |request: Value, part: &str| {
        let error = attribute(&mut explainer, &input, request).unwrap_err();
        assert_eq!(error.code(), "bad-option", "{error}");
        assert!(error.to_string().contains(part), "{error} does not name {part}");
    };
    refused(json!({}), "method");
    refused(json!({ "method": "phrenology" }), "phrenology");
    for target in [json!(10), json!(-1), json!(1.5), json!("cat"), json!([1]), json!(1e300)] {
        refused(json!({ "method": "grad_cam", "target": target }), "target");
    }
    refused(json!({ "method": "grad_cam", "layer": "blocks.3" }), "blocks.2");
    refused(json!({ "method": "grad_cam", "layer": 3 }), "layer");
    refused(json!({ "method": "integrated_gradients", "layer": "blocks.1" }), "layer");
    refused(json!({ "method": "grad_cam", "nSteps": 3 }), "nSteps");
    for steps in [json!(0), json!(1001), json!(2.5), json!("9"), json!(true)] {
        refused(json!({ "method": "integrated_gradients", "nSteps": steps }), "nSteps");
    }
    refused(json!({ "method": "integrated_gradients", "baseline": "grey" }), "baseline");
    refused(json!({ "method": "integrated_gradients", "blurSigma": 0 }), "blurSigma");
    refused(json!({ "method": "integrated_gradients", "chunkSize": 65 }), "chunkSize");

    for image in [
        Image::Tensor { data: vec![0.0; 3], shape: vec![3, 1, 1] },
        Image::Tensor { data: vec![0.0; 5], shape: vec![3, 32, 32] },
        Image::Tensor { data: vec![f32::NAN; 3072], shape: vec![3, 32, 32] },
    ] {
        let error = now(explainer.classify(&image, None, &Unwatched)).unwrap_err();
        assert_eq!(error.code(), "bad-option");
    }
    assert!(matches!(now(explainer.classify(&input, Some(0), &Unwatched)), Err(Error::BadOption(_))));
    // And it still works.
    assert_eq!(now(explainer.classify(&input, Some(3), &Unwatched)).unwrap().predictions.len(), 3);
}
