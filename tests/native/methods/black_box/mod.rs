//! Methods that see scores alone: nets solved by hand, slower twins, and what holds of every estimate.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use serde_json::{Value, json};
use sightline::explainer::{Attribution, Control, Image};
use sightline::models::{Feature, Fold, Layer, Model, ModelSpec, Stage};
use sightline::package::Package;
use sightline::pass::{Activation, Pass, Tappable};
use sightline::photo::Photo;
use sightline::preprocess::PreprocessConfig;
use sightline::random::stream;
use sightline::superpixels::slic;
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

/// One value per segment, the same at all of its pixels.
fn per_segment(map: &Attribution, segments: &[usize]) -> Vec<f64> {
    assert_eq!(map.shape, [1, 7, 6]);
    let count = segments.iter().max().unwrap() + 1;
    (0..count)
        .map(|id| {
            let mut values = (0..PIXELS).filter(|&i| segments[i] == id).map(|i| map.values[i]);
            let first = values.next().unwrap();
            assert!(values.all(|v| v == first));
            f64::from(first)
        })
        .collect()
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < tolerance)
}

/// Gaussian elimination with pivots, a column more for the right side.
fn eliminate(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    let n = a.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|&p, &q| a[p][i].abs().total_cmp(&a[q][i].abs())).unwrap();
        a.swap(i, pivot);
        for k in 0..n {
            if k != i {
                let factor = a[k][i] / a[i][i];
                let row = a[i].clone();
                a[k].iter_mut().zip(row).for_each(|(v, r)| *v -= factor * r);
            }
        }
    }
    (0..n).map(|i| a[i][n] / a[i][i]).collect()
}

#[test]
fn occlusion_by_single_pixels_is_the_contribution_of_a_linear_net() {
    let map = explain(linear, json!({ "method": "occlusion", "window": 1, "stride": 1 }));
    assert!(relative(&map.values, &contributions()) < 1e-5);
    assert_eq!(map.details.unwrap(), json!({ "window": 1, "stride": 1, "windows": [7, 6] }));
    // Against white, of which every channel has another value once normalised.
    let white = explain(linear, json!({ "method": "occlusion", "window": 1, "stride": 1, "baseline": "white" }));
    let x = pixels();
    let level = [(1.0 - 0.485) / 0.229, (1.0 - 0.456) / 0.224, (1.0 - 0.406f32) / 0.225];
    let expected: Vec<f32> =
        (0..PIXELS).map(|i| (0..3).map(|c| weight(c * PIXELS + i) * (x[c * PIXELS + i] - level[c])).sum()).collect();
    assert!(relative(&white.values, &expected) < 1e-5);
}

#[test]
fn occlusion_matches_its_slow_twin_at_cut_and_overlapping_windows() {
    for (window, stride) in [(3, 2), (4, 3), (2, 2), (6, 6), (5, 1)] {
        let map = explain(crooked, json!({ "method": "occlusion", "window": window, "stride": stride }));
        let (mut sums, mut counts) = ([0f64; PIXELS], [0f64; PIXELS]);
        let ends =
            |n: usize| (0..).map(move |k| k * stride).take_while(move |at| *at < stride || at - stride + window < n);
        for top in ends(7) {
            for left in ends(6) {
                let inside =
                    |i: usize| (top..top + window).contains(&(i / 6)) && (left..left + window).contains(&(i % 6));
                let mask: Vec<f32> = (0..PIXELS).map(|i| f32::from(u8::from(!inside(i)))).collect();
                let fall = masked(crooked, &[1.0; PIXELS]) - masked(crooked, &mask);
                for i in (0..PIXELS).filter(|&i| inside(i)) {
                    sums[i] += fall;
                    counts[i] += 1.0;
                }
            }
        }
        let expected: Vec<f32> = sums.iter().zip(counts).map(|(s, n)| (s / n) as f32).collect();
        assert!(relative(&map.values, &expected) < 1e-5, "{window} {stride}");
    }
    for (window, stride, named) in [(2, 3, "stride"), (7, 1, "window")] {
        let request = json!({ "method": "occlusion", "window": window, "stride": stride });
        match attribute(&mut net(linear), &image(), request) {
            Err(Error::BadOption(message)) => assert!(message.starts_with(named), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Enlarged by the formula for one pixel at a time, from the same draws.
fn slow_mask(seed: u64, index: u64, cells: usize, probability: f64) -> Vec<f32> {
    let mut random = stream(seed, index);
    let grid: Vec<f64> =
        (0..cells * cells).map(|_| if random.random::<f64>() < probability { 1.0 } else { 0.0 }).collect();
    let cell = [7usize.div_ceil(cells), 6usize.div_ceil(cells)];
    let [top, left] = cell.map(|n| random.random_range(0..n as u32) as usize);
    let tent = |at: usize, cell: usize, k: usize| {
        let large = (cells + 1) * cell;
        let source = ((at as f64 + 0.5) * cells as f64 / large as f64 - 0.5).clamp(0.0, cells as f64 - 1.0);
        (1.0 - (source - k as f64).abs()).max(0.0)
    };
    (0..PIXELS)
        .map(|i| {
            let sum: f64 = (0..cells * cells)
                .map(|k| grid[k] * tent(top + i / 6, cell[0], k / cells) * tent(left + i % 6, cell[1], k % cells))
                .sum();
            sum as f32
        })
        .collect()
}

#[test]
fn rise_matches_its_slow_twin() {
    for (cells, probability, n) in [(3, 0.5, 40), (7, 0.3, 25), (1, 0.8, 12), (9, 0.5, 5)] {
        let masks: Vec<Vec<f32>> = (0..n).map(|i| slow_mask(11, i, cells, probability)).collect();
        let scores: Vec<f64> = masks.iter().map(|m| masked(crooked, m)).collect();
        let mean = scores.iter().sum::<f64>() / n as f64;
        for (centre, offset) in [(false, 0.0), (true, mean)] {
            let request = json!({
                "method": "rise", "nSamples": n, "cells": cells, "probability": probability, "seed": 11, "centre": centre
            });
            let terms =
                |i: usize| masks.iter().zip(&scores).map(move |(m, f)| (f - offset) * f64::from(m[i]) / probability);
            let expected: Vec<f32> = (0..PIXELS).map(|i| (terms(i).sum::<f64>() / n as f64) as f32).collect();
            let map = explain(crooked, request);
            assert!(relative(&map.values, &expected) < 1e-4, "{cells} {centre}");
            let variance: f64 = (0..PIXELS)
                .map(|i| {
                    let mean = terms(i).sum::<f64>() / n as f64;
                    terms(i).map(|t| (t - mean) * (t - mean)).sum::<f64>() / (n - 1) as f64 / n as f64
                })
                .sum();
            let error = map.details.as_ref().unwrap()["standardError"].as_f64().unwrap();
            assert!((error / (variance / PIXELS as f64).sqrt() - 1.0).abs() < 1e-3, "{error}");
            assert!((map.details.unwrap()["meanScore"].as_f64().unwrap() - mean).abs() < 1e-4);
        }
    }
}

#[test]
fn rise_of_all_masks_is_the_expectation_of_a_linear_net() {
    // Every combination of 6 independent segments: E[F | pixel shown] = F(0) + its segment whole + half of the others.
    let segments = segmentation(6);
    let masks: Vec<f32> = (0..64).flat_map(|z| shown(&segments, &coalition(z, 6))).collect();
    let request = json!({ "method": "rise", "masks": { "data": masks, "shape": [64, 7, 6] }, "centre": false });
    let mut sums = [0f32; 6];
    contributions().iter().zip(&segments).for_each(|(v, &id)| sums[id] += v);
    let all: f32 = sums.iter().sum();
    let map = explain(linear, request.clone());
    for (value, &id) in map.values.iter().zip(&segments) {
        assert!((value - (0.25 + (all + sums[id]) / 2.0)).abs() < 1e-4);
    }
    let mut centred = request;
    centred["centre"] = json!(true);
    for (value, &id) in explain(linear, centred).values.iter().zip(&segments) {
        assert!((value - sums[id] / 2.0).abs() < 1e-4);
    }
}

#[test]
fn rise_finds_the_one_place_that_counts() {
    fn spot(x: &[f32]) -> f32 {
        x[2 * 6 + 4] / pixels()[2 * 6 + 4]
    }
    let map = explain(spot, json!({ "method": "rise", "nSamples": 3000, "cells": 5 }));
    let best = map.values.iter().copied().fold(f32::MIN, f32::max);
    assert_eq!(best, map.values[2 * 6 + 4]);
    // F = M there, so that the map is cov(M, M) / p = var(M) / p there, and nothing far away.
    let error = map.details.unwrap()["standardError"].as_f64().unwrap() as f32;
    assert!(best > 0.2 && map.values[6 * 6].abs() < 4.0 * error, "{best} {} {error}", map.values[6 * 6]);
}

#[test]
fn lime_and_kernel_shap_of_a_linear_net_are_sums_over_segments() {
    let segments = segmentation(6);
    let mut sums = [0f64; 6];
    contributions().iter().zip(&segments).for_each(|(v, &id)| sums[id] += f64::from(*v));
    let lime = explain(linear, json!({ "method": "lime", "nSamples": 60, "ridge": 0, "segmentation": ids(&segments) }));
    assert!(close(&per_segment(&lime, &segments), &sums, 1e-5));
    let details = lime.details.unwrap();
    assert!((details["intercept"].as_f64().unwrap() - 0.25).abs() < 1e-5);
    assert!((details["r2"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    assert_eq!(details["segments"], 6);
    for (budget, exact) in [(24, false), (30, false), (62, true), (1000, true)] {
        let request = json!({ "method": "kernel_shap", "nSamples": budget, "seed": 2, "segmentation": ids(&segments) });
        let shap = explain(linear, request);
        assert!(close(&per_segment(&shap, &segments), &sums, 1e-5), "{budget}");
        assert_eq!(shap.details.unwrap()["exact"], exact);
        let completeness = shap.completeness.unwrap();
        assert!(completeness.delta.abs() < 1e-9 && (completeness.baseline_score - 0.25).abs() < 1e-6);
        assert!(shap.warnings.is_empty());
        assert!(shap.passes.forward <= budget as f64 + 2.0);
    }
}

#[test]
fn lime_matches_the_normal_equations_with_an_intercept_column() {
    let segments = segmentation(5);
    let rows: Vec<Vec<bool>> = [31, 0, 7, 25, 30, 3, 17, 28, 9, 21, 14, 5].map(|z| coalition(z, 5)).to_vec();
    for (width, ridge) in [(0.25, 1.0), (0.25, 0.1), (0.8, 3.0)] {
        let data: Vec<u8> = rows.iter().flatten().map(|&v| u8::from(v)).collect();
        let request = json!({
            "method": "lime", "kernelWidth": width, "ridge": ridge,
            "segmentation": ids(&segments), "samples": { "data": data, "shape": [12, 5] }
        });
        let map = explain(crooked, request);
        let mut system = vec![vec![0.0; 7]; 6];
        for row in &rows {
            let z: Vec<f64> = row.iter().map(|&v| f64::from(u8::from(v))).chain([1.0]).collect();
            // Cosine with the row of ones.
            let dot: f64 = z[..5].iter().sum();
            let distance = if dot == 0.0 { 1.0 } else { 1.0 - dot / (dot.sqrt() * 5f64.sqrt()) };
            let w = (-distance * distance / (width * width)).exp();
            let y = masked(crooked, &shown(&segments, row));
            for i in 0..6 {
                (0..6).for_each(|j| system[i][j] += w * z[i] * z[j]);
                system[i][6] += w * z[i] * y;
            }
        }
        (0..5).for_each(|i| system[i][i] += ridge);
        let expected = eliminate(system);
        assert!(close(&per_segment(&map, &segments), &expected[..5], 1e-4), "{width} {ridge}");
        assert!((map.details.unwrap()["intercept"].as_f64().unwrap() - expected[5]).abs() < 1e-4);
    }
}

/// By the definition, over all orders at once.
fn shapley(segments: &[usize], score: Score) -> Vec<f64> {
    let m = segments.iter().max().unwrap() + 1;
    let worth: Vec<f64> = (0..1 << m).map(|z| masked(score, &shown(segments, &coalition(z, m)))).collect();
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    (0..m)
        .map(|j| {
            let without = (0..1usize << m).filter(|z| z >> j & 1 == 0);
            let share = |z: usize| {
                let k = z.count_ones() as usize;
                factorial(k) * factorial(m - k - 1) / factorial(m)
            };
            without.map(|z| share(z) * (worth[z | 1 << j] - worth[z])).sum()
        })
        .collect()
}

#[test]
fn kernel_shap_over_all_coalitions_is_the_shapley_values() {
    for m in 1..=8 {
        let segments = segmentation(m);
        let request = json!({ "method": "kernel_shap", "nSamples": 256, "segmentation": ids(&segments) });
        let map = explain(crooked, request);
        assert!(close(&per_segment(&map, &segments), &shapley(&segments, crooked), 1e-4), "{m}");
        let details = map.details.unwrap();
        assert_eq!((&details["exact"], &details["standardError"]), (&json!(true), &json!(0.0)));
        // All coalitions as samples from outside weigh by the kernel, in whatever order.
        let data: Vec<u8> = (0..1 << m).rev().flat_map(|z| coalition(z, m)).map(u8::from).collect();
        let given = json!({
            "method": "kernel_shap", "segmentation": ids(&segments), "samples": { "data": data, "shape": [1 << m, m] }
        });
        assert!(close(&per_segment(&explain(crooked, given), &segments), &shapley(&segments, crooked), 1e-4), "{m}");
    }
}

#[test]
fn sampled_kernel_shap_comes_as_near_as_it_says() {
    // 14 segments have 16382 coalitions; 400 are tried.
    let segments = segmentation(14);
    let exact = shapley(&segments, crooked);
    let (mut squared, mut said) = (0.0, 0.0);
    let seeds = 24;
    for seed in 0..seeds {
        let request = json!({ "method": "kernel_shap", "seed": seed, "segmentation": ids(&segments) });
        let map = explain(crooked, request);
        let phi = per_segment(&map, &segments);
        assert!(map.completeness.unwrap().delta.abs() < 1e-9);
        squared += phi.iter().zip(&exact).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / 14.0 / f64::from(seeds);
        said += map.details.unwrap()["standardError"].as_f64().unwrap().powi(2) / f64::from(seeds);
    }
    let (error, said) = (squared.sqrt(), said.sqrt());
    let size = (exact.iter().map(|v| v * v).sum::<f64>() / 14.0).sqrt();
    assert!(error < 0.15 * size, "{error} of {size}");
    assert!((0.6..1.7).contains(&(said / error)), "said {said}, was {error}");
}

#[test]
fn too_few_coalitions_are_said_and_shared_evenly() {
    let segments = segmentation(14);
    let map = explain(linear, json!({ "method": "kernel_shap", "nSamples": 6, "segmentation": ids(&segments) }));
    assert_eq!(map.warnings[0].code, "underdetermined");
    assert_eq!(map.details.as_ref().unwrap()["standardError"], Value::Null);
    assert!(map.completeness.unwrap().delta.abs() < 1e-9 && map.values.iter().all(|v| v.abs() < 100.0));
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

/// Pixels that differ from the right or the lower neighbour.
fn borders(ids: &[usize], [h, w]: [usize; 2]) -> Vec<bool> {
    (0..h * w).map(|i| (i % w + 1 < w && ids[i] != ids[i + 1]) || (i / w + 1 < h && ids[i] != ids[i + w])).collect()
}

/// The share of the regions' border pixels with a border of a superpixel within two rows and columns.
fn recall(ids: &[usize], regions: &[usize], [h, w]: [usize; 2]) -> f64 {
    let (found, truth) = (borders(ids, [h, w]), borders(regions, [h, w]));
    let near = |i: &usize| {
        let (y, x) = (i / w, i % w);
        (y.saturating_sub(2)..(y + 3).min(h)).any(|y| (x.saturating_sub(2)..(x + 3).min(w)).any(|x| found[y * w + x]))
    };
    let all: Vec<usize> = (0..h * w).filter(|&i| truth[i]).collect();
    all.iter().filter(|i| near(i)).count() as f64 / all.len() as f64
}

#[test]
fn superpixels_keep_to_the_borders_as_those_of_scikit_image() {
    let read = |name: &str| Photo::decode(&std::fs::read(golden("superpixels").join(name)).unwrap()).unwrap();
    let (picture, regions) = (read("picture.png"), read("regions.png"));
    let shape = [picture.height as usize, picture.width as usize];
    let regions: Vec<usize> = regions.rgb.chunks(3).map(|rgb| usize::from(rgb[0])).collect();
    let pixels: Vec<f32> =
        (0..3).flat_map(|c| picture.rgb.iter().skip(c).step_by(3)).map(|&v| f32::from(v) / 255.0).collect();
    for case in read_json(&golden("superpixels/golden.json"))["cases"].as_array().unwrap() {
        let count = case["count"].as_u64().unwrap() as usize;
        let theirs = (case["segments"].as_f64().unwrap(), case["recall"].as_f64().unwrap());
        let ids = slic(&pixels, shape, count, case["compactness"].as_f64().unwrap());
        let found = (ids.iter().max().unwrap() + 1) as f64;
        let recall = recall(&ids, &regions, shape);
        println!("{count}: {found} superpixels, recall {recall:.4}; scikit-image {theirs:?}");
        assert!(recall >= 0.9 && recall >= theirs.1 - 0.03, "{count}: {recall}");
        assert!((0.7..=1.25).contains(&(found / count as f64)), "{count}: {found}");
        assert!((0.7..=1.6).contains(&(found / theirs.0)), "{count}: {found} and {}", theirs.0);
    }
}
