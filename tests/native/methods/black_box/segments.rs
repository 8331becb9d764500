//! LIME and Kernel SHAP, which hide superpixels.

use super::*;

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
