//! Transformers whose attention is given, small enough to solve by hand.

use super::*;

/// A transformer whose attention does not depend on the photo: x <- x + A x in each block, one
/// channel for each head. A photo is `[heads, h, w]`: each pixel a patch; special tokens hold 1.
/// The first logit is the class token's sum, or without one the mean over patches.
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
                let k = pass.tap(&AttentionSpec::keys(stage - 1), v)?;
                let a = t(maps, [1, heads, tokens, tokens]).repeat_dim(0, n);
                let mixed = pass.tap(&AttentionSpec::maps(stage - 1), a)?.matmul(k);
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
    let attention = AttentionSpec {
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
    bare(Box::new(Fixed { spec, maps: maps.iter().map(|m| m.to_vec()).collect() }))
}

const FIRST: &[f32] = &[0.5, 0.5, 0.25, 0.75];
const SECOND: &[f32] = &[0.2, 0.8, 0.6, 0.4];

#[test]
fn two_tokens_solved_by_hand() {
    // A^1 = [.75 .25; .125 .875], A^2 = [.6 .4; .3 .7], A^2 A^1 = [.5 .5; .3125 .6875]
    let mut net = fixed(&["class"], [1, 1], 1, &[FIRST, SECOND]);
    let photo = image(&[2.0], [1, 1, 1]);
    let rollout = attribute(&mut net, &photo, json!({ "method": "attention_rollout" })).unwrap();
    assert_close(&rollout.values, &[0.5], 2e-6);
    assert_eq!(rollout.shape, [1, 1]);
    assert!((rollout.details.unwrap()["specialShare"].as_f64().unwrap() - 0.5).abs() < 1e-6);
    let mut pair = fixed(&[], [1, 2], 1, &[FIRST, SECOND]);
    let two = image(&[1.0, 2.0], [1, 1, 2]);
    let rollout = attribute(&mut pair, &two, json!({ "method": "attention_rollout" })).unwrap();
    assert_close(&rollout.values, &[0.40625, 0.59375], 2e-6);

    // x1 = (2.5, 3.75), dA2 = [x1; 0], dA1 = (1.2, .8)' (1, 2): C2 = [.5 3; 0 0], C1 = [.6 1.2; .2
    // 1.2]; (1, 0) (1 + C2) (1 + C1) = (3, 8.4)
    let chefer = attribute(&mut net, &photo, json!({ "method": "chefer", "target": 0 })).unwrap();
    assert_close(&chefer.values, &[8.4], 2e-5);
    // The score is that of two tokens, (1, 0) (1 + A2) (1 + A1) (1, 2)' = 2.5 + .2 * 2.5 + .8 *
    // 3.75
    assert!((chefer.score - 6.0).abs() < 1e-6);
    // Against the other class every product is negative.
    let against = attribute(&mut net, &photo, json!({ "method": "chefer", "target": 1 })).unwrap();
    assert_eq!((against.values, against.warnings[0].code), (vec![0.0], "zero-map"));
    // A negative patch: C2's and C1's columns for it vanish where the score falls with it.
    let chefer = attribute(&mut net, &image(&[-2.0], [1, 1, 1]), json!({ "method": "chefer", "target": 0 })).unwrap();
    assert_close(&chefer.values, &[0.0], 2e-6);

    for (request, expected) in [
        (json!({}), [0.8]),
        (json!({ "block": 0 }), [0.5]),
        (json!({ "block": 0, "query": 0 }), [0.75]),
        (json!({ "block": 1, "query": 0, "head": 0 }), [0.4]),
    ] {
        let mut request = request;
        request["method"] = json!("raw_attention");
        assert_close(&attribute(&mut net, &photo, request).unwrap().values, &expected, 2e-6);
    }
    let mean = attribute(&mut pair, &two, json!({ "method": "raw_attention" })).unwrap();
    assert_close(&mean.values, &[0.4, 0.6], 2e-6);
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
    // Class rows: (.35, .65) of the mean, (.5, .8) of the largest, (.2, .5) of the smallest; each
    // plus (1, 0), over its sum.
    for (fusion, expected) in [("mean", 0.65 / 2.0), ("max", 0.8 / 2.3), ("min", 0.5 / 1.7)] {
        assert!((map(json!({ "headFusion": fusion })) - expected).abs() < 1e-6, "{fusion}");
    }
    // The mean is [.35 .65; .425 .575]: a quarter discards .35, three quarters leave .65, all of it
    // leaves the residual connection alone.
    for (discard, expected) in [(0.25, 0.65 / 1.65), (0.3, 0.65 / 1.65), (0.75, 0.65 / 1.65), (1.0, 0.0)] {
        assert!((map(json!({ "discard": discard })) - expected).abs() < 1e-6, "{discard}");
    }
}

#[test]
fn uniform_attention_rolls_out_to_a_uniform_map() {
    // (J / T + 1) / 2 keeps half of what it gets in place and spreads the other half: after L
    // blocks 2^-L is in place.
    let tokens = 2 + 2 * 3;
    let uniform = vec![1.0 / tokens as f32; tokens * tokens];
    let mut net = fixed(&["class", "register"], [2, 3], 1, &[&uniform, &uniform, &uniform]);
    let map = attribute(&mut net, &image(&[0.5; 6], [1, 2, 3]), json!({ "method": "attention_rollout" })).unwrap();
    assert_close(&map.values, &[(1.0 - 0.125) / 8.0; 6], 2e-6);
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
    // Keys (1, 0) and (0, 1): W is 1 within a group and e across. x is constant on each group and
    // D-orthogonal to 1: (s vb, -s va) with the groups' volumes va = a (a + b e) and vb = b (b + a
    // e), and x' D x = s^2 va vb (va + vb) = 1.
    let (a, b, e) = (2f64, 4f64, 1e-5);
    let small = |p: usize| [1, 4].contains(&p);
    let x: Vec<f32> = (0..12).map(|i| if small(i % 6) == (i < 6) { 1.0 } else { 0.0 }).collect();
    let identity: Vec<f32> = (0..2 * 49).map(|i| if i % 49 / 7 == i % 7 { 1.0 } else { 0.0 }).collect();
    let mut net = fixed(&["class"], [2, 3], 2, &[&identity]);
    let map = attribute(&mut net, &image(&x, [2, 2, 3]), json!({ "method": "token_cut" })).unwrap();
    let (va, vb) = (a * (a + b * e), b * (b + a * e));
    let s = (va * vb * (va + vb)).sqrt().recip();
    let expected: Vec<f32> = (0..6).map(|p| if small(p) { s * vb } else { -s * va } as f32).collect();
    assert_close(&map.values, &expected, 2e-6);
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
    assert_eq!((alike.warnings[0].code, alike.warnings[0].cause), ("zero-map", Some("alike")));
}
