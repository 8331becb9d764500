//! Every CAM beside a slow twin, written from its formula.

use super::*;

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
    // The score's gradient at the logits by finite differences in f64, so that the library's
    // targets are not used to check themselves.
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
                // Ahead of a layer norm, sums over channels cancel down to rounding: what counts is
                // the size of what is summed.
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
