//! Methods along a path: blur IG, guided IG, XRAI and its segments, on nets solved by hand and beside slow twins.

use std::collections::BTreeSet;

use burn::tensor::Tensor;
use serde_json::{Value, json};
use sightline::Result;
use sightline::baseline::Baseline;
use sightline::explainer::Attribution;
use sightline::felzenszwalb::Graph;
use sightline::pass::Pass;
use sightline::preprocess::PreprocessConfig;

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

// Guided IG

/// 2 a + b
fn two_and_one(x: Tensor<4>) -> Tensor<4> {
    sum(times(x, |i| [2.0, 1.0][i]))
}

fn linear(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    logits(two_and_one(x))
}

/// 2 a^2 + b^2
fn independent(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    logits(two_and_one(x.clone() * x))
}

/// (2 a + b)^2
fn dependent(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let y = two_and_one(x);
    logits(y.clone() * y)
}

#[test]
fn f3_guided_ig_of_pairs_four_quadratics() {
    let cases: [(Forward, f64, f64, [f32; 2]); 5] = [
        (dependent, 0.1, 0.0, [54.0, 27.0]),
        (dependent, 1.0, 0.5, [54.0, 27.0]),
        (dependent, 0.1, 1.0, [72.0, 9.0]),
        (independent, 0.1, 0.4, [18.0, 9.0]),
        (linear, 0.1, 0.5, [6.0, 3.0]),
    ];
    for (forward, fraction, max_dist, expected) in cases {
        let request = json!({ "method": "guided_ig", "nSteps": 1000, "fraction": fraction, "maxDist": max_dist });
        let map = explain([1, 1, 2], forward, &[3.0, 3.0], request);
        assert!(map.values.iter().zip(expected).all(|(got, e)| (got - e).abs() < 0.01 * e), "{:?}", map.values);
        let c = map.completeness.unwrap();
        assert!((c.sum - f64::from(expected[0] + expected[1])).abs() < 0.1 && c.baseline_score == 0.0, "{c:?}");
    }
    // In between: still complete, and between both.
    let request = json!({ "method": "guided_ig", "nSteps": 1000, "fraction": 0.1, "maxDist": 0.2 });
    let map = explain([1, 1, 2], dependent, &[3.0, 3.0], request);
    assert!(map.completeness.unwrap().delta.abs() < 0.1);
    assert!((55.0..71.0).contains(&map.values[0]) && (10.0..26.0).contains(&map.values[1]), "{:?}", map.values);
    // Downwards, from a given baseline.
    let baseline = json!({ "data": [3.0, 3.0], "shape": [1, 1, 2] });
    let request =
        json!({ "method": "guided_ig", "nSteps": 1000, "fraction": 0.1, "maxDist": 0.4, "baseline": baseline });
    close(&explain([1, 1, 2], independent, &[0.0, 0.0], request).values, &[-18.0, -9.0], 0.1);
}

#[test]
fn guided_ig_is_exact_on_a_linear_model_whatever_the_path() {
    let x: Vec<f32> = (0..24).map(|i| (i as f32 * 1.3).cos() * 2.0).collect();
    for (steps, fraction, max_dist) in
        [(1, 0.25, 0.02), (7, 0.25, 0.02), (20, 0.01, 1.0), (3, 1.0, 0.0), (10, 0.6, 0.5)]
    {
        for baseline in ["mean", "black", "blur", "noise"] {
            let request = json!({ "method": "guided_ig", "nSteps": steps, "fraction": fraction, "maxDist": max_dist, "baseline": baseline });
            let map = explain([3, 2, 4], waves, &x, request);
            let id = Baseline::from_id(baseline, 10.0, 0).unwrap();
            let origin = id.of(&x, [3, 2, 4], &preprocess());
            let expected: Vec<f32> = x.iter().zip(&origin).enumerate().map(|(i, (x, o))| wave(i) * (x - o)).collect();
            close(&map.values, &expected, 1e-5);
            assert!(map.completeness.unwrap().delta.abs() < 1e-5);
        }
    }
    // From the photo itself there is no way to go.
    let itself = json!({ "data": x, "shape": [3, 2, 4] });
    let map = explain([3, 2, 4], waves, &x, json!({ "method": "guided_ig", "nSteps": 3, "baseline": itself }));
    assert_eq!(map.values, [0.0; 24]);
}

// Blur IG

const TALL: [usize; 3] = [2, 5, 7];

/// sum w x^3 + (sum w x)^2: every pixel's gradient depends on all others.
fn curved(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let y = sum(times(x.clone(), wave));
    logits(sum(times(x.clone() * x.clone() * x, wave)) + y.clone() * y)
}

fn curved_gradient(x: &[f64]) -> Vec<f64> {
    let y: f64 = x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * v).sum();
    x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * (3.0 * v * v + 2.0 * y)).collect()
}

/// Each pixel as a weighted sum over all within 4 sigma in each direction, zeros outside.
fn blurred(x: &[f64], [c, h, w]: [usize; 3], sigma: f64) -> Vec<f64> {
    if sigma == 0.0 {
        return x.to_vec();
    }
    let radius = (4.0 * sigma + 0.5) as i64;
    let g = |d: i64| if d.abs() > radius { 0.0 } else { (-((d * d) as f64) / (2.0 * sigma * sigma)).exp() };
    let total: f64 = (-radius..=radius).map(g).sum();
    let at = |k: usize, y: usize, x: usize| (k * h + y) * w + x;
    let mut out = vec![0.0; x.len()];
    for k in 0..c {
        for (y0, x0) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            for (y1, x1) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                let weight = g(y0 as i64 - y1 as i64) * g(x0 as i64 - x1 as i64) / total / total;
                out[at(k, y0, x0)] += weight * x[at(k, y1, x1)];
            }
        }
    }
    out
}

fn photo(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 1.3).cos() + (i % 5) as f32 * 0.2).collect()
}

#[test]
fn blur_ig_beside_a_slow_twin() {
    let x = photo(70);
    let exact: Vec<f64> = x.iter().copied().map(f64::from).collect();
    for (steps, widest, sqrt, step) in [
        (10, 4.0, false, 0.01),
        (13, 50.0, false, 0.01),
        (9, 20.0, true, 0.01),
        (10, 3.0, false, 0.5),
        (6, 5.0, true, 0.0),
    ] {
        let sigma = |i: usize| {
            let even = i as f64 * widest / steps as f64;
            if sqrt { even.sqrt() } else { even }
        };
        let mut expected = [0.0f64; 70];
        for i in 0..steps {
            let width = sigma(i + 1) - sigma(i);
            let step = if step == 0.0 { width } else { step };
            let (here, there) = (blurred(&exact, TALL, sigma(i)), blurred(&exact, TALL, sigma(i) + step));
            for (k, g) in curved_gradient(&here).into_iter().enumerate() {
                expected[k] -= width * g * (there[k] - here[k]) / step;
            }
        }
        let expected = expected.map(|v| v as f32);
        let score = |x: &[f64]| {
            let y: f64 = x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * v).sum();
            x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * v.powi(3)).sum::<f64>() + y * y
        };
        for chunk in [1, 4, 64] {
            let map = explain(
                TALL,
                curved,
                &x,
                json!({
                    "method": "blur_ig", "nSteps": steps, "maxSigma": widest, "sqrtScale": sqrt, "gradStep": step, "chunkSize": chunk
                }),
            );
            let off = relative(&map.values, &expected);
            assert!(off < 2e-5, "{steps} {widest} {sqrt} {step} {chunk}: {off}");
            let c = map.completeness.unwrap();
            assert!((c.baseline_score - score(&blurred(&exact, TALL, sigma(steps)))).abs() < 1e-4, "{c:?}");
            assert!(
                (c.score - score(&exact)).abs() < 1e-4 && (c.delta - (c.sum - c.score + c.baseline_score)).abs() < 1e-9
            );
        }
    }
}

#[test]
fn blur_ig_adds_up() {
    let x = photo(70);
    let exact: Vec<f64> = x.iter().copied().map(f64::from).collect();
    // A linear model: w (x - L(widest)) for any number of steps, where the derivative looks at the next blur.
    for (steps, sqrt) in [(1, false), (5, false), (40, true)] {
        let request = json!({ "method": "blur_ig", "nSteps": steps, "maxSigma": 9, "sqrtScale": sqrt, "gradStep": 0 });
        let map = explain(TALL, waves, &x, request);
        let end = blurred(&exact, TALL, if sqrt { 3.0 } else { 9.0 });
        let expected: Vec<f32> = (0..70).map(|i| wave(i) * (exact[i] - end[i]) as f32).collect();
        close(&map.values, &expected, 1e-5);
        assert!(map.completeness.unwrap().delta.abs() < 1e-5);
    }
    // A function of each pixel by itself: the sine's difference, pixel by pixel, as steps get small.
    let end = blurred(&exact, TALL, 5.0);
    let expected: Vec<f32> = (0..70).map(|i| (exact[i].sin() - end[i].sin()) as f32).collect();
    for (step, tolerance) in [(0.0, 0.01), (0.01, 0.02)] {
        let request = json!({ "method": "blur_ig", "nSteps": 1000, "maxSigma": 5, "gradStep": step });
        let map = explain(TALL, |x, _| logits(sum(x.sin())), &x, request);
        close(&map.values, &expected, tolerance);
        let c = map.completeness.unwrap();
        assert!(c.delta.abs() < 0.02 * (c.score - c.baseline_score).abs(), "{c:?}");
    }
}

// XRAI

/// The algorithm as it is told, each gain worked out anew.
fn slow_xrai(attribution: &[f32], regions: &[Vec<bool>], least: usize, fast: bool) -> Vec<f32> {
    let mean = |pixels: &[usize]| pixels.iter().map(|&i| f64::from(attribution[i])).sum::<f64>() / pixels.len() as f64;
    let free = |region: &[bool], values: &[Option<f64>]| -> Vec<usize> {
        (0..region.len()).filter(|&i| region[i] && values[i].is_none()).collect()
    };
    let mut values = vec![None; attribution.len()];
    let mut left: Vec<&Vec<bool>> = regions.iter().collect();
    if fast {
        let nothing = values.clone();
        let gain = |region: &[bool]| mean(&free(region, &nothing));
        left.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    }
    while !left.is_empty() {
        let gain = |region: &[bool]| {
            let pixels = free(region, &values);
            if pixels.len() < least { f64::NEG_INFINITY } else { mean(&pixels) }
        };
        let gains: Vec<f64> = left.iter().map(|region| gain(region)).collect();
        let best = if fast { 0 } else { (0..left.len()).fold(0, |b, i| if gains[i] > gains[b] { i } else { b }) };
        let region = left.remove(best);
        if gains[best].is_finite() {
            free(region, &values).into_iter().for_each(|i| values[i] = Some(gains[best]));
        }
    }
    let rest: Vec<usize> = (0..values.len()).filter(|&i| values[i].is_none()).collect();
    values.iter().map(|v| v.unwrap_or_else(|| mean(&rest)) as f32).collect()
}

/// Channel k weighs (k + 1) times the wave.
fn channels(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    logits(sum(times(x, |i| wave(i % 80) * (i / 80 + 1) as f32)))
}

#[test]
fn xrai_beside_a_slow_twin_and_for_every_chunk_size() {
    let shape = [3, 8, 10];
    let x = photo(240);
    let origin = |b: Baseline| b.of(&x, shape, &preprocess());
    let (black, white) = (origin(Baseline::Black), origin(Baseline::White));
    let attribution: Vec<f32> = (0..80)
        .map(|p| {
            let of =
                |k: usize| wave(p) * (k + 1) as f32 * (x[k * 80 + p] - (black[k * 80 + p] + white[k * 80 + p]) / 2.0);
            (0..3).map(of).fold(f32::NEG_INFINITY, f32::max)
        })
        .collect();
    // Overlapping discs of many sizes, one of them twice, one empty; some corners in none.
    let mut regions: Vec<Vec<bool>> = (0..30)
        .map(|k: i64| {
            let (cy, cx, r) = (k * 5 % 8, k * 7 % 10, k % 5);
            (0..80).map(|p: i64| (p / 10 - cy).pow(2) + (p % 10 - cx).pow(2) <= r * r && p != 79).collect()
        })
        .collect();
    regions.push(regions[13].clone());
    regions.push(vec![false; 80]);
    let data: Vec<u8> = regions.iter().flatten().map(|&inside| inside.into()).collect();
    let mut maps = BTreeSet::new();
    for (algorithm, least) in [("full", 1), ("full", 4), ("full", 30), ("fast", 1), ("fast", 4), ("full", 81)] {
        let expected = slow_xrai(&attribution, &regions[..31], least, algorithm == "fast");
        for (chunk, quadrature) in [(1, "midpoint"), (3, "gauss_legendre"), (64, "gauss_legendre")] {
            let map = explain(
                shape,
                channels,
                &x,
                json!({
                    "method": "xrai", "algorithm": algorithm, "minPixelDiff": least, "nSteps": 7, "chunkSize": chunk, "quadrature": quadrature,
                    "segments": { "data": data, "shape": [32, 8, 10] }
                }),
            );
            assert_eq!(map.shape, [1, 8, 10]);
            close(&map.values, &expected, 1e-4);
        }
        maps.insert(expected.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    }
    assert!(maps.len() >= 5, "algorithms and sizes make a difference");
}

#[test]
fn xrai_worked_by_hand() {
    // One row, black at -1 and white at 1 by `baselines`: the attribution is w x, here x itself.
    let x = [4.0, 4.0, 2.0, 0.0, 6.0, -3.0];
    let baselines = json!({ "data": [-1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1], "shape": [2, 1, 1, 6] });
    let segments = json!({ "data": [
        1, 1, 1, 0, 0, 0, // mean 10/3
        1, 1, 0, 0, 0, 0, // mean 4: the first of "full" and of "fast"
        0, 1, 1, 1, 1, 0, // mean 3; once pixels 0 and 1 are gone, (2 + 0 + 6) / 3
        0, 0, 1, 1, 0, 0, // mean 1
    ], "shape": [4, 1, 6] });
    let request = |algorithm: &str, least: usize| json!({ "method": "xrai", "algorithm": algorithm, "minPixelDiff": least, "nSteps": 2, "segments": segments, "baselines": baselines });
    let map = |algorithm, least| explain([1, 1, 6], |x, _| logits(sum(x)), &x, request(algorithm, least)).values;
    let third = 8.0 / 3.0;
    // Then the first region's rest, pixel 2 alone, has 2 and the third region's 8/3.
    close(&map("full", 1), &[4.0, 4.0, third, third, third, -3.0], 1e-5);
    // By their means over everything the first region comes second, with pixel 2 alone.
    close(&map("fast", 1), &[4.0, 4.0, 2.0, 3.0, 3.0, -3.0], 1e-5);
    // Regions of two pixels or more: it would add one.
    close(&map("fast", 2), &[4.0, 4.0, third, third, third, -3.0], 1e-5);
    // Only the third region has four, and the rest, (4 + -3) / 2, is one region.
    close(&map("full", 4), &[0.5, 3.0, 3.0, 3.0, 3.0, 0.5], 1e-5);
}

#[test]
fn xrai_finds_regions_by_colour() {
    // Four quarters of different colours on 48 x 48; the model reads the right half alone.
    const SIDE: usize = 48;
    let colour = |i: usize| {
        let (k, y, x) = (i / SIDE / SIDE, i / SIDE % SIDE, i % SIDE);
        [0.9f32, -0.7, 0.2, -0.1][(y / 24) * 2 + x / 24] * (k + 1) as f32
    };
    let x: Vec<f32> = (0..3 * SIDE * SIDE).map(colour).collect();
    let right: Forward = |x, _| logits(sum(times(x, |i| (i % SIDE / 24) as f32)));
    let map = explain([3, SIDE, SIDE], right, &x, json!({ "method": "xrai", "nSteps": 4 }));
    let at = |y: usize, x: usize| map.values[y * SIDE + x];
    // Regions grow by 5 pixels into their neighbours: away from the borders each quarter has one value.
    for (y, x) in [(0, 0), (0, 30), (30, 0), (30, 30)] {
        let value = at(y + 8, x + 8);
        assert!((y..y + 18).all(|y| (x..x + 18).all(|x| (at(y, x) - value).abs() < 1e-5)), "quarter at {y}, {x}");
    }
    assert!((at(5, 5) - at(40, 5)).abs() < 0.2 && (at(5, 40) - at(40, 40)).abs() > 0.5);
    let sums: f32 = map.values.iter().sum();
    let again = explain(
        [3, SIDE, SIDE],
        right,
        &x,
        json!({ "method": "xrai", "nSteps": 4, "algorithm": "fast", "chunkSize": 3 }),
    );
    assert!(
        (again.values.iter().sum::<f32>() - sums).abs() < 1e-2 * sums.abs(),
        "what is handed out is the same in sum"
    );
    // One colour everywhere is one region.
    let flat = explain([3, SIDE, SIDE], right, &[0.5; 3 * SIDE * SIDE], json!({ "method": "xrai", "nSteps": 4 }));
    assert!(flat.values.iter().all(|v| *v == flat.values[0]));
    assert_eq!(flat.warnings[0].code, "constant-map");
}

#[test]
fn tensors_of_another_shape_are_refused() {
    for (option, shape) in [
        ("segments", vec![4, 5, 6]),
        ("segments", vec![4, 6]),
        ("baselines", vec![1, 1, 5, 6]),
        ("baselines", vec![17, 1, 4, 6]),
    ] {
        let data = vec![0; shape.iter().product()];
        let request = json!({ "method": "xrai", "nSteps": 1, option: { "data": data, "shape": shape } });
        let error = attribute(&mut net([1, 4, 6], 2, &[], waves), &image(&[0.5; 24], [1, 4, 6]), request).unwrap_err();
        assert!(error.to_string().contains(option), "{error}");
    }
}

// All three

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

// Segments

/// The picture that the golden script describes, planes of `[h, w]`.
fn picture(h: u64, w: u64, block: u64, noise: f64) -> Vec<Vec<f64>> {
    let value = |y: u64, x: u64, c: u64| {
        let region = (y / block + 3 * (x / (block + 3)) + (x * x + y * y) / (block * block * 7)) % 11;
        let colour = ((region + 1) * (c + 2) * 37 % 101) as f64 / 128.0;
        let grain = (((y * w + x) * 3 + c) as u32).wrapping_mul(2_654_435_761) >> 24;
        colour * (1.0 - noise) + f64::from(grain) / 256.0 * noise * 0.5 - 0.5
    };
    (0..3).map(|c| (0..h * w).map(|i| value(i / w, i % w, c)).collect()).collect()
}

#[test]
fn segments_are_those_of_scikit_image() {
    let cases = read_json(&golden("felzenszwalb/cases.json"));
    let bytes = std::fs::read(golden("felzenszwalb/labels.safetensors")).unwrap();
    let labels = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() >= 30);
    for (k, case) in cases.iter().enumerate() {
        let int = |key: &str| case[key].as_u64().unwrap();
        let number = |key: &str| case[key].as_f64().unwrap();
        let (h, w) = (int("height"), int("width"));
        let graph =
            Graph::new(&picture(h, w, int("block"), number("noise")), [h as usize, w as usize], number("sigma"));
        let got = graph.segments(number("scale"), int("min_size") as usize);
        let view = labels.tensor(&k.to_string()).unwrap();
        let expected = view.data().as_chunks::<2>().0.iter().map(|&b| u32::from(u16::from_le_bytes(b)));
        let expected: Vec<u32> = expected.collect();
        assert_eq!(got.iter().max().unwrap() + 1, int("segments") as u32, "{case}");
        let same = got.iter().zip(&expected).filter(|(a, b)| a == b).count();
        assert_eq!(same, expected.len(), "{case}");
    }
}
