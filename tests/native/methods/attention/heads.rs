//! The head table.

use super::*;

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
