//! Methods along a path, on nets solved by hand and beside slow twins.

mod blur_ig;
mod felzenszwalb;
mod guided_ig;
mod integrated_gradients;
mod xrai;

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use serde_json::{Value, json};
use sightline::Result;
use sightline::ask::fill::Baseline;
use sightline::explain::Attribution;
use sightline::methods::path::felzenszwalb::Graph;
use sightline::nn::pass::Pass;
use sightline::photo::preprocess::PreprocessConfig;

use crate::common::nets::*;
use crate::common::*;

fn explain(shape: [usize; 3], forward: Forward, x: &[f32], mut request: Value) -> Attribution {
    request["target"] = json!(0);
    attribute(&mut net(shape, 2, &[], forward), &image(x, shape), request).unwrap()
}

/// That of the nets.
fn preprocess() -> PreprocessConfig {
    PreprocessConfig::from_pretrained_cfg(&json!({})).unwrap()
}

/// `[N, 1, 1, 1]`
fn sum(x: Tensor<4>) -> Tensor<4> {
    x.sum_dims(&[1, 2, 3])
}

/// x times the same numbers for each input, `[C, H, W]` of them.
fn times(x: Tensor<4>, factor: impl Fn(usize) -> f32) -> Tensor<4> {
    let [_, c, h, w] = x.dims();
    let data: Vec<f32> = (0..c * h * w).map(factor).collect();
    x * t(&data, [1, c, h, w])
}

fn wave(i: usize) -> f32 {
    (i as f32 * 0.7 + 0.3).sin()
}

fn waves(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    logits(sum(times(x, wave)))
}

fn close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance, "{got} is not {expected}");
    }
}

fn photo(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 1.3).cos() + (i % 5) as f32 * 0.2).collect()
}

#[test]
fn equal_functions_get_equal_maps() {
    for request in [
        json!({ "method": "blur_ig", "maxSigma": 2 }),
        json!({ "method": "guided_ig", "nSteps": 20 }),
        json!({ "method": "xrai", "nSteps": 20, "minPixelDiff": 1 }),
    ] {
        let maps = [f2_direct as Forward, f2_equivalent]
            .map(|net| explain([1, 1, 2], net, &[3.0, 1.0], request.clone()).values);
        close(&maps[0], &maps[1], 1e-6);
        assert!(maps[0].iter().any(|v| *v != 0.0), "{request}");
    }
}

#[test]
fn f6_a_dead_net_has_an_empty_map_and_says_so() {
    for method in ["blur_ig", "guided_ig", "xrai"] {
        let map = explain([1, 2, 2], dead, &[1.0, 2.0, 3.0, 4.0], json!({ "method": method, "nSteps": 5 }));
        assert_eq!(map.values, [0.0; 4], "{method}");
        assert_eq!((map.warnings[0].code, map.warnings[0].cause), ("zero-map", Some("saturated")), "{method}");
    }
}
