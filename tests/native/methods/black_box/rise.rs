//! RISE.

use super::*;

/// Enlarged by the formula for one pixel at a time, from the same draws.
fn slow_mask(seed: u64, index: u64, cells: usize, probability: f64) -> Vec<f32> {
    let mut random = stream(seed, index);
    let grid: Vec<f64> =
        (0..cells * cells).map(|_| if random.random::<f64>() < probability { 1.0 } else { 0.0 }).collect();
    let cell = [7usize.div_ceil(cells), 6usize.div_ceil(cells)];
    let [top, left] = cell.map(|n| random.random_range(0..n as u32) as usize);
    let tent = |at: usize, cell: usize, k: usize| {
        let large = (cells + 1) * cell;
        let source = ((at as f64 + 0.5) * cells as f64 / large as f64 - 0.5).clamp(0.0, cells as f64 - 1.0);
        (1.0 - (source - k as f64).abs()).max(0.0)
    };
    (0..PIXELS)
        .map(|i| {
            let sum: f64 = (0..cells * cells)
                .map(|k| grid[k] * tent(top + i / 6, cell[0], k / cells) * tent(left + i % 6, cell[1], k % cells))
                .sum();
            sum as f32
        })
        .collect()
}

#[test]
fn rise_matches_its_slow_twin() {
    for (cells, probability, n) in [(3, 0.5, 40), (7, 0.3, 25), (1, 0.8, 12), (9, 0.5, 5)] {
        let masks: Vec<Vec<f32>> = (0..n).map(|i| slow_mask(11, i, cells, probability)).collect();
        let scores: Vec<f64> = masks.iter().map(|m| masked(crooked, m)).collect();
        let mean = scores.iter().sum::<f64>() / n as f64;
        for (centre, offset) in [(false, 0.0), (true, mean)] {
            let request = json!({
                "method": "rise", "nSamples": n, "cells": cells, "probability": probability, "seed": 11,
                "centre": centre
            });
            let terms =
                |i: usize| masks.iter().zip(&scores).map(move |(m, f)| (f - offset) * f64::from(m[i]) / probability);
            let expected: Vec<f32> = (0..PIXELS).map(|i| (terms(i).sum::<f64>() / n as f64) as f32).collect();
            let map = explain(crooked, request);
            assert!(relative(&map.values, &expected) < 1e-4, "{cells} {centre}");
            let variance: f64 = (0..PIXELS)
                .map(|i| {
                    let mean = terms(i).sum::<f64>() / n as f64;
                    terms(i).map(|t| (t - mean) * (t - mean)).sum::<f64>() / (n - 1) as f64 / n as f64
                })
                .sum();
            let error = map.details.as_ref().unwrap()["standardError"].as_f64().unwrap();
            assert!((error / (variance / PIXELS as f64).sqrt() - 1.0).abs() < 1e-3, "{error}");
            assert!((map.details.unwrap()["meanScore"].as_f64().unwrap() - mean).abs() < 1e-4);
        }
    }
}

#[test]
fn rise_of_all_masks_is_the_expectation_of_a_linear_net() {
    // Every combination of 6 independent segments: E[F | pixel shown] = F(0) + its segment whole +
    // half of the others.
    let segments = segmentation(6);
    let masks: Vec<f32> = (0..64).flat_map(|z| shown(&segments, &coalition(z, 6))).collect();
    let request = json!({ "method": "rise", "masks": { "data": masks, "shape": [64, 7, 6] }, "centre": false });
    let mut sums = [0f32; 6];
    contributions().iter().zip(&segments).for_each(|(v, &id)| sums[id] += v);
    let all: f32 = sums.iter().sum();
    let map = explain(linear, request.clone());
    for (value, &id) in map.values.iter().zip(&segments) {
        assert!((value - (0.25 + (all + sums[id]) / 2.0)).abs() < 1e-4);
    }
    let mut centred = request;
    centred["centre"] = json!(true);
    for (value, &id) in explain(linear, centred).values.iter().zip(&segments) {
        assert!((value - sums[id] / 2.0).abs() < 1e-4);
    }
}

#[test]
fn rise_finds_the_one_place_that_counts() {
    fn spot(x: &[f32]) -> f32 {
        x[2 * 6 + 4] / pixels()[2 * 6 + 4]
    }
    let map = explain(spot, json!({ "method": "rise", "nSamples": 3000, "cells": 5 }));
    let best = map.values.iter().copied().fold(f32::MIN, f32::max);
    assert_eq!(best, map.values[2 * 6 + 4]);
    // F = M there, so that the map is cov(M, M) / p = var(M) / p there, and nothing far away.
    let error = map.details.unwrap()["standardError"].as_f64().unwrap() as f32;
    assert!(best > 0.2 && map.values[6 * 6].abs() < 4.0 * error, "{best} {} {error}", map.values[6 * 6]);
}
