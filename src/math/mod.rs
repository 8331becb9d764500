//! Numerical methods on plain numbers, which know nothing of photos, networks or methods.

pub mod cholesky;
pub mod grid;
pub mod quadrature;
pub mod random;
pub mod superpixels;

/// x^T A y of a square row-major A.
pub fn quadratic(a: &[f64], x: &[f64], y: &[f64]) -> f64 {
    a.chunks(y.len().max(1)).zip(x).map(|(line, x)| x * dot(line, y)).sum()
}

/// x^T y
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_form_is_that_of_the_definition() {
        assert_eq!(quadratic(&[1.0, 2.0, 3.0, 4.0], &[1.0, -1.0], &[2.0, 1.0]), -6.0);
    }
}
