//! What holds for every net and every photo, on random ones: completeness, the same numbers for any
//! size of chunks, and resizing that keeps what is even.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;
use sightline::Explainer;
use sightline::explain::Image;
use sightline::nn::layers::{Conv2dSpec, LinearSpec, Pool};
use sightline::nn::net::{Op, PlaceOp};
use sightline::photo::Photo;
use sightline::photo::resize::{Interpolation, resize};
use sightline_kernels::Act;

use crate::common::nets::{image, staged};
use crate::common::*;

/// The same cases in each run.
fn holds<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(&strategy, test).unwrap_or_else(|failure| panic!("{failure}"));
}

/// A small net: convolutions with an activation and perhaps a pool after each, then a linear layer.
#[derive(Debug, Clone)]
struct Net {
    channels: Vec<usize>,
    kernel: usize,
    pool: bool,
    act: Act,
    size: [usize; 2],
    seed: u64,
}

const CLASSES: usize = 3;

fn nets(acts: &'static [Act]) -> impl Strategy<Value = Net> {
    (
        prop::collection::vec(1usize..6, 1..3),
        prop_oneof![Just(1usize), Just(3)],
        any::<bool>(),
        prop::sample::select(acts),
        [4usize..9, 4..9],
        any::<u64>(),
    )
        .prop_map(|(channels, kernel, pool, act, size, seed)| Net { channels, kernel, pool, act, size, seed })
}

impl Net {
    fn open(&self) -> (Explainer, Image) {
        let input = [3, self.size[0], self.size[1]];
        let mut inputs = 3;
        let mut ops = Vec::new();
        for (i, &channels) in self.channels.iter().enumerate() {
            ops.push(Op::Conv(Conv2dSpec::new(format!("conv{i}"), inputs, channels, self.kernel).bias(true)));
            ops.push(Op::Act(self.act));
            inputs = channels;
        }
        if self.pool {
            ops.push(Op::AvgPool(Pool::new(2, 2, 0)));
        }
        ops.push(Op::GlobalAvgPool);
        let linear = LinearSpec { name: "fc".into(), inputs, outputs: CLASSES, bias: true };
        ops.push(Op::Places(vec![PlaceOp::Linear(linear)]));
        let mut next = lcg(self.seed);
        let mut random = || (next() >> 33) as f32 / (1u32 << 30) as f32 - 1.0;
        let explainer = staged(input, CLASSES, "", &[("all", ops)], |param| {
            (0..param.shape.iter().product()).map(|_| random()).collect()
        });
        let pixels: Vec<f32> = (0..input.iter().product()).map(|_| 2.0 * random()).collect();
        (explainer, image(&pixels, input))
    }
}

#[test]
fn attributions_sum_to_the_difference_of_scores() {
    let strategy = (nets(&[Act::Relu, Act::Silu, Act::Gelu]), 0..CLASSES);
    holds(40, strategy, |(net, target)| {
        let (mut explainer, input) = net.open();
        // What a method leaves over, as a share of what it hands out.
        for (method, most) in [("deep_lift", 1e-4), ("integrated_gradients", 0.03)] {
            let mut request = json!({ "method": method, "target": target });
            if method == "integrated_gradients" {
                request["nSteps"] = json!(200);
            }
            let map = attribute(&mut explainer, &input, request).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let completeness = map.completeness.expect("both have that axiom");
            let handed_out: f64 = map.values.iter().map(|value| f64::from(value.abs())).sum();
            let expected = completeness.score - completeness.baseline_score;
            let sum: f64 = map.values.iter().map(|value| f64::from(*value)).sum();
            prop_assert!((completeness.sum - sum).abs() <= 1e-4 * (1.0 + handed_out), "{method}");
            prop_assert!(
                (sum - expected).abs() <= most * (0.01 + handed_out),
                "{method}: {sum} of {expected}, {net:?}"
            );
        }
        Ok(())
    });
}

#[test]
fn the_size_of_chunks_changes_no_number() {
    let methods = prop::sample::select(vec![
        json!({ "method": "integrated_gradients", "nSteps": 7 }),
        json!({ "method": "smooth_grad", "nSamples": 5 }),
        json!({ "method": "occlusion", "window": 3, "stride": 2 }),
        json!({ "method": "rise", "nSamples": 9 }),
        json!({ "method": "lime", "nSamples": 12, "nSegments": 5 }),
        json!({ "method": "kernel_shap", "nSamples": 12, "nSegments": 5 }),
    ]);
    holds(40, (nets(&[Act::Relu]), methods, 1u32..9), |(net, request, chunk)| {
        let (mut explainer, input) = net.open();
        let mut map = |chunk: u32| {
            let mut request = request.clone();
            request["chunkSize"] = json!(chunk);
            attribute(&mut explainer, &input, request).map_err(|e| TestCaseError::fail(e.to_string()))
        };
        let (alone, together) = (map(1)?, map(chunk)?);
        let largest = alone.values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        for (a, b) in alone.values.iter().zip(&together.values) {
            prop_assert!((a - b).abs() <= 1e-4 * largest + 1e-7, "{request} in chunks of {chunk}: {a} and {b}");
        }
        Ok(())
    });
}

#[test]
fn an_even_photo_stays_even_when_it_is_resized() {
    let filters =
        prop_oneof![Just(Interpolation::Bilinear), Just(Interpolation::Bicubic), Just(Interpolation::Lanczos)];
    let sizes = [1u32..120, 1..120, 1..120, 1..120];
    holds(200, (sizes, filters, any::<[u8; 3]>()), |([w, h, width, height], filter, colour)| {
        let rgb = colour.repeat((w * h) as usize);
        let resized =
            resize(&Photo { width: w, height: h, rgb, scaled_from: None }, width as usize, height as usize, filter);
        prop_assert_eq!((resized.width, resized.height), (width, height));
        prop_assert!(
            resized.rgb.chunks(3).all(|pixel| pixel == colour),
            "{w} x {h} to {width} x {height} by {filter:?}"
        );
        Ok(())
    });
}

#[test]
fn a_part_of_a_part_is_a_part() {
    let boxes = [0u32..20, 0..20, 1..20, 1..20];
    holds(200, (boxes.clone(), boxes), |([x, y, w, h], [x2, y2, w2, h2])| {
        let (width, height) = (23, 29);
        let rgb: Vec<u8> = (0..3 * width * height).map(|i| (i * 7 % 251) as u8).collect();
        let photo = Photo { width, height, rgb, scaled_from: None };
        let fits = x + w <= width && y + h <= height;
        let Ok(part) = photo.part(x, y, w, h) else {
            prop_assert!(!fits);
            return Ok(());
        };
        prop_assert!(fits && (part.width, part.height) == (w, h));
        let Ok(inner) = part.part(x2, y2, w2, h2) else { return Ok(()) };
        prop_assert_eq!(inner, photo.part(x + x2, y + y2, w2, h2).expect("it lies within"));
        Ok(())
    });
}
