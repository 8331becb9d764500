//! XRAI, with given regions and with its own.

use super::*;

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
    let origin = |b: Baseline| now(b.of(&x, shape, &preprocess(), &idle)).unwrap();
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
                    "method": "xrai", "algorithm": algorithm, "minPixelDiff": least, "nSteps": 7,
                    "chunkSize": chunk, "quadrature": quadrature,
                    "segments": { "data": data, "shape": [32, 8, 10] }
                }),
            );
            assert_eq!(map.shape, [1, 8, 10]);
            assert_close(&map.values, &expected, 1e-4);
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
    let request = |algorithm: &str, least: usize| {
        json!({
            "method": "xrai", "algorithm": algorithm, "minPixelDiff": least, "nSteps": 2, "segments": segments,
            "baselines": baselines
        })
    };
    let map = |algorithm, least| explain([1, 1, 6], |x, _| logits(sum(x)), &x, request(algorithm, least)).values;
    let third = 8.0 / 3.0;
    // Then the first region's rest, pixel 2 alone, has 2 and the third region's 8/3.
    assert_close(&map("full", 1), &[4.0, 4.0, third, third, third, -3.0], 1e-5);
    // By their means over everything the first region comes second, with pixel 2 alone.
    assert_close(&map("fast", 1), &[4.0, 4.0, 2.0, 3.0, 3.0, -3.0], 1e-5);
    // Regions of two pixels or more: it would add one.
    assert_close(&map("fast", 2), &[4.0, 4.0, third, third, third, -3.0], 1e-5);
    // Only the third region has four, and the rest, (4 + -3) / 2, is one region.
    assert_close(&map("full", 4), &[0.5, 3.0, 3.0, 3.0, 3.0, 0.5], 1e-5);
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
    // Regions grow by 5 pixels into their neighbours: away from the borders each quarter has one
    // value.
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
