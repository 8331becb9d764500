//! CAMs against hand-solved nets, slow twins written from the formulas, and the axioms that they have.

use std::cell::{Cell, RefCell};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::explainer::{Attribution, Control, Image, Unwatched};
use sightline::layers::{Act, Conv2dSpec, Param};
use sightline::methods::{Group, METHODS, Reads};
use sightline::models::{Fold, ModelSpec};
use sightline::net::{self, Op};
use sightline::package::{Config, Package, Weights};
use sightline::pass::{Activation, Pass, Tappable};
use sightline::{Error, Explainer};

use crate::common::*;

/// A net from its stages, with weights that are given by name.
fn build(
    input: [usize; 3],
    classes: usize,
    stages: &[(&str, Vec<Op>)],
    weight: impl Fn(&Param) -> Vec<f32>,
) -> Explainer {
    let config = json!({ "architecture": "", "num_classes": classes, "pretrained_cfg": { "input_size": [3, 8, 8] } });
    let mut config = Config::parse(&config.to_string()).unwrap();
    config.preprocess.input_size = input;
    let stages: Vec<(String, Vec<Op>)> = stages.iter().map(|(name, ops)| ((*name).into(), ops.clone())).collect();
    let plan = net::plan(&config, "a", stages).unwrap();
    let mut weights = Weights::default();
    for param in plan.params() {
        weights.insert(&param.name, &param.shape, weight(&param), &Device::flex());
    }
    let model = plan.build(&mut weights).unwrap();
    explainer(Package { model, preprocess: config.preprocess, labels: vec![], temperature: 1.0, parameters: 0 })
}

fn conv(name: &str, inputs: usize, outputs: usize, kernel: usize) -> Op {
    Op::Conv(Conv2dSpec::new(name, inputs, outputs, kernel).padding(None).bias(true))
}

/// Numbers without a pattern, between -0.5 and 0.5.
fn noise(seed: u64, length: usize) -> Vec<f32> {
    let mut seed = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1u32 << 24) as f32 - 0.5
    };
    (0..length).map(|_| next()).collect()
}

/// F1: captum's `BasicModel_ConvNet_One_Conv`, and a class of the opposite score.
fn one_conv() -> (Explainer, Image) {
    let first = vec![conv("conv", 1, 2, 3), Op::Tap("conv".into()), Op::Act(Act::Relu), Op::Tap("a".into())];
    let last = vec![Op::Flatten, net::linear("fc", 8, 1), Op::Act(Act::Relu), net::linear("two", 1, 2)];
    let weight = |param: &Param| match param.name.as_str() {
        "conv.weight" => vec![1.0; 18],
        "conv.bias" => vec![-50.0, -75.0],
        "fc.weight" => [[1.0; 4], [1.0, -1.0, -1.0, -1.0]].concat(),
        "two.weight" => vec![1.0, -1.0],
        _ => vec![0.0; param.shape.iter().product()],
    };
    let image = Image::Tensor { data: (0..16u8).map(f32::from).collect(), shape: vec![1, 4, 4] };
    (build([1, 4, 4], 2, &[("conv", first), ("fc", last)], weight), image)
}

fn close(what: &str, got: &[f32], expected: &[f64]) {
    let expected: Vec<f32> = expected.iter().map(|v| *v as f32).collect();
    let difference = relative(got, &expected);
    assert!(difference < 1e-5, "{what}: {got:?}, expected {expected:?}");
}

#[test]
fn f1_every_cam_of_captums_one_conv_net() {
    let (mut explainer, image) = one_conv();
    let mut map = |request: Value| attribute(&mut explainer, &image, request).unwrap().values;
    // conv: (-5, 4, 31, 40) and (-30, -21, 6, 15), the activations a their positive parts. The score is 54 with gradients (1, 1, 1, 1) and
    // (1, -1, -1, -1) at a, and 0 in place of the first two cells of the second channel, and the first of the first, at conv.
    let (conv, a) =
        ([[-5.0, 4.0, 31.0, 40.0], [-30.0, -21.0, 6.0, 15.0]], [[0.0, 4.0, 31.0, 40.0], [0.0, 0.0, 6.0, 15.0]]);
    let weighted = |maps: [[f64; 4]; 2], w: [f64; 2]| [0, 1, 2, 3].map(|u| w[0] * maps[0][u] + w[1] * maps[1][u]);
    let root = |v: f64| v.sqrt();
    // Eigenvector of a 2 x 2 matrix by its angle; the sign by the sum of the channels.
    let eigen = |maps: [[f64; 4]; 2], centre: bool| {
        let centred = maps.map(|m| m.map(|v| if centre { v - m.iter().sum::<f64>() / 4.0 } else { v }));
        let dot = |i: usize, j: usize| (0..4).map(|u| centred[i][u] * centred[j][u]).sum::<f64>();
        let angle = 0.5 * (2.0 * dot(0, 1)).atan2(dot(0, 0) - dot(1, 1));
        let map = weighted(centred, [angle.cos(), angle.sin()]);
        let agreement: f64 = (0..4).map(|u| (map[u] - map.iter().sum::<f64>() / 4.0) * (maps[0][u] + maps[1][u])).sum();
        map.map(|v| v * agreement.signum())
    };
    for (method, at_conv, at_a) in [
        ("grad_cam", [11.25, 13.5, 20.25, 22.5], [0.0, 4.0, 28.0, 32.5]),
        ("hires_cam", [0.0, 4.0, 25.0, 25.0], [0.0, 4.0, 25.0, 25.0]),
        ("layer_cam", [0.0, 4.0, 31.0, 40.0], [0.0, 4.0, 31.0, 40.0]),
        ("xgrad_cam", weighted(conv, [75.0 / 70.0, -21.0 / -30.0]), weighted(a, [1.0, -1.0])),
        ("grad_cam_plus_plus", weighted(conv, [3.0 / 72.0, 0.0]), weighted(a, [4.0 / 77.0, 1.0 / 23.0])),
        (
            "norm_grad",
            [0.0, root(16.0 + 441.0), root(2.0 * (961.0 + 36.0)), root(2.0 * (1600.0 + 225.0))],
            [0.0, root(2.0) * 4.0, root(2.0 * (961.0 + 36.0)), root(2.0 * (1600.0 + 225.0))],
        ),
        ("eigen_cam", eigen(conv, true), eigen(a, true)),
        (
            "eigen_grad_cam",
            eigen([[0.0, 4.0, 31.0, 40.0], [0.0, 0.0, -6.0, -15.0]], true),
            eigen([[0.0, 4.0, 31.0, 40.0], [0.0, 0.0, -6.0, -15.0]], true),
        ),
        // Without channel 0 the last ReLU is closed at a; at conv its bias is not there to stop either.
        ("ablation_cam", weighted(conv, [1.0, (54.0 - 75.0) / 54.0]), weighted(a, [1.0, (54.0 - 75.0) / 54.0])),
    ] {
        close(method, &map(json!({ "method": method, "target": 0, "layer": "conv" })), &at_conv);
        close(method, &map(json!({ "method": method, "target": 0, "layer": "a" })), &at_a);
        close(method, &map(json!({ "method": method, "target": 0 })), &at_a);
    }
    close("hires_cam sums to the score", &[map(json!({ "method": "hires_cam", "target": 0 })).iter().sum()], &[54.0]);
    close("not centred", &map(json!({ "method": "eigen_cam", "centre": false })), &eigen(a, false));
    close(
        "an epsilon",
        &map(json!({ "method": "grad_cam_plus_plus", "target": 0, "epsilon": 1.0 })),
        &weighted(a, [4.0 / 78.0, 1.0 / 24.0]),
    );
    // Score-CAM: the masked inputs by hand. Resized by pixel centres, a row of cells p, q becomes p, 3/4 p + 1/4 q, 1/4 p + 3/4 q, q.
    let masked_score = |cells: [f64; 4]| {
        let mix = |i: usize| [1.0, 0.75, 0.25, 0.0][i];
        let resized = |y: usize, x: usize| {
            let row = |r: usize| mix(x) * cells[2 * r] + (1.0 - mix(x)) * cells[2 * r + 1];
            mix(y) * row(0) + (1.0 - mix(y)) * row(1)
        };
        let (low, high) =
            (cells.iter().copied().fold(f64::MAX, f64::min), cells.iter().copied().fold(f64::MIN, f64::max));
        let x = |y: usize, x: usize| (4 * y + x) as f64 * (resized(y, x) - low) / (high - low);
        let sum = |top: usize, left: usize| (0..9).map(|k| x(top + k / 3, left + k % 3)).sum::<f64>();
        let relu = |v: f64| v.max(0.0);
        let cells = [sum(0, 0), sum(0, 1), sum(1, 0), sum(1, 1)];
        let first: f64 = cells.iter().map(|c| relu(c - 50.0)).sum();
        let second = cells.map(|c| relu(c - 75.0));
        relu(first + second[0] - second[1] - second[2] - second[3])
    };
    let scores = a.map(masked_score);
    let share = 1.0 / (1.0 + (scores[1] - scores[0]).exp());
    assert!(scores[0] > 0.0 && scores[1] > 0.0 && scores[0] != scores[1], "{scores:?}");
    close("score_cam", &map(json!({ "method": "score_cam", "target": 0 })), &weighted(a, [share, 1.0 - share]));
    close("increase", &map(json!({ "method": "score_cam", "target": 0, "difference": true })), &weighted(a, scores));
}

fn golden_model(name: &str) -> (Explainer, Image) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let gain = meta["gain"].as_f64().unwrap_or(1.0) as f32;
    let package = load(&config, &hashed_weights(&config, meta["seed"].as_u64().unwrap(), gain)).unwrap();
    (explainer(package), tensor(&read_tensors(&folder.join("golden.safetensors")), "input"))
}

fn host(activation: Activation) -> Vec<f64> {
    let data = match activation {
        Activation::Map(t) => t.into_data(),
        Activation::Tokens(t) => t.into_data(),
        Activation::Logits(t) => t.into_data(),
    };
    data.try_into_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// A layer's numbers as `[channel][place]`.
fn planes(fold: Fold, values: &[f64]) -> Vec<Vec<f64>> {
    match fold {
        Fold::Map { h, w, .. } => values.chunks(h * w).map(<[f64]>::to_vec).collect(),
        Fold::Tokens { prefix, h, w, width } => {
            (0..width).map(|k| (0..h * w).map(|u| values[(prefix + u) * width + k]).collect()).collect()
        }
    }
}

/// The score of logits, by the definitions.
fn score(target: &Value, logits: &[f64]) -> f64 {
    let sum = |part: &dyn Fn(usize) -> bool| {
        (0..logits.len()).filter(|k| part(*k)).map(|k| logits[k].exp()).sum::<f64>().ln()
    };
    if let Some(k) = target.as_u64() {
        logits[k as usize]
    } else if let Some(pair) = target["contrast"].as_array() {
        logits[pair[0].as_u64().unwrap() as usize] - logits[pair[1].as_u64().unwrap() as usize]
    } else {
        let inside = |k: usize| target["group"].as_array().unwrap().contains(&json!(k));
        sum(&inside) - sum(&|k| !inside(k))
    }
}

const TARGETS: [fn() -> Value; 3] = [|| json!(2), || json!({ "contrast": [1, 4] }), || json!({ "group": [0, 3, 5] })];

/// A and d score / dA of a layer, as `[channel][place]`, from one pass through the whole net.
fn tapped(explainer: &Explainer, image: &Image, layer: &str, target: &Value) -> [Vec<Vec<f64>>; 2] {
    let Image::Tensor { data, shape } = image else { panic!("a tensor") };
    let model = &explainer.package().model;
    let spec = model.spec();
    let x = Tensor::<4>::from_data(TensorData::new(data.clone(), [1, shape[0], shape[1], shape[2]]), &Device::flex());
    let mut pass = Pass::new().keep_gradient(layer);
    let logits = Tensor::<2>::unwrap(model.run(0..spec.stages.len(), x.wrap(), &mut pass).unwrap()).unwrap();
    // The score's gradient at the logits by finite differences in f64, so that the library's targets are not used to check themselves.
    let values = host(logits.clone().inner().wrap());
    let slope = |k: usize| {
        let moved = |by: f64| {
            score(target, &values.iter().enumerate().map(|(i, v)| if i == k { v + by } else { *v }).collect::<Vec<_>>())
        };
        ((moved(1e-5) - moved(-1e-5)) / 2e-5) as f32
    };
    let slopes: Vec<f32> = (0..values.len()).map(slope).collect();
    let slopes = Tensor::<2>::from_data(TensorData::new(slopes, [1, values.len()]), &Device::flex()).autodiff();
    let gradients = (logits * slopes).sum().backward();
    let tap = pass.tapped(layer).unwrap();
    let fold = spec.layer(layer).unwrap().fold;
    [tap.value.clone(), tap.gradient(&gradients).unwrap()].map(|t| planes(fold, &host(t)))
}

fn weighted(planes: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    (0..planes[0].len()).map(|u| planes.iter().zip(weights).map(|(p, w)| w * p[u]).sum()).collect()
}

const MODELS: [(&str, &[&str]); 4] = [
    ("resnet_basic", &["act1", "layer2", "layer4"]),
    ("vit_reg", &["patch_embed", "blocks.0", "blocks.1.norm1"]),
    ("deit_distilled", &["blocks.1.norm1"]),
    ("convnextv2", &["stages.1", "stages.3"]),
];

#[test]
fn gradient_cams_equal_their_formulas_on_maps_and_tokens() {
    for (name, layers) in MODELS {
        let (mut explainer, image) = golden_model(name);
        for (layer, target) in layers.iter().flat_map(|layer| TARGETS.iter().map(move |t| (layer, t()))) {
            let [a, g] = tapped(&explainer, &image, layer, &target);
            let sum = |plane: &[f64]| plane.iter().sum::<f64>();
            let product: Vec<Vec<f64>> =
                a.iter().zip(&g).map(|(a, g)| a.iter().zip(g).map(|(a, g)| a * g).collect()).collect();
            let positive: Vec<Vec<f64>> =
                a.iter().zip(&g).map(|(a, g)| a.iter().zip(g).map(|(a, g)| a * g.max(0.0)).collect()).collect();
            let ones = vec![1.0; a.len()];
            let norm = |planes: &[Vec<f64>], u: usize| planes.iter().map(|p| p[u] * p[u]).sum::<f64>().sqrt();
            let plus = |(a, g): (&Vec<f64>, &Vec<f64>)| {
                let total = sum(a);
                let alpha = |g: f64| g * g / (2.0 * g * g + g * g * g * total);
                g.iter().filter(|g| **g > 0.0 && (2.0 + **g * total).abs() > 1e-6).map(|g| alpha(*g) * g).sum::<f64>()
            };
            let mean: Vec<f64> = g.iter().map(|g| sum(g) / g.len() as f64).collect();
            let expected: [(&str, Vec<f64>); 6] = [
                ("grad_cam", weighted(&a, &mean)),
                ("hires_cam", weighted(&product, &ones)),
                ("layer_cam", weighted(&positive, &ones)),
                (
                    "xgrad_cam",
                    weighted(
                        &a,
                        &a.iter()
                            .zip(&product)
                            .map(|(a, p)| if sum(a) == 0.0 { 0.0 } else { sum(p) / sum(a) })
                            .collect::<Vec<_>>(),
                    ),
                ),
                ("grad_cam_plus_plus", weighted(&a, &a.iter().zip(&g).map(plus).collect::<Vec<_>>())),
                ("norm_grad", (0..a[0].len()).map(|u| norm(&a, u) * norm(&g, u)).collect()),
            ];
            for (method, expected) in expected {
                let map =
                    attribute(&mut explainer, &image, json!({ "method": method, "target": target, "layer": layer }))
                        .unwrap();
                let expected: Vec<f32> = expected.iter().map(|v| *v as f32).collect();
                if expected.iter().all(|v| *v == 0.0) {
                    assert!(map.values.iter().all(|v| *v == 0.0));
                    continue;
                }
                // Ahead of a layer norm, sums over channels cancel down to rounding: what counts is the size of what is summed.
                let scale = match method {
                    "hires_cam" => (0..a[0].len()).map(|u| norm(&a, u) * norm(&g, u)).fold(0.0, f64::max),
                    _ => expected.iter().fold(0.0, |m, v| v.abs().max(m)).into(),
                };
                for (got, wanted) in map.values.iter().zip(&expected) {
                    let difference = f64::from((got - wanted).abs());
                    assert!(difference < 2e-4 * scale, "{method} of {name} at {layer}, {target}: {got} {wanted}");
                }
            }
        }
    }
}

/// Runs the net from the input with an edit at `layer`, and returns the logits.
fn edited(explainer: &Explainer, image: &[f32], layer: &str, edit: impl Fn(Vec<f32>) -> Vec<f32>) -> Vec<f64> {
    let model = &explainer.package().model;
    let [c, h, w] = model.spec().input_size;
    let x = Tensor::<4>::from_data(TensorData::new(image.to_vec(), [1, c, h, w]), &Device::flex());
    let mut pass = Pass::new().replace(layer, |activation| {
        let shape = activation.shape();
        let values = edit(host(activation.clone()).into_iter().map(|v| v as f32).collect());
        let data = TensorData::new(values, shape);
        Ok(match activation {
            Activation::Tokens(_) => Tensor::<3>::from_data(data, &Device::flex()).wrap(),
            _ => Tensor::<4>::from_data(data, &Device::flex()).wrap(),
        })
    });
    host(model.run(0..model.spec().stages.len(), x.wrap(), &mut pass).unwrap())
}

#[test]
fn ablation_and_score_cam_equal_one_channel_at_a_time() {
    for (name, layer) in [("resnet_basic", "layer2"), ("vit_reg", "blocks.1.norm1"), ("deit_distilled", "blocks.0")] {
        let (mut explainer, image) = golden_model(name);
        let Image::Tensor { data, .. } = image.clone() else { panic!("a tensor") };
        let fold = explainer.package().model.spec().layer(layer).unwrap().fold;
        let [_, rows, columns] = explainer.package().model.spec().input_size;
        let [h, w] = fold.grid_shape();
        let plain = edited(&explainer, &data, layer, |v| v);
        let [a, _] = tapped(&explainer, &image, layer, &json!(0));
        let without: Vec<Vec<f64>> = (0..a.len())
            .map(|k| {
                edited(&explainer, &data, layer, |mut values| {
                    match fold {
                        Fold::Map { .. } => values[k * h * w..(k + 1) * h * w].fill(0.0),
                        Fold::Tokens { width, .. } => values.iter_mut().skip(k).step_by(width).for_each(|v| *v = 0.0),
                    }
                    values
                })
            })
            .collect();
        let masked: Vec<Vec<f64>> = a
            .iter()
            .map(|plane| {
                let at = |i: usize, from: usize, to: usize| {
                    ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64)
                };
                let cell = |y: usize, x: usize| plane[y.min(h - 1) * w + x.min(w - 1)];
                let resized: Vec<f64> = (0..rows * columns)
                    .map(|i| {
                        let (y, x) = (at(i / columns, h, rows), at(i % columns, w, columns));
                        let (top, left) = (y as usize, x as usize);
                        let (fy, fx) = (y - top as f64, x - left as f64);
                        let row = |r: usize| (1.0 - fx) * cell(r, left) + fx * cell(r, left + 1);
                        (1.0 - fy) * row(top) + fy * row(top + 1)
                    })
                    .collect();
                let (low, high) = resized.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
                let scale = if high > low { 1.0 / (high - low) } else { 0.0 };
                let x: Vec<f32> = data
                    .iter()
                    .enumerate()
                    .map(|(i, v)| v * ((resized[i % (rows * columns)] - low) * scale) as f32)
                    .collect();
                edited(&explainer, &x, layer, |v| v)
            })
            .collect();
        let empty = edited(&explainer, &vec![0.0; data.len()], layer, |v| v);
        for target in TARGETS.map(|t| t()) {
            let of = |logits: &[f64]| score(&target, logits);
            let y = of(&plain);
            let fall: Vec<f64> = without.iter().map(|logits| (y - of(logits)) / y.abs()).collect();
            let rise: Vec<f64> = masked.iter().map(|logits| of(logits) - of(&empty)).collect();
            let total: f64 = masked.iter().map(|logits| of(logits).exp()).sum();
            let soft: Vec<f64> = masked.iter().map(|logits| of(logits).exp() / total).collect();
            for (request, weights) in [
                (json!({ "method": "ablation_cam" }), &fall),
                (json!({ "method": "score_cam" }), &soft),
                (json!({ "method": "score_cam", "difference": true }), &rise),
            ] {
                let mut request = request;
                (request["target"], request["layer"]) = (target.clone(), json!(layer));
                let map = attribute(&mut explainer, &image, request.clone()).unwrap();
                let expected: Vec<f32> = weighted(&a, weights).iter().map(|v| *v as f32).collect();
                let (agreement, difference) = (cosine(&map.values, &expected), relative(&map.values, &expected));
                assert!(agreement > 0.999_99 && difference < 5e-3, "{name}, {request}: {agreement}, {difference:.1e}");
                // A few channels: those of the largest variance.
                let variance = |plane: &Vec<f64>| {
                    let mean = plane.iter().sum::<f64>() / plane.len() as f64;
                    plane.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
                };
                let mut order: Vec<usize> = (0..a.len()).collect();
                order.sort_by(|i, j| variance(&a[*j]).total_cmp(&variance(&a[*i])));
                let mut weights = weights.clone();
                order.iter().skip(5).for_each(|k| weights[*k] = 0.0);
                request["maxChannels"] = json!(5);
                let few = attribute(&mut explainer, &image, request.clone()).unwrap();
                let expected: Vec<f32> = weighted(&a, &weights).iter().map(|v| *v as f32).collect();
                assert!(cosine(&few.values, &expected) > 0.999_99, "{name}, {request}");
            }
        }
    }
}

/// A watcher who looks at every estimate and stops after some parts.
#[derive(Default)]
struct Watcher {
    stop_after: usize,
    cancel: bool,
    done: Cell<usize>,
    total: Cell<usize>,
    estimates: RefCell<Vec<Vec<f32>>>,
}

impl Control for Watcher {
    fn cancelled(&self) -> bool {
        self.cancel && self.done.get() >= self.stop_after
    }
    fn stopped(&self) -> bool {
        !self.cancel && self.done.get() >= self.stop_after
    }
    fn wants_estimate(&self) -> bool {
        true
    }
    fn estimate(&self, values: &[f32], shape: &[usize]) {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        self.estimates.borrow_mut().push(values.to_vec());
    }
    fn progress(&self, done: usize, total: usize) {
        assert!(done > self.done.get() && done <= total);
        self.done.set(done);
        self.total.set(total);
    }
}

#[test]
fn score_and_ablation_cam_run_in_chunks_that_can_be_watched_and_stopped() {
    for (name, method) in
        ["resnet_basic", "vit_reg"].into_iter().flat_map(|n| ["score_cam", "ablation_cam"].map(|m| (n, m)))
    {
        let (mut explainer, image) = golden_model(name);
        let mut watched = |request: &Value, watcher: &Watcher| {
            let Value::Object(request) = request.clone() else { panic!("an object") };
            now(explainer.attribute(&image, request, watcher))
        };
        let whole = watched(
            &json!({ "method": method, "chunkSize": 1 }),
            &Watcher { stop_after: usize::MAX, ..Watcher::default() },
        )
        .unwrap();
        for chunk in [3, 8, 64] {
            let watcher = Watcher { stop_after: usize::MAX, ..Watcher::default() };
            let map = watched(&json!({ "method": method, "chunkSize": chunk }), &watcher).unwrap();
            assert!(relative(&map.values, &whole.values) < 1e-4, "{name}, {method}, chunks of {chunk}");
            assert!(map.warnings.is_empty(), "{:?}", map.warnings);
            assert_eq!(watcher.done.get(), watcher.total.get());
            assert_eq!(watcher.estimates.borrow().last(), Some(&map.values), "the last estimate is the map");
            assert_eq!(watcher.estimates.borrow().len(), watcher.total.get().div_ceil(chunk));
        }
        // Stopped after two channels: what two channels alone give.
        let stopped =
            watched(&json!({ "method": method, "chunkSize": 2 }), &Watcher { stop_after: 2, ..Watcher::default() })
                .unwrap();
        assert_eq!(stopped.warnings[0].code, "partial");
        let two = watched(
            &json!({ "method": method, "chunkSize": 2, "maxChannels": 2 }),
            &Watcher { stop_after: usize::MAX, ..Watcher::default() },
        )
        .unwrap();
        assert_eq!((stopped.values, stopped.shape), (two.values, two.shape));
        let cancelled = watched(
            &json!({ "method": method, "chunkSize": 2 }),
            &Watcher { stop_after: 2, cancel: true, ..Watcher::default() },
        );
        assert!(matches!(cancelled, Err(Error::Aborted)));
        // Of several layers, those that were reached, on the grid that is the finest of them.
        let several = watched(
            &json!({ "method": method, "layer": "all", "maxChannels": 4, "chunkSize": 2 }),
            &Watcher { stop_after: 6, ..Watcher::default() },
        )
        .unwrap();
        assert_eq!((several.layers.len(), several.warnings[0].code), (2, "partial"));
    }
}

#[test]
fn passes_of_channel_scores_are_counted() {
    let (mut explainer, image) = golden_model("resnet_basic");
    now(explainer.classify(&image, None, &Unwatched)).unwrap();
    let spec = explainer.package().model.spec().clone();
    let share = |layer: &str, from: bool| {
        let stage = spec.layer(layer).unwrap().stage;
        if from { spec.share(stage..spec.stages.len()) } else { spec.share(stage..stage + 1) }
    };
    for (layer, channels) in [("layer2", 16.0), ("layer4", 32.0)] {
        let mut passes = |method: &str| {
            attribute(&mut explainer, &image, json!({ "method": method, "layer": layer })).unwrap().passes
        };
        let close =
            |got: f64, expected: f64| assert!((got - expected).abs() < 1e-9, "{layer}: {got}, expected {expected}");
        close(passes("ablation_cam").forward, share(layer, false) + channels * share(layer, true));
        close(passes("score_cam").forward, share(layer, false) + channels);
        close(passes("eigen_cam").forward, share(layer, false));
        assert_eq!(passes("ablation_cam").backward + passes("score_cam").backward + passes("eigen_cam").backward, 0.0);
    }
    // Ablation at the last layer runs the head alone.
    assert!(share("layer4", true) < 0.01);
}

fn cams() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|m| m.spec).filter(|m| m.group == Group::Cam && m.reads == Reads::Layers).map(|m| m.id)
}

fn all_layers(explainer: &mut Explainer, image: &Image, method: &str) -> Attribution {
    let mut request = json!({ "method": method, "layer": "all" });
    if ["score_cam", "ablation_cam"].contains(&method) {
        request["maxChannels"] = json!(3);
    }
    attribute(explainer, image, request).unwrap()
}

#[test]
fn all_layers_of_a_transformer_at_once_are_those_one_by_one() {
    assert!(cams().count() >= 10);
    let (mut explainer, image) = golden_model("vit_reg");
    let spec: ModelSpec = explainer.package().model.spec().clone();
    for method in cams() {
        let all = all_layers(&mut explainer, &image, method);
        assert_eq!(all.shape, [4, 4], "{method}");
        assert_eq!(all.layers.len(), spec.layers.len());
        let mut mean = vec![0f32; 16];
        for layer in &all.layers {
            let mut request = json!({ "method": method, "layer": layer.id });
            if ["score_cam", "ablation_cam"].contains(&method) {
                request["maxChannels"] = json!(3);
            }
            let alone = attribute(&mut explainer, &image, request).unwrap();
            if alone.values.iter().all(|v| *v == 0.0) {
                assert!(layer.values.iter().all(|v| *v == 0.0), "{method} at {}", layer.id);
                continue;
            }
            assert!(relative(&layer.values, &alone.values) < 1e-4, "{method} at {}", layer.id);
            let largest = layer.values.iter().fold(0f32, |m, v| m.max(v.abs()));
            mean.iter_mut().zip(&layer.values).for_each(|(m, v)| *m += v / largest / spec.layers.len() as f32);
        }
        assert!(relative(&all.values, &mean) < 1e-5, "{method}: the mean of all");
    }
}

/// Two convolutions without padding, means over space, a linear layer; `stride` and `kernel` of both convolutions.
fn unpadded(size: usize, stride: usize, kernel: usize) -> Explainer {
    let conv = |name: &str, inputs, outputs| {
        Op::Conv(Conv2dSpec::new(name, inputs, outputs, kernel).stride(stride).padding(None).bias(true))
    };
    let first = vec![conv("one", 1, 6), Op::Act(Act::Relu)];
    let second = vec![conv("two", 6, 8), Op::Act(Act::Relu), Op::Tap("a".into())];
    let weight = |param: &Param| noise(param.name.bytes().map(u64::from).sum(), param.shape.iter().product());
    build([1, size, size], 4, &[("one", first), ("two", second), ("fc", net::classifier("fc", 8, 4))], weight)
}

#[test]
fn a_photo_that_is_moved_by_the_stride_moves_its_cam_by_a_cell() {
    // Overlapping windows, and windows side by side, whose grid covers the input exactly: Score-CAM's masks move with the photo only there.
    for (size, stride, kernel, score_cam) in [(35, 2, 3, false), (32, 2, 2, true)] {
        let mut explainer = unpadded(size, stride, kernel);
        // A patch without a pattern on a plain ground, away from the edges.
        let patch = noise(5, 100);
        let photo = |top: usize, left: usize| {
            let mut data = vec![0.25; size * size];
            for (i, v) in patch.iter().enumerate() {
                data[(top + i / 10) * size + left + i % 10] = 3.0 * v;
            }
            Image::Tensor { data, shape: vec![1, size, size] }
        };
        let total = stride * stride;
        for method in cams().filter(|m| score_cam || *m != "score_cam") {
            let mut map = |top, left| {
                attribute(&mut explainer, &photo(top, left), json!({ "method": method, "target": 1 })).unwrap()
            };
            let (here, there) = (map(12, 8), map(12 - total, 8 + total));
            assert_eq!(here.shape, [8, 8]);
            assert!(here.warnings.is_empty(), "{method}: {:?}", here.warnings);
            let (mut moved, mut stayed) = (Vec::new(), Vec::new());
            for (y, x) in (0..7).flat_map(|y| (0..7).map(move |x| (y, x))) {
                moved.push(there.values[y * 8 + x + 1]);
                stayed.push(here.values[(y + 1) * 8 + x]);
            }
            assert!(relative(&moved, &stayed) < 1e-4, "{method}: {moved:?} {stayed:?}");
            assert!(relative(&there.values, &here.values) > 0.1, "{method}: the map says nothing about where");
        }
    }
}

#[test]
fn linear_cams_are_linear_in_the_score_and_hires_cam_adds_up() {
    let (mut explainer, image) = golden_model("resnet_basic");
    for method in ["grad_cam", "hires_cam", "xgrad_cam"] {
        let mut map = |target: Value| {
            attribute(&mut explainer, &image, json!({ "method": method, "target": target, "layer": "layer2" }))
                .unwrap()
                .values
        };
        let (a, b, contrast) = (map(json!(2)), map(json!(5)), map(json!({ "contrast": [2, 5] })));
        let difference: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        assert!(relative(&contrast, &difference) < 1e-4, "{method}");
    }
    // Only a mean and a linear layer follow the last one: HiResCAM is Grad-CAM there, and sums to the logit without the bias.
    let mut at = |method: &str| attribute(&mut explainer, &image, json!({ "method": method, "target": 2 })).unwrap();
    let (hires, grad) = (at("hires_cam"), at("grad_cam"));
    assert!(relative(&hires.values, &grad.values) < 1e-5);
    let config = std::fs::read_to_string(golden("models/resnet_basic/config.json")).unwrap();
    let seed = read_json(&golden("models/resnet_basic/golden.json"))["seed"].as_u64().unwrap();
    let bytes = hashed_weights(&config, seed, 1.0);
    let weights = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let bias = f32::from_le_bytes(weights.tensor("fc.bias").unwrap().data()[8..12].try_into().unwrap());
    let sum: f64 = hires.values.iter().copied().map(f64::from).sum();
    assert!((sum + f64::from(bias) - hires.score).abs() < 1e-4, "{sum} + {bias}, {}", hires.score);
}

#[test]
fn dead_layers_give_zeros_that_say_why() {
    let stages = |bias: f32| {
        let first = vec![conv("one", 1, 3, 2), Op::Act(Act::Relu), Op::Tap("a".into())];
        let weight = move |param: &Param| match param.name.as_str() {
            "one.bias" => vec![bias; 3],
            "one.weight" => vec![0.0; 12],
            _ => noise(9, param.shape.iter().product()),
        };
        build([1, 6, 6], 3, &[("one", first), ("fc", net::classifier("fc", 3, 3))], weight)
    };
    let image = Image::Tensor { data: noise(4, 36), shape: vec![1, 6, 6] };
    for method in cams() {
        // Nothing is active.
        let map = attribute(&mut stages(-1.0), &image, json!({ "method": method, "target": 1 })).unwrap();
        assert_eq!(map.values, [0.0; 25], "{method}");
        assert_eq!((map.warnings[0].code, map.warnings[0].cause), ("zero-map", Some("dead-relu")), "{method}");
        // Every place is like every other: no map, or one of a single value.
        let map = attribute(&mut stages(0.1), &image, json!({ "method": method, "target": 1 })).unwrap();
        assert!(map.values.iter().all(|v| v.is_finite() && *v == map.values[0]), "{method}");
        assert!(["zero-map", "constant-map"].contains(&map.warnings[0].code), "{method}: {:?}", map.warnings);
    }
}

#[test]
fn a_cam_after_a_prediction_takes_a_fraction_of_its_time() {
    for model in ["deit_tiny_patch16_224", "mobilenetv2_100_same"] {
        let Some(folder) = shared(&format!("models/{model}")) else { return };
        let mut explainer = explainer(open(&folder));
        let shape = explainer.package().model.spec().input_size;
        let image = |seed: u64| Image::Tensor { data: noise(seed, shape.iter().product()), shape: shape.to_vec() };
        let mut least = [f64::INFINITY; 2];
        for round in 0..3 {
            let start = std::time::Instant::now();
            now(explainer.classify(&image(round), None, &Unwatched)).unwrap();
            least[0] = least[0].min(start.elapsed().as_secs_f64());
            let start = std::time::Instant::now();
            attribute(&mut explainer, &image(round), json!({ "method": "grad_cam" })).unwrap();
            least[1] = least[1].min(start.elapsed().as_secs_f64());
        }
        println!("{model}: prediction {:.0} ms, Grad-CAM {:.0} ms", 1e3 * least[0], 1e3 * least[1]);
        assert!(least[1] <= 1.2 * least[0]);
    }
}
