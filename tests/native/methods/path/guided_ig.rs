//! Guided IG.

use super::*;

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
    assert_close(&explain([1, 1, 2], independent, &[0.0, 0.0], request).values, &[-18.0, -9.0], 0.1);
}

#[test]
fn guided_ig_is_exact_on_a_linear_model_whatever_the_path() {
    let x: Vec<f32> = (0..24).map(|i| (i as f32 * 1.3).cos() * 2.0).collect();
    for (steps, fraction, max_dist) in
        [(1, 0.25, 0.02), (7, 0.25, 0.02), (20, 0.01, 1.0), (3, 1.0, 0.0), (10, 0.6, 0.5)]
    {
        for baseline in ["mean", "black", "blur", "noise"] {
            let request = json!({
                "method": "guided_ig", "nSteps": steps, "fraction": fraction, "maxDist": max_dist,
                "baseline": baseline
            });
            let map = explain([3, 2, 4], waves, &x, request);
            let id = Baseline::from_id(baseline, 10.0, 0).unwrap();
            let origin = now(id.of(&x, [3, 2, 4], &preprocess(), &idle)).unwrap();
            let expected: Vec<f32> = x.iter().zip(&origin).enumerate().map(|(i, (x, o))| wave(i) * (x - o)).collect();
            assert_close(&map.values, &expected, 1e-5);
            assert!(map.completeness.unwrap().delta.abs() < 1e-5);
        }
    }
    // From the photo itself there is no way to go.
    let itself = json!({ "data": x, "shape": [3, 2, 4] });
    let map = explain([3, 2, 4], waves, &x, json!({ "method": "guided_ig", "nSteps": 3, "baseline": itself }));
    assert_eq!(map.values, [0.0; 24]);
}
