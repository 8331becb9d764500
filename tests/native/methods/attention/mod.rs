//! Methods that read attention, and the head table: nets solved by hand, slow twins, class, distillation and register tokens.

use std::cell::Cell;
use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};
use sightline::explainer::{Attribution, Control, Image, Unwatched};
use sightline::heads::Heads;
use sightline::models::{Attention, Feature, Model, ModelSpec, Stage};
use sightline::package::Package;
use sightline::pass::{Activation, Pass, Tappable};
use sightline::preprocess::PreprocessConfig;
use sightline::{Error, Explainer, Result};

use crate::common::*;

fn t<const D: usize>(data: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data.to_vec(), shape), &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

/// A transformer whose attention does not depend on the photo: x <- x + A x in each block, one channel for each head. A photo is `[heads, h, w]`:
/// each pixel a patch; special tokens hold 1. The first logit is the class token's sum, or without one the mean over patches.
struct Fixed {
    spec: ModelSpec,
    /// Of each block, `[heads, T, T]`.
    maps: Vec<Vec<f32>>,
}

impl Model for Fixed {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }
    fn run(&self, stages: Range<usize>, mut state: Activation, pass: &mut Pass) -> Result<Activation> {
        let attention = self.spec.attention.as_ref().unwrap();
        let (heads, tokens, prefix) = (attention.heads, attention.tokens(), attention.special.len());
        for stage in stages {
            state = if stage == 0 {
                let x = Tensor::<4>::unwrap(state)?;
                let [n, ..] = x.dims();
                let patches = x.reshape([n, heads, tokens - prefix]).swap_dims(1, 2);
                let special = t(&vec![1.0; n * prefix * heads], [n, prefix, heads]);
                if prefix > 0 { Tensor::cat(vec![special, patches], 1).wrap() } else { patches.wrap() }
            } else if let Some(maps) = self.maps.get(stage - 1) {
                let x = Tensor::<3>::unwrap(state)?;
                let [n, ..] = x.dims();
                let v = x.clone().swap_dims(1, 2).reshape([n, heads, tokens, 1]);
                let k = pass.tap(&Attention::keys(stage - 1), v)?;
                let a = t(maps, [1, heads, tokens, tokens]).repeat_dim(0, n);
                let mixed = pass.tap(&Attention::maps(stage - 1), a)?.matmul(k);
                (x + mixed.reshape([n, heads, tokens]).swap_dims(1, 2)).wrap()
            } else {
                let x = Tensor::<3>::unwrap(state)?;
                let read = match prefix {
                    0 => x.mean_dim(1),
                    _ => x.narrow(1, 0, 1),
                };
                let logit: Tensor<2> = read.sum_dim(2).squeeze_dim(2);
                Tensor::cat(vec![logit.clone(), logit * -1.0], 1).wrap()
            };
        }
        Ok(state)
    }
}

fn fixed(special: &[&'static str], grid: [usize; 2], heads: usize, maps: &[&[f32]]) -> Explainer {
    let attention = Attention {
        blocks: maps.len(),
        heads,
        special: special.to_vec(),
        averaged: special.is_empty(),
        grid,
        patch: 4,
    };
    let spec = ModelSpec {
        architecture: "fixed".into(),
        input_size: [heads, grid[0], grid[1]],
        num_classes: 2,
        stages: (0..maps.len() + 2).map(|i| Stage { name: i.to_string(), macs: 1.0 }).collect(),
        layers: vec![],
        default_layer: String::new(),
        features: [Feature::Attention].into(),
        attention: Some(attention),
    };
    explainer(Package {
        model: Box::new(Fixed { spec, maps: maps.iter().map(|m| m.to_vec()).collect() }),
        preprocess: PreprocessConfig::from_pretrained_cfg(&json!({})).unwrap(),
        labels: vec![],
        temperature: 1.0,
        parameters: 0,
    })
}

fn image(data: &[f32], shape: [usize; 3]) -> Image {
    Image::Tensor { data: data.to_vec(), shape: shape.to_vec() }
}

fn close(got: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(1f32, |m, v| m.max(v.abs()));
    assert_eq!(got.len(), expected.len());
    assert!(got.iter().zip(expected).all(|(g, e)| (g - e).abs() < 2e-6 * largest), "{got:?}, expected {expected:?}");
}

const FIRST: &[f32] = &[0.5, 0.5, 0.25, 0.75];
const SECOND: &[f32] = &[0.2, 0.8, 0.6, 0.4];

#[test]
fn two_tokens_solved_by_hand() {
    // A^1 = [.75 .25; .125 .875], A^2 = [.6 .4; .3 .7], A^2 A^1 = [.5 .5; .3125 .6875]
    let mut net = fixed(&["class"], [1, 1], 1, &[FIRST, SECOND]);
    let photo = image(&[2.0], [1, 1, 1]);
    let rollout = attribute(&mut net, &photo, json!({ "method": "attention_rollout" })).unwrap();
    close(&rollout.values, &[0.5]);
    assert_eq!(rollout.shape, [1, 1]);
    assert!((rollout.details.unwrap()["specialShare"].as_f64().unwrap() - 0.5).abs() < 1e-6);
    let mut pair = fixed(&[], [1, 2], 1, &[FIRST, SECOND]);
    let two = image(&[1.0, 2.0], [1, 1, 2]);
    let rollout = attribute(&mut pair, &two, json!({ "method": "attention_rollout" })).unwrap();
    close(&rollout.values, &[0.40625, 0.59375]);

    // x1 = (2.5, 3.75), dA2 = [x1; 0], dA1 = (1.2, .8)' (1, 2): C2 = [.5 3; 0 0], C1 = [.6 1.2; .2 1.2]; (1, 0) (1 + C2) (1 + C1) = (3, 8.4)
    let chefer = attribute(&mut net, &photo, json!({ "method": "chefer", "target": 0 })).unwrap();
    close(&chefer.values, &[8.4]);
    // The score is that of two tokens, (1, 0) (1 + A2) (1 + A1) (1, 2)' = 2.5 + .2 * 2.5 + .8 * 3.75
    assert!((chefer.score - 6.0).abs() < 1e-6);
    // Against the other class every product is negative.
    let against = attribute(&mut net, &photo, json!({ "method": "chefer", "target": 1 })).unwrap();
    assert_eq!((against.values, against.warnings[0].code), (vec![0.0], "zero-map"));
    // A negative patch: C2's and C1's columns for it vanish where the score falls with it.
    let chefer = attribute(&mut net, &image(&[-2.0], [1, 1, 1]), json!({ "method": "chefer", "target": 0 })).unwrap();
    close(&chefer.values, &[0.0]);

    for (request, expected) in [
        (json!({}), [0.8]),
        (json!({ "block": 0 }), [0.5]),
        (json!({ "block": 0, "query": 0 }), [0.75]),
        (json!({ "block": 1, "query": 0, "head": 0 }), [0.4]),
    ] {
        let mut request = request;
        request["method"] = json!("raw_attention");
        close(&attribute(&mut net, &photo, request).unwrap().values, &expected);
    }
    let mean = attribute(&mut pair, &two, json!({ "method": "raw_attention" })).unwrap();
    close(&mean.values, &[0.4, 0.6]);
    assert_eq!(mean.details.unwrap()["query"], Value::Null);
}

#[test]
fn heads_fuse_and_small_entries_are_discarded() {
    let heads = [FIRST, SECOND].concat();
    let mut net = fixed(&["class"], [1, 1], 2, &[&heads]);
    let photo = image(&[2.0, 3.0], [2, 1, 1]);
    let mut map = |mut request: Value| {
        request["method"] = json!("attention_rollout");
        attribute(&mut net, &photo, request).unwrap().values[0]
    };
    // Class rows: (.35, .65) of the mean, (.5, .8) of the largest, (.2, .5) of the smallest; each plus (1, 0), over its sum.
    for (fusion, expected) in [("mean", 0.65 / 2.0), ("max", 0.8 / 2.3), ("min", 0.5 / 1.7)] {
        assert!((map(json!({ "headFusion": fusion })) - expected).abs() < 1e-6, "{fusion}");
    }
    // The mean is [.35 .65; .425 .575]: a quarter discards .35, three quarters leave .65, all of it leaves the residual connection alone.
    for (discard, expected) in [(0.25, 0.65 / 1.65), (0.3, 0.65 / 1.65), (0.75, 0.65 / 1.65), (1.0, 0.0)] {
        assert!((map(json!({ "discard": discard })) - expected).abs() < 1e-6, "{discard}");
    }
}

#[test]
fn uniform_attention_rolls_out_to_a_uniform_map() {
    // (J / T + 1) / 2 keeps half of what it gets in place and spreads the other half: after L blocks 2^-L is in place.
    let tokens = 2 + 2 * 3;
    let uniform = vec![1.0 / tokens as f32; tokens * tokens];
    let mut net = fixed(&["class", "register"], [2, 3], 1, &[&uniform, &uniform, &uniform]);
    let map = attribute(&mut net, &image(&[0.5; 6], [1, 2, 3]), json!({ "method": "attention_rollout" })).unwrap();
    close(&map.values, &[(1.0 - 0.125) / 8.0; 6]);
    assert_eq!((map.shape, map.warnings[0].code), (vec![2, 3], "constant-map"));
    // One pass of three of the net's five stages, behind the prediction's.
    assert!((map.passes.forward - 1.6).abs() < 1e-9, "{:?}", map.passes);
}

#[test]
fn a_patch_that_draws_attention_is_flagged() {
    let tokens = 1 + 12;
    let row: Vec<f32> = (0..tokens).map(|k| if k == 8 { 0.52 } else { 0.04 }).collect();
    let sink: Vec<f32> = row.iter().copied().cycle().take(tokens * tokens).collect();
    let mut photo = vec![1.0; 12];
    let mut net = fixed(&["class"], [3, 4], 1, &[&sink]);
    let mut look = |photo: &[f32], method: &str| {
        attribute(&mut net, &image(photo, [1, 3, 4]), json!({ "method": method, "target": 0 })).unwrap()
    };
    assert_eq!(look(&photo, "raw_attention").details.unwrap()["outlierTokens"], json!([]));
    photo[7] = 200.0;
    for method in ["raw_attention", "attention_rollout", "chefer"] {
        let map = look(&photo, method);
        let found = &map.details.as_ref().unwrap()["outlierTokens"];
        assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
        assert_eq!((&found[0]["token"], &found[0]["kind"]), (&json!(8), &json!("patch")));
        assert_eq!((&found[0]["row"], &found[0]["column"]), (&json!(1), &json!(3)));
        // 200 + .52 * 200 + .04 * 12 of twelve ones
        assert!((found[0]["norm"].as_f64().unwrap() - 304.48).abs() < 1e-3, "{found}");
        assert_eq!(map.warnings.iter().map(|w| w.code).collect::<Vec<_>>(), ["attention-sink"], "{method}");
    }
}

#[test]
fn token_cut_parts_two_groups_as_by_hand() {
    // Keys (1, 0) and (0, 1): W is 1 within a group and e across. x is constant on each group and D-orthogonal to 1: (s vb, -s va) with the
    // groups' volumes va = a (a + b e) and vb = b (b + a e), and x' D x = s^2 va vb (va + vb) = 1.
    let (a, b, e) = (2f64, 4f64, 1e-5);
    let small = |p: usize| [1, 4].contains(&p);
    let x: Vec<f32> = (0..12).map(|i| if small(i % 6) == (i < 6) { 1.0 } else { 0.0 }).collect();
    let identity: Vec<f32> = (0..2 * 49).map(|i| if i % 49 / 7 == i % 7 { 1.0 } else { 0.0 }).collect();
    let mut net = fixed(&["class"], [2, 3], 2, &[&identity]);
    let map = attribute(&mut net, &image(&x, [2, 2, 3]), json!({ "method": "token_cut" })).unwrap();
    let (va, vb) = (a * (a + b * e), b * (b + a * e));
    let s = (va * vb * (va + vb)).sqrt().recip();
    let expected: Vec<f32> = (0..6).map(|p| if small(p) { s * vb } else { -s * va } as f32).collect();
    close(&map.values, &expected);
    let details = map.details.unwrap();
    // On the first group (D - W) x = (b e) (xa - xb) = l (a + b e) xa
    let eigenvalue = b * e * (vb + va) / vb / (a + b * e);
    assert!((details["eigenvalue"].as_f64().unwrap() / eigenvalue - 1.0).abs() < 1e-6, "{details}");
    assert_eq!(details["foreground"], 2);
    // Where all are alike there is nothing to part, and that is said.
    let alike = attribute(&mut net, &image(&x, [2, 2, 3]), json!({ "method": "token_cut", "tau": -1 })).unwrap();
    assert_eq!(alike.values, [0.0; 6]);
    assert_eq!(alike.warnings.len(), 1);
    assert!(alike.warnings[0].message.contains("alike at this tau"), "{:?}", alike.warnings);
}

fn variant(name: &str) -> (String, Vec<u8>, Image, usize) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let weights = hashed_weights(&config, meta["seed"].as_u64().unwrap(), meta["gain"].as_f64().unwrap_or(1.0) as f32);
    let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
    (config, weights, input, meta["target"].as_u64().unwrap() as usize)
}

/// A golden's name, its special tokens, and whether its classifier reads the mean of the patches.
const VARIANTS: [(&str, &[&str], bool); 9] = [
    ("vit_token", &["class"], false),
    ("vit_reg", &["class", "register", "register"], false),
    ("dinov2_reg4", &["class", "register", "register", "register", "register"], false),
    ("deit_distilled", &["class", "distillation"], false),
    ("deit_24x40", &["class"], false),
    ("vit_avg_norm", &[], true),
    ("vit_avg_fc_norm", &["class"], true),
    ("vit_reg_no_embed_class", &["class", "register", "register"], true),
    ("vit_qk_norm", &["class"], false),
];

/// Every block's attention and the class' gradients there, each `[heads][T T]`, from one pass through the whole net.
fn attention(package: &Package, input: &Image, target: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let spec = package.model.spec();
    let Image::Tensor { data, shape } = input else { panic!() };
    let names: Vec<String> = (0..spec.attention.as_ref().unwrap().blocks).map(Attention::maps).collect();
    let mut pass = names.iter().fold(Pass::new(), |pass, name| pass.keep_gradient(name));
    let x = t(data, [1, shape[0], shape[1], shape[2]]).autodiff().require_grad();
    let logits = package.model.run(0..spec.stages.len(), x.wrap(), &mut pass).unwrap();
    let gradients = Tensor::<2>::unwrap(logits).unwrap().narrow(1, target, 1).sum().backward();
    let both = |name: &String| {
        let tapped = pass.tapped(name).unwrap();
        let gradient = Tensor::<4>::unwrap(tapped.gradient(&gradients).unwrap()).unwrap();
        (values(Tensor::<4>::unwrap(tapped.value.clone()).unwrap()), values(gradient))
    };
    names.iter().map(both).collect()
}

fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|i| (0..n).map(|k| a[i / n * n + k] * b[k * n + i % n]).sum()).collect()
}

/// The row of a whole matrix that speaks for the photo, its patches.
fn patches(r: &[f64], special: usize, averaged: bool, n: usize) -> Vec<f32> {
    let read = if averaged { special..n } else { 0..1 };
    let column = |j: usize| read.clone().map(|i| r[i * n + j]).sum::<f64>() / read.len() as f64;
    (special..n).map(|j| column(j) as f32).collect()
}

#[test]
fn whole_matrices_give_the_same_rows() {
    for (name, special, averaged) in VARIANTS {
        let (config, weights, input, target) = variant(name);
        let mut explainer = explainer(load(&config, &weights).unwrap());
        let spec = explainer.package().model.spec().clone();
        let described = spec.attention.clone().unwrap();
        assert_eq!((described.special.as_slice(), described.averaged), (special, averaged), "{name}");
        let (heads, n) = (described.heads, described.tokens());
        let identity: Vec<f64> = (0..n * n).map(|i| if i / n == i % n { 1.0 } else { 0.0 }).collect();
        let (mut rollout, mut chefer) = (identity.clone(), identity.clone());
        let maps = attention(explainer.package(), &input, target);
        for (a, d) in &maps {
            let over =
                |i: usize, f: &dyn Fn(usize) -> f64| (0..heads).map(|h| f(h * n * n + i)).sum::<f64>() / heads as f64;
            let mixed: Vec<f64> = (0..n * n).map(|i| over(i, &|j| f64::from(a[j])) + identity[i]).collect();
            let sums: Vec<f64> = mixed.chunks(n).map(|row| row.iter().sum()).collect();
            let normal: Vec<f64> = mixed.iter().enumerate().map(|(i, v)| v / sums[i / n]).collect();
            rollout = product(&normal, &rollout, n);
            let c: Vec<f64> = (0..n * n).map(|i| over(i, &|j| f64::from(a[j] * d[j]).max(0.0))).collect();
            let added = product(&c, &chefer, n);
            chefer.iter_mut().zip(added).for_each(|(r, a)| *r += a);
        }
        if averaged {
            chefer.iter_mut().zip(&identity).for_each(|(r, own)| *r -= own);
        }
        for (method, whole) in [("attention_rollout", rollout), ("chefer", chefer)] {
            let map = attribute(&mut explainer, &input, json!({ "method": method, "target": target })).unwrap();
            let difference = relative(&map.values, &patches(&whole, special.len(), averaged, n));
            assert!(difference < 1e-5, "{method} of {name}: {difference:.1e}");
            assert_eq!(map.shape, described.grid, "{name}");
        }

        // One row of one head; behind a prediction it costs that block alone.
        let last = described.blocks - 1;
        let request = json!({ "method": "raw_attention", "target": target, "head": 1, "query": 3 });
        let map = attribute(&mut explainer, &input, request).unwrap();
        let row = &maps[last].0[n * n + (special.len() + 3) * n..][..n];
        close(&map.values, &row[special.len()..]);
        assert!((map.passes.forward - spec.share(last + 1..last + 2)).abs() < 1e-9, "{:?}", map.passes);
        assert_eq!(map.passes.backward, 0.0);
        let details = map.details.unwrap();
        assert_eq!((&details["block"], &details["head"]), (&json!(last), &json!(1)));
        let [_, columns] = described.grid;
        assert_eq!(
            details["query"],
            json!({ "token": special.len() + 3, "kind": "patch", "row": 3 / columns, "column": 3 % columns })
        );
        let share = details["specialShare"].as_f64().unwrap();
        let on_patches: f32 = map.values.iter().sum();
        assert!((share + f64::from(on_patches) - 1.0).abs() < 1e-5, "{name}");
    }
}

#[test]
fn what_the_model_does_not_have_is_refused_by_name() {
    let (config, weights, input, _) = variant("vit_reg");
    let mut explainer = explainer(load(&config, &weights).unwrap());
    for (method, option, value) in [
        ("raw_attention", "block", 2),
        ("raw_attention", "head", 3),
        ("raw_attention", "query", 16),
        ("token_cut", "block", 2),
    ] {
        let mut request = json!({ "method": method });
        request[option] = json!(value - 1);
        attribute(&mut explainer, &input, request.clone()).unwrap();
        request[option] = json!(value);
        match attribute(&mut explainer, &input, request) {
            Err(Error::BadOption(message)) => assert!(message.starts_with(option), "{message}"),
            other => panic!("{method}, {option}: {other:?}"),
        }
    }
    for (key, value) in [("block", json!(0)), ("target", json!(99)), ("output", json!("probability"))] {
        let request = Map::from_iter([(key.to_owned(), value)]);
        match now(explainer.heads(&input, request, &Unwatched)) {
            Err(Error::BadOption(message)) => assert!(message.starts_with(key), "{message}"),
            other => panic!("{key}: {other:?}"),
        }
    }
    let folder = golden("packages/tiny-cnn");
    let mut cnn = crate::common::explainer(open(&folder));
    let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
    let Err(Error::Unsupported(message)) = now(cnn.heads(&input, Map::new(), &Unwatched)) else { panic!() };
    assert!(message.contains("only transformers"), "{message}");
}

fn heads(explainer: &mut Explainer, input: &Image, request: Value) -> Heads {
    now(explainer.heads(input, request.as_object().unwrap().clone(), &Unwatched)).unwrap()
}

/// The same file with every `edited` tensor changed.
fn with(weights: &[u8], edited: &str, edit: impl Fn(&mut Vec<f32>, &[usize])) -> Vec<u8> {
    let file = SafeTensors::deserialize(weights).unwrap();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let mut values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            if name == edited {
                edit(&mut values, view.shape());
            }
            (name, view.shape().to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn ablating_a_head_equals_zeroing_its_columns_of_the_projection() {
    for (name, special, _) in VARIANTS {
        let (config, weights, input, target) = variant(name);
        let mut whole = explainer(load(&config, &weights).unwrap());
        let attention = whole.package().model.spec().attention.clone().unwrap();
        let table = heads(&mut whole, &input, json!({ "target": target }));
        assert_eq!(table.heads.len(), attention.blocks * attention.heads);
        let maps = self::attention(whole.package(), &input, target);
        for (i, head) in table.heads.iter().enumerate() {
            assert_eq!((head.block, head.head), (i / attention.heads, i % attention.heads));
            let without = with(&weights, &format!("blocks.{}.attn.proj.weight", head.block), |values, shape| {
                let (inputs, d) = (shape[1], shape[1] / attention.heads);
                for (i, v) in values.iter_mut().enumerate() {
                    if i % inputs / d == head.head {
                        *v = 0.0;
                    }
                }
            });
            let mut without = explainer(load(&config, &without).unwrap());
            let logits = now(without.classify(&input, None, &Unwatched)).unwrap().logits;
            let expected = table.score - f64::from(logits[target]);
            assert!((head.importance - expected).abs() < 1e-5, "{name}: {head:?}, expected {expected}");

            // Where it looks, counted one by one.
            let (n, prefix) = (attention.tokens(), special.len());
            let rows: Vec<&[f32]> = maps[head.block].0[head.head * n * n..][..n * n].chunks(n).collect();
            let place = |t: usize| attention.place(t).map(|(y, x)| (y as f64, x as f64));
            let mut distance = 0.0;
            for (q, row) in rows.iter().enumerate().skip(prefix) {
                let to = |k: usize| {
                    let ((y, x), (v, u)) = (place(q).unwrap(), place(k).unwrap());
                    ((y - v).powi(2) + (x - u).powi(2)).sqrt()
                };
                let mass: f64 = (prefix..n).map(|k| f64::from(row[k])).sum();
                distance += (prefix..n).map(|k| f64::from(row[k]) * to(k)).sum::<f64>() / mass / (n - prefix) as f64;
            }
            let mean = |f: &dyn Fn(&[f32]) -> f64| rows.iter().map(|row| f(row)).sum::<f64>() / n as f64;
            let entropy = mean(&|row| -row.iter().map(|&a| f64::from(a) * f64::from(a).ln()).sum::<f64>());
            let share = mean(&|row| row[..prefix].iter().map(|&a| f64::from(a)).sum());
            for (got, expected) in [
                (head.distance, distance),
                (head.distance_pixels, distance * attention.patch as f64),
                (head.entropy, entropy),
                (head.special_share, share),
            ] {
                assert!((f64::from(got) - expected).abs() < 1e-4, "{name}: {head:?}, expected {expected}");
            }
        }
        // Its own prediction, each block once, each head from its block on.
        let spec = whole.package().model.spec();
        let stages = spec.stages.len();
        let cost: f64 =
            (1..stages - 1).map(|s| spec.share(s..s + 1) + attention.heads as f64 * spec.share(s..stages)).sum();
        assert!((table.passes.forward - 1.0 - cost).abs() < 1e-6, "{:?}, expected {}", table.passes, 1.0 + cost);
    }
}

#[test]
fn the_head_table_follows_its_target() {
    let (config, weights, input, _) = variant("vit_reg");
    let mut explainer = explainer(load(&config, &weights).unwrap());
    let importance = |table: Heads| table.heads.iter().map(|h| h.importance).collect::<Vec<_>>();
    let mut of = |request: Value| importance(heads(&mut explainer, &input, request));
    let (first, second) = (of(json!({ "target": 1 })), of(json!({ "target": 4 })));
    for ((contrast, a), b) in of(json!({ "target": { "contrast": [1, 4] } })).iter().zip(&first).zip(&second) {
        assert!((contrast - (a - b)).abs() < 1e-5);
    }
    assert!(
        first.iter().zip(of(json!({ "target": 1, "output": "log_probability" }))).any(|(a, b)| (a - b).abs() > 1e-3)
    );
    // Without a target, the top class.
    assert_eq!(of(json!({})), of(json!({ "target": 3 })));
}

#[test]
fn the_head_table_reports_progress_and_can_be_cancelled() {
    struct Watch {
        done: Cell<usize>,
        until: usize,
    }
    impl Control for Watch {
        fn cancelled(&self) -> bool {
            self.done.get() >= self.until
        }
        fn progress(&self, done: usize, total: usize) {
            assert!(done > self.done.get() && done <= total && total == 6);
            self.done.set(done);
        }
    }
    let (config, weights, input, _) = variant("vit_reg");
    let mut explainer = explainer(load(&config, &weights).unwrap());
    for until in [1, 7] {
        let watch = Watch { done: Cell::new(0), until };
        let result = now(explainer.heads(&input, Map::new(), &watch));
        assert_eq!(watch.done.get(), if until == 1 { 3 } else { 6 });
        assert_eq!(matches!(result, Err(Error::Aborted)), until == 1);
    }
}

#[test]
fn attention_sums_to_one_on_a_real_model() {
    let Some(folder) = shared("models/deit_tiny_patch16_224") else { return };
    let mut explainer = explainer(open(&folder));
    let input = vec![0.1; 3 * 224 * 224].iter().enumerate().map(|(i, v)| v * (i as f32 * 0.01).sin()).collect();
    let image = Image::Tensor { data: input, shape: vec![3, 224, 224] };
    for request in [json!({ "method": "raw_attention", "query": 17 }), json!({ "method": "attention_rollout" })] {
        let map: Attribution = attribute(&mut explainer, &image, request).unwrap();
        let share = map.details.unwrap()["specialShare"].as_f64().unwrap();
        assert!((map.values.iter().map(|v| f64::from(*v)).sum::<f64>() + share - 1.0).abs() < 1e-4);
    }
}
