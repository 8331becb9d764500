//! The loader: files in pieces of any size, and weights that lie.

use burn::tensor::Device;
use serde_json::{Value, json};
use sightline::ask::control::Unwatched;
use sightline::nn::load::Loader;

use crate::common::*;
use crate::package::{edited, message, tiny};

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
    assert!(message(&config, &weights[..weights.len() - 4], "bad-model").contains("truncated"));
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
