//! Maps beside slow twins that multiply whole matrices.

use super::*;

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
