//! Layer norm.

use wide::f32x4;

/// The sum of `f` of every place of two rows of one length.
#[inline(always)]
fn sum(x: &[f32], y: &[f32], f: impl Fn(f32x4, f32x4) -> f32x4) -> f32 {
    let ((xs, x_rest), (ys, y_rest)) = (x.as_chunks::<4>(), y.as_chunks::<4>());
    let whole = xs.iter().zip(ys).fold(f32x4::ZERO, |sum, (x, y)| sum + f(f32x4::new(*x), f32x4::new(*y)));
    let rest = x_rest.iter().zip(y_rest).map(|(x, y)| f(f32x4::splat(*x), f32x4::splat(*y)).to_array()[0]);
    rest.fold(whole.reduce_add(), |sum, v| sum + v)
}

/// A row's mean and the inverse of its standard deviation.
fn moments(x: &[f32], epsilon: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x, x, |x, _| x) / n;
    let centre = f32x4::splat(mean);
    let variance = sum(x, x, |x, _| (x - centre) * (x - centre)) / n;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// (x - mean) / sqrt(variance + epsilon) * weight + bias of every row, as wide as `weight`.
pub fn forward(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
    let width = weight.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let (mean, scale) = moments(x, epsilon);
        for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = (x - mean) * scale * weight + bias;
        }
    }
}

/// The derivative by `x` of the norm's product with `gradient`.
pub fn backward(x: &[f32], weight: &[f32], epsilon: f32, gradient: &[f32], dx: &mut [f32]) {
    let width = weight.len();
    let n = width as f32;
    let rows = x.chunks_exact(width).zip(gradient.chunks_exact(width));
    for ((x, gradient), dx) in rows.zip(dx.chunks_exact_mut(width)) {
        let (mean, scale) = moments(x, epsilon);
        // dx holds the gradient at the normed values first.
        for ((dx, gradient), weight) in dx.iter_mut().zip(gradient).zip(weight) {
            *dx = gradient * weight;
        }
        let centre = f32x4::splat(mean);
        let along = sum(dx, dx, |g, _| g) / n;
        let with = sum(dx, x, |g, x| g * (x - centre)) * scale / n;
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = scale * (*dx - along - (x - mean) * scale * with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{derivative, noise};

    #[test]
    fn norms_and_their_derivative() {
        for width in [1, 3, 4, 10, 192] {
            let (weight, bias) = (noise(width, 1), noise(width, 2));
            let x: Vec<f32> = noise(3 * width, 3).iter().map(|x| 2.0 * x + 1.0).collect();
            let norm = |x: &[f32]| {
                let mut y = vec![f32::NAN; x.len()];
                forward(x, &weight, &bias, 1e-2, &mut y);
                y
            };
            for (x, y) in x.chunks(width).zip(norm(&x).chunks(width)) {
                let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
                let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / width as f64;
                for i in 0..width {
                    let normed = (f64::from(x[i]) - mean) / (variance + 1e-2).sqrt();
                    let expected = normed * f64::from(weight[i]) + f64::from(bias[i]);
                    assert!((f64::from(y[i]) - expected).abs() < 1e-5, "{} is not {expected}", y[i]);
                }
            }
            let gradient = noise(x.len(), 4);
            let mut dx = vec![f32::NAN; x.len()];
            backward(&x, &weight, 1e-2, &gradient, &mut dx);
            derivative(&x, &gradient, &dx, norm);
        }
    }
}
