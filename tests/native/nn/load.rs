//! Packages that lie, and requests that make no sense: the right code, a message that names the culprit, no panic.

use burn::tensor::Device;
use serde_json::{Value, json};
use sightline::Error;
use sightline::explainer::{Image, Passes, Unwatched};
use sightline::package::Loader;

use crate::common::*;

fn tiny(name: &str) -> (String, Vec<u8>) {
    let folder = golden(&format!("packages/{name}"));
    (
        std::fs::read_to_string(folder.join("config.json")).unwrap(),
        std::fs::read(folder.join("model.safetensors")).unwrap(),
    )
}

fn message(config: &str, weights: &[u8], code: &str) -> String {
    let error = load(config, weights).err().expect("this package must be refused");
    assert_eq!(error.code(), code, "{error}");
    error.to_string()
}

/// The config with `edit` applied.
fn edited(config: &str, edit: impl Fn(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(config).unwrap();
    edit(&mut value);
    value.to_string()
}

/// The weights with their JSON header edited, lengths kept right.
fn reheaded(weights: &[u8], edit: impl Fn(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&weights[8..8 + length]).unwrap();
    edit(&mut header);
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &weights[8 + length..]].concat()
}

#[test]
fn any_piece_size_loads_the_same() {
    let (config, weights) = tiny("tiny-vit");
    let input = tensor(&read_tensors(&golden("packages/tiny-vit/golden.safetensors")), "input");
    let mut all = Vec::new();
    for size in [1, 7, 4096, weights.len()] {
        let mut loader = Loader::new(&config, None, &Device::flex()).unwrap();
        weights.chunks(size).for_each(|piece| loader.feed(piece).unwrap());
        let mut explainer = explainer(loader.finish().unwrap());
        all.push(now(explainer.classify(&input, None, &Unwatched)).unwrap().logits);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn tensors_that_a_device_cannot_take_are_refused_before_any_is_read() {
    let (config, _) = tiny("tiny-vit");
    let loader = Loader::new(&config, None, &Device::flex()).unwrap();
    let error = loader.fits(18431).unwrap_err();
    assert_eq!(error.code(), "out-of-memory");
    assert!(error.to_string().starts_with("tensor patch_embed.proj.weight takes 18432 bytes"), "{error}");
    assert_eq!(loader.fits(18432), Ok(()));
}

#[test]
fn weights_that_lie_are_refused_by_name() {
    let (config, weights) = tiny("tiny-vit");
    let (_, others) = tiny("tiny-cnn");
    assert!(message(&config, &others, "bad-model").contains("missing: blocks.0.attn.proj.bias"));
    assert!(message(&config, &weights[..weights.len() - 4], "bad-model").contains("ends early"));
    assert!(message(&config, &[&weights[..], &[0]].concat(), "bad-model").contains("longer"));
    message(&config, b"", "bad-model");
    message(&config, b"<!doctype html><title>404</title>", "bad-model");
    message(&config, &[&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "bad-model");
    message(&config, &[&(1u64 << 40).to_le_bytes()[..], b"{}"].concat(), "bad-model");
    message(&config, &[&20u64.to_le_bytes()[..], b"{\"a\": 1, \"b\": [1,2] }"].concat(), "bad-model");

    let renamed = reheaded(&weights, |h| {
        let tensor = h.as_object_mut().unwrap().remove("norm.bias").unwrap();
        h["norm.bjas"] = tensor;
    });
    let text = message(&config, &renamed, "bad-model");
    assert!(text.contains("missing: norm.bias") && text.contains("unexpected: norm.bjas"), "{text}");
    let lying = reheaded(&weights, |h| h["norm.bias"]["shape"] = json!([1u64 << 40]));
    message(&config, &lying, "bad-model");
    let overflowing = reheaded(&weights, |h| h["norm.bias"]["data_offsets"] = json!([0, u64::MAX]));
    message(&config, &overflowing, "bad-model");
    let integers = reheaded(&weights, |h| h["norm.bias"]["dtype"] = json!("I32"));
    assert!(message(&config, &integers, "bad-model").contains("norm.bias has type I32"));
    let wider = edited(&config, |c| c["num_classes"] = json!(11));
    let wider = edited(&wider, |c| c["label_names"] = Value::Null);
    assert!(message(&wider, &weights, "bad-model").contains("head.weight has shape [10, 24], expected [11, 24]"));
}

#[test]
fn configs_that_lie_are_refused_by_name() {
    let (config, weights) = tiny("tiny-vit");
    for (text, code, part) in [
        ("".to_owned(), "bad-model", "JSON"),
        ("[]".to_owned(), "bad-model", "object"),
        ("{}".to_owned(), "bad-model", "architecture"),
        // The nearest names are offered.
        (edited(&config, |c| c["architecture"] = json!("resnet17")), "unsupported-architecture", "resnet18"),
        (
            edited(&config, |c| c["architecture"] = json!("vit_tiny_patch16")),
            "unsupported-architecture",
            "vit_tiny_patch16_224",
        ),
        (edited(&config, |c| c["architecture"] = json!("x".repeat(100_000))), "unsupported-architecture", "nearest"),
        (edited(&config, |c| c["keys"] = json!("keras")), "bad-model", "keys"),
        (edited(&config, |c| c["temperature"] = json!(0)), "bad-model", "temperature"),
        (edited(&config, |c| c["num_classes"] = json!(0)), "bad-model", "feature extractor"),
        (edited(&config, |c| c["num_classes"] = json!(1e15)), "bad-model", "num_classes"),
        (edited(&config, |c| c["label_names"] = json!(["one"])), "bad-model", "label_names"),
        (edited(&config, |c| c["model_args"]["depth"] = json!(1u64 << 60)), "bad-model", "depth"),
        (edited(&config, |c| c["model_args"]["embed_dim"] = json!(-4)), "bad-model", "embed_dim"),
        (edited(&config, |c| c["model_args"]["num_heads"] = json!(5)), "bad-model", "heads"),
        (edited(&config, |c| c["model_args"]["patch_size"] = json!(64)), "bad-model", "patches"),
        (edited(&config, |c| c["model_args"]["swiglu"] = json!(true)), "unsupported-architecture", "swiglu"),
        (edited(&config, |c| c["pretrained_cfg"]["input_size"] = json!([3, 1u64 << 40, 2])), "bad-model", "input_size"),
        (edited(&config, |c| c["pretrained_cfg"]["std"] = json!([0, 1, 1])), "bad-model", "std"),
        (edited(&config, |c| c["pretrained_cfg"]["interpolation"] = json!("magic")), "bad-model", "interpolation"),
        (
            edited(&config, |c| {
                c["model_args"] =
                    json!({ "embed_dim": 4096, "depth": 64, "num_heads": 64, "img_size": 32, "patch_size": 8 });
            }),
            "bad-model",
            "limit",
        ),
        (
            edited(&config, |c| {
                c["model_args"] = json!({ "embed_dim": 24, "num_heads": 3, "img_size": 512, "patch_size": 1 });
                c["pretrained_cfg"]["input_size"] = json!([3, 512, 512]);
            }),
            "out-of-memory",
            "attention",
        ),
    ] {
        let text = message(&text, &weights, code);
        assert!(text.contains(part), "{text} does not name {part}");
    }
}

#[test]
fn a_picture_size_in_model_args_comes_first() {
    let (config, weights) = tiny("tiny-vit");
    let config = edited(&config, |c| c["pretrained_cfg"]["input_size"] = json!([3, 48, 40]));
    let package = load(&config, &weights).unwrap();
    assert_eq!((package.model.spec().input_size, package.preprocess.input_size), ([3, 32, 32], [3, 32, 32]));
}

#[test]
fn labels_come_from_the_package_else_from_the_fallback_else_from_numbers() {
    let (config, _) = tiny("tiny-vit");
    let parse = |text: &str| sightline::package::Config::parse(text).unwrap();
    assert_eq!(parse(&config).labels(None)[1], "birch");
    let bare = edited(&config, |c| c["label_names"] = Value::Null);
    assert_eq!(parse(&bare).labels(None)[7], "class 7");
    assert_eq!(parse(&bare).labels(Some(vec!["x".into()]))[7], "class 7");
    assert_eq!(parse(&bare).labels(Some((0..10).map(|i| format!("n{i}")).collect()))[7], "n7");
}

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

#[test]
fn another_class_or_cam_does_not_run_the_front_again() {
    for name in ["tiny-vit", "tiny-cnn"] {
        let folder = golden(&format!("packages/{name}"));
        let mut explainer = explainer(open(&folder));
        let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
        let seen = now(explainer.classify(&input, None, &Unwatched)).unwrap();
        assert_eq!((seen.passes.forward, seen.passes.backward), (1.0, 0.0));
        assert_eq!(now(explainer.classify(&input, None, &Unwatched)).unwrap().passes.forward, 0.0);
        let mut cam = |target: usize| {
            attribute(&mut explainer, &input, json!({ "method": "grad_cam", "target": target })).unwrap()
        };
        let seen: Vec<_> = (0..3).map(&mut cam).collect();
        for Passes { forward, backward } in seen.iter().map(|cam| cam.passes) {
            assert!(forward > 0.0 && forward < 0.4 && backward == forward, "{name}: {forward}, {backward}");
        }
        // Asked for together with the prediction, a CAM goes backward from it.
        let mut fresh = crate::common::explainer(open(&folder));
        let alone = attribute(&mut fresh, &input, json!({ "method": "grad_cam", "target": 1 })).unwrap();
        assert_eq!((alone.passes.forward, alone.passes.backward), (1.0, seen[1].passes.backward), "{name}");
        assert_eq!(alone.values, seen[1].values, "{name}");
        let ig = attribute(&mut explainer, &input, json!({ "method": "integrated_gradients", "nSteps": 10 })).unwrap();
        assert_eq!((ig.passes.forward, ig.passes.backward), (11.0, 10.0));
    }
}
