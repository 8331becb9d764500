//! The normalised cut of a graph (Shi and Malik 2000, doi 10.1109/34.868688): its second
//! generalised eigenvector.
//!
//! (D - W) x = l D x is S y = (1 - l) y with S = D^-1/2 W D^-1/2 and y = D^1/2 x. The largest
//! eigenvalue of S is 1, its vector that of the roots of the degrees; what is wanted is the largest
//! in the space orthogonal to it; of an eigenvalue that is there several times, some vector.

use crate::error::Result;
use crate::math::dot;
use crate::math::lanczos::{Limits, largest_eigenpair, normalise};

/// Where the residual ends the iterations; the norm of S is 1.
const TOLERANCE: f64 = 1e-12;

/// The eigenvector x (x' D x = 1, either sign) of the second smallest eigenvalue l of
/// (D - W) x = l D x, and l; `weights` is the symmetric matrix W, `[n, n]` row-major, of positive
/// numbers, D the diagonal of its rows' sums. `None` where all weights off the diagonal are the
/// same, or n < 2: then no vector is better than others. `breathe` is awaited after every step.
///
/// # Errors
/// Those of `breathe`.
pub async fn second_eigenvector(
    weights: &[f64],
    n: usize,
    breathe: &impl AsyncFn() -> Result<()>,
) -> Result<Option<(f64, Vec<f64>)>> {
    let rows = || weights.chunks_exact(n.max(1)).take(n);
    let mut off = rows().enumerate().flat_map(|(i, row)| row.iter().enumerate().filter(move |(j, _)| *j != i));
    let Some((_, first)) = off.next() else { return Ok(None) };
    if off.all(|(_, w)| w == first) {
        return Ok(None);
    }
    let degrees: Vec<f64> = rows().map(|row| row.iter().sum()).collect();
    let roots: Vec<f64> = degrees.iter().map(|d| d.sqrt()).collect();
    let times = |y: &[f64]| -> Vec<f64> {
        let x: Vec<f64> = y.iter().zip(&roots).map(|(y, r)| y / r).collect();
        rows().zip(&roots).map(|(row, r)| dot(row, &x) / r).collect()
    };
    let mut first = roots.clone();
    normalise(&mut first);
    let limits = Limits { tolerance: TOLERANCE, steps: n };
    let Some((value, mut x)) = largest_eigenpair(times, n, &[first], limits, breathe).await? else { return Ok(None) };
    x.iter_mut().zip(&roots).for_each(|(x, r)| *x /= r);
    Ok(Some((1.0 - value, x)))
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::math::random::stream;
    use crate::math::waiting::{idle, now};

    fn second_eigenvector(weights: &[f64], n: usize) -> Option<(f64, Vec<f64>)> {
        now(super::second_eigenvector(weights, n, &idle)).unwrap()
    }

    /// Every eigenpair of a symmetric matrix by cyclic Jacobi rotations, the slow and sure way;
    /// vectors in columns.
    fn jacobi(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
        let n = a.len();
        let mut v: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
        for _ in 0..30 {
            for p in 0..n {
                for q in p + 1..n {
                    if a[p][q].abs() < 1e-300 {
                        continue;
                    }
                    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                    let c = 1.0 / t.hypot(1.0);
                    let s = t * c;
                    for row in a.iter_mut().chain(&mut v) {
                        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                    }
                    let (mut above, mut below) = (a[p].clone(), a[q].clone());
                    for (x, y) in above.iter_mut().zip(&mut below) {
                        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                    }
                    (a[p], a[q]) = (above, below);
                }
            }
        }
        ((0..n).map(|i| a[i][i]).collect(), v)
    }

    /// Points in groups on a line; those that are near are joined.
    fn graph(n: usize, groups: usize, seed: u64) -> Vec<f64> {
        let mut random = stream(seed, 1);
        let points: Vec<f64> =
            (0..n).map(|i| (i * groups / n) as f64 + 1.3 * random.random_range(0.0..1.0f64)).collect();
        (0..n * n).map(|i| if (points[i / n] - points[i % n]).abs() < 0.4 { 1.0 } else { 1e-5 }).collect()
    }

    #[test]
    fn it_is_the_vector_that_dense_rotations_find() {
        for (n, groups, seed) in [(2, 1, 0), (3, 1, 5), (16, 2, 1), (30, 3, 2), (61, 2, 3), (90, 5, 4)] {
            let mut w = graph(n, groups, seed);
            if n == 2 {
                assert_eq!(second_eigenvector(&w, n), None);
                continue;
            }
            if n == 3 {
                w = vec![1.0, 0.5, 1e-5, 0.5, 1.0, 0.25, 1e-5, 0.25, 1.0];
            }
            let roots: Vec<f64> = w.chunks(n).map(|row| row.iter().sum::<f64>().sqrt()).collect();
            let s = (0..n).map(|i| (0..n).map(|j| w[i * n + j] / (roots[i] * roots[j])).collect()).collect();
            let (values, vectors) = jacobi(s);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
            assert!(values[order[1]] - values[order[2]] > 1e-9, "{n}: the second is one of several alike");
            let expected: Vec<f64> = (0..n).map(|i| vectors[i][order[1]] / roots[i]).collect();
            let (value, x) = second_eigenvector(&w, n).unwrap();
            assert!(
                (1.0 - value - values[order[1]]).abs() < 1e-12,
                "{n}: {value}, expected {}",
                1.0 - values[order[1]]
            );
            let sign = dot(&x, &expected).signum();
            let largest = expected.iter().fold(0f64, |m, v| m.max(v.abs()));
            let off = x.iter().zip(&expected).fold(0f64, |m, (a, b)| m.max((sign * a - b).abs()));
            assert!(off < 1e-6 * largest, "{n}: {:.1e}", off / largest);
        }
    }

    #[test]
    fn graphs_as_large_as_a_dinov2_has_patches() {
        let n = 1369;
        let w = graph(n, 7, 9);
        let (value, x) = second_eigenvector(&w, n).unwrap();
        let (mut residual, mut norm, mut first) = (0.0, 0.0, 0.0);
        for (row, xi) in w.chunks(n).zip(&x) {
            let d: f64 = row.iter().sum();
            residual += (d * xi - dot(row, &x) - value * d * xi).powi(2) / d;
            norm += d * xi * xi;
            first += d * xi;
        }
        assert!(residual.sqrt() < 1e-11, "{residual:.1e}");
        assert!((norm - 1.0).abs() < 1e-12 && first.abs() < 1e-9, "{norm} {first}");
    }

    #[test]
    fn where_all_are_alike_there_is_none() {
        assert_eq!(second_eigenvector(&[1.0; 25], 5), None);
        assert_eq!(second_eigenvector(&[1.0], 1), None);
        assert_eq!(second_eigenvector(&[], 0), None);
        let apart: Vec<f64> = (0..25).map(|i| if i % 6 == 0 { 1.0 } else { 1e-5 }).collect();
        assert_eq!(second_eigenvector(&apart, 5), None);
        // Two alike, of volume 4, and one apart, of volume 1: (1, 1, -4) up to scale, nearly.
        let (_, x) = second_eigenvector(&[1.0, 1.0, 1e-5, 1.0, 1.0, 1e-5, 1e-5, 1e-5, 1.0], 3).unwrap();
        assert!((x[0] - x[1]).abs() < 1e-9 && (x[2] / x[0] + 4.0).abs() < 1e-3, "{x:?}");
    }
}
