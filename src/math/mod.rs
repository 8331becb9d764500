//! Numerical methods on plain numbers, which know nothing of photos, networks or methods.

pub mod cholesky;
pub mod grid;
pub mod lanczos;
pub mod quadrature;
pub mod random;
pub mod superpixels;

/// x^T A y of a square row-major A.
pub fn quadratic(a: &[f64], x: &[f64], y: &[f64]) -> f64 {
    a.chunks(y.len().max(1)).zip(x).map(|(line, x)| x * dot(line, y)).sum()
}

/// x^T y, in eight sums that run side by side.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let (x, x_rest) = x.as_chunks::<8>();
    let (y, y_rest) = y.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (x, y) in x.iter().zip(y) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_form_is_that_of_the_definition() {
        assert_eq!(quadratic(&[1.0, 2.0, 3.0, 4.0], &[1.0, -1.0], &[2.0, 1.0]), -6.0);
    }
}
