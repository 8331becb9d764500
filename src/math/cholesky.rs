//! Systems of equations with a symmetric positive definite matrix.

use super::dot;
use crate::error::Result;

/// The lower factor L of a symmetric positive definite A = L L^T, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    lower: Vec<f64>,
    n: usize,
    /// Whether A determines every direction.
    pub determined: bool,
}

impl Cholesky {
    /// Factorises A `[n, n]` with 1e-10 of its mean diagonal added to its diagonal: a direction of
    /// which the samples say nothing gets 0. `breathe` is awaited after every row.
    ///
    /// # Errors
    /// Those of `breathe`.
    pub async fn new(mut a: Vec<f64>, n: usize, breathe: &impl AsyncFn() -> Result<()>) -> Result<Self> {
        let mean = a.iter().step_by(n + 1).sum::<f64>() / n.max(1) as f64;
        a.iter_mut().step_by(n + 1).for_each(|v| *v += 1e-10 * mean + f64::MIN_POSITIVE);
        let mut determined = true;
        for i in 0..n {
            for j in 0..=i {
                let v = a[i * n + j] - dot(&a[i * n..i * n + j], &a[j * n..j * n + j]);
                a[i * n + j] = if i == j { v.sqrt() } else { v / a[j * n + j] };
                if i == j {
                    // Where A is singular, a pivot is what was added times at most n. One that is
                    // not a number determines nothing either.
                    determined &= v > 1e-6 * mean;
                    if v <= 0.0 {
                        // Rounding took more than was added: this direction gets 0 as well.
                        a[i * n + j] = f64::INFINITY;
                    }
                }
            }
            breathe().await?;
        }
        Ok(Self { lower: a, n, determined })
    }

    /// A^-1 b
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let (l, n) = (&self.lower, self.n);
        let mut x = b.to_vec();
        for i in 0..n {
            x[i] = (x[i] - dot(&l[i * n..i * n + i], &x[..i])) / l[i * n + i];
        }
        for i in (0..n).rev() {
            let rest: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
            x[i] = (x[i] - rest) / l[i * n + i];
        }
        x
    }

    /// The mean of A^-1's diagonal. `breathe` is awaited after every number of it.
    ///
    /// # Errors
    /// Those of `breathe`.
    pub async fn mean_variance(&self, breathe: &impl AsyncFn() -> Result<()>) -> Result<f64> {
        let mut sum = 0.0;
        for i in 0..self.n {
            let mut unit = vec![0.0; self.n];
            unit[i] = 1.0;
            sum += self.solve(&unit)[i];
            breathe().await?;
        }
        Ok(sum / self.n.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::waiting::{idle, now};

    fn factorised(a: Vec<f64>, n: usize) -> Cholesky {
        now(Cholesky::new(a, n, &idle)).unwrap()
    }

    #[test]
    fn a_matrix_that_is_not_finite_determines_nothing() {
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for at in [0, 1, 3, 4, 8] {
                let mut a: Vec<f64> = (0..9).map(|i| if i % 4 == 0 { 4.0 } else { 1.0 }).collect();
                a[at] = broken;
                a[at % 3 * 3 + at / 3] = broken;
                assert!(!factorised(a, 3).determined, "{broken} at {at}");
            }
        }
        // Not positive: no root of it is taken.
        let factor = factorised(vec![1.0, 2.0, 2.0, 1.0], 2);
        assert!(!factor.determined && factor.solve(&[1.0, 1.0]).iter().all(|v| v.is_finite()));
    }

    #[test]
    fn a_factor_solves_what_was_multiplied() {
        // A = B B^T + 1 of a B with no pattern.
        let n = 7;
        let b: Vec<f64> = (0..n * n).map(|i| (i as f64 * 1.7).sin()).collect();
        let at = |i: usize, j: usize| dot(&b[i * n..(i + 1) * n], &b[j * n..(j + 1) * n]) + f64::from(u8::from(i == j));
        let a: Vec<f64> = (0..n * n).map(|k| at(k / n, k % n)).collect();
        let x: Vec<f64> = (0..n).map(|i| i as f64 - 2.5).collect();
        let right: Vec<f64> = a.chunks(n).map(|line| dot(line, &x)).collect();
        let factor = factorised(a.clone(), n);
        assert!(factor.determined);
        assert!(factor.solve(&right).iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-8));
        // A multiple of the identity has an inverse that can be seen.
        let diagonal: Vec<f64> = (0..9).map(|i| if i % 4 == 0 { 4.0 } else { 0.0 }).collect();
        assert!((now(factorised(diagonal, 3).mean_variance(&idle)).unwrap() - 0.25).abs() < 1e-9);
        // A direction that nothing is known of.
        let factor = factorised(vec![1.0, 1.0, 1.0, 1.0], 2);
        let flat = factor.solve(&[2.0, 2.0]);
        assert!(!factor.determined && flat.iter().all(|v| (v - 1.0).abs() < 1e-5), "{flat:?}");
        assert_eq!(factorised(vec![0.0; 4], 2).solve(&[0.0; 2]), [0.0; 2]);
    }
}
