pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Largest absolute difference over the largest absolute expected value.
pub fn relative(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let difference = got.iter().zip(expected).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    f64::from(difference) / f64::from(largest)
}

/// Asserts that no number is further than `tolerance` from the expected one.
#[track_caller]
pub fn assert_close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    let close = got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() <= tolerance);
    assert!(close, "{got:?}, expected {expected:?}");
}
