//! Methods that see scores alone: nets solved by hand, slower twins, and what holds of every
//! estimate.

mod occlusion;
mod rise;
mod segments;

use std::cell::{Cell, RefCell};
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use serde_json::{Value, json};
use sightline::ask::control::Control;
use sightline::explain::{Attribution, Image};
use sightline::math::random::stream;
use sightline::nn::load::Package;
use sightline::nn::model::{Feature, Fold, Layer, Model, ModelSpec, Stage};
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::photo::preprocess::PreprocessConfig;
use sightline::{Error, Explainer, Result};

use crate::common::*;

const METHODS: [&str; 4] = ["occlusion", "rise", "lime", "kernel_shap"];
const SHAPE: [usize; 3] = [3, 7, 6];
const PIXELS: usize = 42;

/// What a net makes of the 126 numbers of its input.
type Score = fn(&[f32]) -> f32;

/// A net that is a function of one input, on the host; its second class is minus the first.
struct Net {
    spec: ModelSpec,
    score: Score,
}

impl Model for Net {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }
    fn run(&self, _: Range<usize>, state: Activation, _: &mut Pass) -> Result<Activation> {
        let x: Tensor<4> = Tappable::unwrap(state)?;
        let data = x.into_data().try_into_vec::<f32>().unwrap();
        let logits: Vec<f32> = data.chunks(3 * PIXELS).map(self.score).flat_map(|y| [y, -y]).collect();
        let n = logits.len() / 2;
        Ok(Tensor::<2>::from_data(TensorData::new(logits, [n, 2]), &Device::flex()).wrap())
    }
}

fn net(score: Score) -> Explainer {
    let layer = Layer { id: "none".into(), stage: 0, fold: Fold::Map { channels: 1, h: 1, w: 1 } };
    let spec = ModelSpec {
        architecture: "net".into(),
        input_size: SHAPE,
        num_classes: 2,
        stages: vec![Stage { name: "all".into(), macs: 1.0 }],
        layers: vec![layer],
        default_layer: "none".into(),
        features: [Feature::Rectifier].into(),
        attention: None,
    };
    let preprocess = PreprocessConfig::from_pretrained_cfg(&json!({})).unwrap();
    let (model, labels) = (Box::new(Net { spec, score }), vec![]);
    explainer(Package { model, preprocess, labels, temperature: 1.0, parameters: 0 })
}

fn pixels() -> Vec<f32> {
    (0..3 * PIXELS).map(|i| (i as f32 * 1.3).cos()).collect()
}

fn image() -> Image {
    Image::Tensor { data: pixels(), shape: SHAPE.to_vec() }
}

fn weight(i: usize) -> f32 {
    (i as f32 * 0.7).sin()
}

fn linear(x: &[f32]) -> f32 {
    0.25 + x.iter().enumerate().map(|(i, v)| weight(i) * v).sum::<f32>()
}

/// Interactions of every order.
fn crooked(x: &[f32]) -> f32 {
    let part = |from: usize| x[from..from + 18].iter().enumerate().map(|(i, v)| weight(i + from) * v).sum::<f32>();
    let [a, b, c] = [part(0), part(45), part(100)];
    (a - 0.5 * b).max(0.0) * 2.0 + b * c + (a * 1.5).sin() + 0.1 * a * b * c
}

fn explain(score: Score, mut request: Value) -> Attribution {
    request["target"] = json!(0);
    attribute(&mut net(score), &image(), request).unwrap()
}

/// w (x - x'), summed over channels, at each pixel.
fn contributions() -> Vec<f32> {
    let x = pixels();
    (0..PIXELS).map(|i| (0..3).map(|c| weight(c * PIXELS + i) * x[c * PIXELS + i]).sum()).collect()
}

/// The score of the input where `mask` shows it, over zeros.
fn masked(score: Score, mask: &[f32]) -> f64 {
    let x: Vec<f32> = pixels().iter().enumerate().map(|(i, v)| v * mask[i % PIXELS]).collect();
    f64::from(score(&x))
}

/// Segments of 6 x 7 pixels: `count` runs of rows and columns without a pattern.
fn segmentation(count: usize) -> Vec<usize> {
    (0..PIXELS).map(|i| (i / 6 * 3 + i % 6 * 2 + i / 17) % count).collect()
}

fn ids(segments: &[usize]) -> Value {
    json!({ "data": segments, "shape": [7, 6] })
}

fn shown(segments: &[usize], row: &[bool]) -> Vec<f32> {
    segments.iter().map(|&id| f32::from(u8::from(row[id]))).collect()
}

fn coalition(z: usize, count: usize) -> Vec<bool> {
    (0..count).map(|j| z >> j & 1 == 1).collect()
}

/// A request that takes a while, of each method.
fn long(method: &str) -> Value {
    let request = json!({ "method": method, "target": 0, "chunkSize": 4 });
    let more = match method {
        "occlusion" => json!({ "window": 2, "stride": 1 }),
        "rise" => json!({ "nSamples": 30, "cells": 3 }),
        _ => json!({ "nSamples": 60, "nSegments": 9, "compactness": 1 }),
    };
    let mut request = request.as_object().unwrap().clone();
    request.extend(more.as_object().unwrap().clone());
    Value::Object(request)
}

#[test]
fn chunks_and_repetition_change_nothing_and_seeds_do() {
    for method in METHODS {
        let map = |changes: Value| {
            let mut request = long(method).as_object().unwrap().clone();
            request.extend(changes.as_object().unwrap().clone());
            attribute(&mut net(crooked), &image(), Value::Object(request)).unwrap().values
        };
        let first = map(json!({}));
        for size in [1, 3, 64] {
            assert_eq!(first, map(json!({ "chunkSize": size })), "{method}");
        }
        assert_eq!(first != map(json!({ "seed": 1 })), method != "occlusion", "{method}");
        // The score of class 1 is minus that of class 0, and all methods are linear in the score.
        let against: Vec<f32> = map(json!({ "target": { "contrast": [1, 0] } })).iter().map(|v| v / -2.0).collect();
        assert!(relative(&against, &first) < 1e-5, "{method}");
    }
}

#[derive(Default)]
struct Caller {
    chunks: Cell<usize>,
    stop_after: Option<usize>,
    cancel_after: Option<usize>,
    estimates: RefCell<Vec<Vec<f32>>>,
    last: Cell<(usize, usize)>,
}

impl Control for Caller {
    fn progress(&self, done: usize, total: usize) {
        self.chunks.set(self.chunks.get() + 1);
        self.last.set((done, total));
    }
    fn stopped(&self) -> bool {
        self.stop_after.is_some_and(|n| self.chunks.get() >= n)
    }
    fn cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|n| self.chunks.get() >= n)
    }
    fn wants_estimate(&self) -> bool {
        true
    }
    fn estimate(&self, values: &[f32], shape: &[usize]) {
        assert_eq!((values.len(), shape), (PIXELS, [1, 7, 6].as_slice()));
        assert!(values.iter().all(|v| v.is_finite()));
        self.estimates.borrow_mut().push(values.to_vec());
    }
}

fn run(method: &str, caller: &Caller) -> Result<Attribution> {
    now(net(crooked).attribute(&image(), long(method).as_object().unwrap().clone(), caller))
}

#[test]
fn stopping_keeps_the_estimate_and_cancelling_does_not() {
    for method in METHODS {
        let whole = Caller::default();
        let map = run(method, &whole).unwrap();
        let total = whole.last.get().1;
        assert_eq!(whole.last.get(), (total, total), "{method}");
        let estimates = whole.estimates.into_inner();
        assert_eq!(estimates.len() + 1, whole.chunks.get(), "{method}");
        assert!(map.warnings.iter().all(|w| w.code != "partial"), "{method}");
        // Estimates come nearer.
        let far = |values: &[f32]| relative(values, &map.values);
        assert!(far(estimates.last().unwrap()) < far(&estimates[1]), "{method}");

        let stopping = Caller { stop_after: Some(3), ..Caller::default() };
        let partial = run(method, &stopping).unwrap();
        let (done, _) = stopping.last.get();
        assert_eq!(stopping.chunks.get(), 3, "{method}");
        assert_eq!(partial.values, estimates[2], "{method}");
        let warning = partial.warnings.iter().find(|w| w.code == "partial").unwrap();
        assert!(warning.message.contains(&format!("{done} of {total}")), "{method}: {}", warning.message);

        let cancelling = Caller { cancel_after: Some(2), ..Caller::default() };
        assert!(matches!(run(method, &cancelling), Err(Error::Aborted)), "{method}");
        assert_eq!(cancelling.chunks.get(), 2, "{method}");
    }
}

#[test]
fn maps_of_a_score_that_never_changes_are_zero_and_say_so() {
    for method in METHODS {
        let map = attribute(&mut net(|_| 3.0), &image(), long(method)).unwrap();
        assert_eq!(map.values, [0.0; PIXELS], "{method}");
        assert_eq!(map.warnings[0].code, "zero-map", "{method}");
        let broken = attribute(&mut net(|x| if x[0] == 0.0 { f32::NAN } else { 1.0 }), &image(), long(method)).unwrap();
        assert!(broken.values.iter().all(|v| v.is_finite()), "{method}");
        assert!(broken.warnings.iter().any(|w| w.code == "non-finite"), "{method}");
    }
}

#[test]
fn what_is_injected_is_checked() {
    let segments = segmentation(4);
    let tensor = |data: Value, shape: Value| json!({ "data": data, "shape": shape });
    for (method, option, value) in [
        ("lime", "segmentation", tensor(json!([0, 1]), json!([2]))),
        ("lime", "segmentation", tensor(json!(vec![0.5; PIXELS]), json!([7, 6]))),
        ("kernel_shap", "segmentation", tensor(json!(vec![-1; PIXELS]), json!([7, 6]))),
        ("kernel_shap", "segmentation", tensor(json!(vec![1000; PIXELS]), json!([7, 6]))),
        ("lime", "samples", tensor(json!([0, 1, 1]), json!([1, 3]))),
        ("kernel_shap", "samples", tensor(json!([0, 1, 2, 1]), json!([1, 4]))),
        ("rise", "masks", tensor(json!(vec![1.0; PIXELS]), json!([7, 6]))),
        ("occlusion", "baseline", tensor(json!(vec![1.0; PIXELS]), json!([1, 7, 6]))),
    ] {
        let mut request = json!({ "method": method });
        if option == "samples" {
            request["segmentation"] = ids(&segments);
        }
        request[option] = value;
        match attribute(&mut net(linear), &image(), request) {
            Err(Error::BadOption(message)) => assert!(message.starts_with(option), "{message}"),
            other => panic!("{method} {option}: {other:?}"),
        }
    }
}
