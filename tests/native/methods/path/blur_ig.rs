//! Blur IG.

use super::*;

const TALL: [usize; 3] = [2, 5, 7];

/// sum w x^3 + (sum w x)^2: every pixel's gradient depends on all others.
fn curved(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let y = sum(times(x.clone(), wave));
    logits(sum(times(x.clone() * x.clone() * x, wave)) + y.clone() * y)
}

fn curved_gradient(x: &[f64]) -> Vec<f64> {
    let y: f64 = x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * v).sum();
    x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * (3.0 * v * v + 2.0 * y)).collect()
}

/// Each pixel as a weighted sum over all within 4 sigma in each direction, zeros outside.
fn blurred(x: &[f64], [c, h, w]: [usize; 3], sigma: f64) -> Vec<f64> {
    if sigma == 0.0 {
        return x.to_vec();
    }
    let radius = (4.0 * sigma + 0.5) as i64;
    let g = |d: i64| if d.abs() > radius { 0.0 } else { (-((d * d) as f64) / (2.0 * sigma * sigma)).exp() };
    let total: f64 = (-radius..=radius).map(g).sum();
    let at = |k: usize, y: usize, x: usize| (k * h + y) * w + x;
    let mut out = vec![0.0; x.len()];
    for k in 0..c {
        for (y0, x0) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            for (y1, x1) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
                let weight = g(y0 as i64 - y1 as i64) * g(x0 as i64 - x1 as i64) / total / total;
                out[at(k, y0, x0)] += weight * x[at(k, y1, x1)];
            }
        }
    }
    out
}

#[test]
fn blur_ig_beside_a_slow_twin() {
    let x = photo(70);
    let exact: Vec<f64> = x.iter().copied().map(f64::from).collect();
    for (steps, widest, sqrt, step) in [
        (10, 4.0, false, 0.01),
        (13, 50.0, false, 0.01),
        (9, 20.0, true, 0.01),
        (10, 3.0, false, 0.5),
        (6, 5.0, true, 0.0),
    ] {
        let sigma = |i: usize| {
            let even = i as f64 * widest / steps as f64;
            if sqrt { even.sqrt() } else { even }
        };
        let mut expected = [0.0f64; 70];
        for i in 0..steps {
            let width = sigma(i + 1) - sigma(i);
            let step = if step == 0.0 { width } else { step };
            let (here, there) = (blurred(&exact, TALL, sigma(i)), blurred(&exact, TALL, sigma(i) + step));
            for (k, g) in curved_gradient(&here).into_iter().enumerate() {
                expected[k] -= width * g * (there[k] - here[k]) / step;
            }
        }
        let expected = expected.map(|v| v as f32);
        let score = |x: &[f64]| {
            let y: f64 = x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * v).sum();
            x.iter().enumerate().map(|(i, v)| f64::from(wave(i)) * v.powi(3)).sum::<f64>() + y * y
        };
        for chunk in [1, 4, 64] {
            let map = explain(
                TALL,
                curved,
                &x,
                json!({
                    "method": "blur_ig", "nSteps": steps, "maxSigma": widest, "sqrtScale": sqrt, "gradStep": step,
                    "chunkSize": chunk
                }),
            );
            let off = relative(&map.values, &expected);
            assert!(off < 2e-5, "{steps} {widest} {sqrt} {step} {chunk}: {off}");
            let c = map.completeness.unwrap();
            assert!((c.baseline_score - score(&blurred(&exact, TALL, sigma(steps)))).abs() < 1e-4, "{c:?}");
            assert!(
                (c.score - score(&exact)).abs() < 1e-4 && (c.delta - (c.sum - c.score + c.baseline_score)).abs() < 1e-9
            );
        }
    }
}

#[test]
fn blur_ig_adds_up() {
    let x = photo(70);
    let exact: Vec<f64> = x.iter().copied().map(f64::from).collect();
    // A linear model: w (x - L(widest)) for any number of steps, where the derivative looks at the
    // next blur.
    for (steps, sqrt) in [(1, false), (5, false), (40, true)] {
        let request = json!({ "method": "blur_ig", "nSteps": steps, "maxSigma": 9, "sqrtScale": sqrt, "gradStep": 0 });
        let map = explain(TALL, waves, &x, request);
        let end = blurred(&exact, TALL, if sqrt { 3.0 } else { 9.0 });
        let expected: Vec<f32> = (0..70).map(|i| wave(i) * (exact[i] - end[i]) as f32).collect();
        close(&map.values, &expected, 1e-5);
        assert!(map.completeness.unwrap().delta.abs() < 1e-5);
    }
    // A function of each pixel by itself: the sine's difference, pixel by pixel, as steps get
    // small.
    let end = blurred(&exact, TALL, 5.0);
    let expected: Vec<f32> = (0..70).map(|i| (exact[i].sin() - end[i].sin()) as f32).collect();
    for (step, tolerance) in [(0.0, 0.01), (0.01, 0.02)] {
        let request = json!({ "method": "blur_ig", "nSteps": 1000, "maxSigma": 5, "gradStep": step });
        let map = explain(TALL, |x, _| logits(sum(x.sin())), &x, request);
        close(&map.values, &expected, tolerance);
        let c = map.completeness.unwrap();
        assert!(c.delta.abs() < 0.02 * (c.score - c.baseline_score).abs(), "{c:?}");
    }
}
