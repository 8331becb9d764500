//! Eigenvectors of symmetric matrices by Lanczos iterations (Golub and Van Loan, Matrix
//! Computations, 4th edition, section 10.1), with full reorthogonalisation: of a matrix, only its
//! product with a vector is asked for.

use rand::RngExt;

use super::dot;
use super::random::stream;
use crate::error::Result;

/// Steps between looks at the residual.
const LOOK: usize = 8;

/// Where the iterations end.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A residual |A x - l x| for a unit vector x that is small enough.
    pub tolerance: f64,
    /// The most steps, each a product with the matrix.
    pub steps: usize,
}

/// The largest eigenvalue of a symmetric matrix of `n` rows in the space orthogonal to `known`, and
/// a unit eigenvector, of either sign, or what comes nearest to them within the limits; `times`
/// multiplies the matrix by a vector. `None` where there is no such space.
///
/// `known` are orthonormal eigenvectors of the matrix: those that came out of this before, for the
/// next one, which also finds the others of an eigenvalue that is there several times. The smallest
/// eigenvalue is the negative matrix's largest.
///
/// `breathe` is awaited after every step.
///
/// # Errors
/// Those of `breathe`.
pub async fn largest_eigenpair(
    times: impl Fn(&[f64]) -> Vec<f64>,
    n: usize,
    known: &[Vec<f64>],
    limits: Limits,
    breathe: &impl AsyncFn() -> Result<()>,
) -> Result<Option<(f64, Vec<f64>)>> {
    let most = n.saturating_sub(known.len()).min(limits.steps);
    if most == 0 {
        return Ok(None);
    }
    // Every vector that later ones are orthogonal to.
    let mut basis = known.to_vec();
    let mut random = stream(0, 0);
    let mut next: Vec<f64> = (0..n).map(|_| random.random_range(-1.0..1.0)).collect();
    orthogonalise(&mut next, &basis);
    normalise(&mut next);
    // The matrix within the space of the Lanczos vectors, which is tridiagonal.
    let (mut diagonal, mut beside): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    loop {
        let mut image = times(&next);
        diagonal.push(dot(&next, &image));
        basis.push(next);
        orthogonalise(&mut image, &basis);
        let beta = dot(&image, &image).sqrt();
        let steps = diagonal.len();
        let last = steps >= most || beta <= limits.tolerance || beta.is_nan();
        if last || steps.is_multiple_of(LOOK) {
            let (value, shares) = largest_pair(&diagonal, &beside);
            let residual = beta * shares.last().copied().unwrap_or_default().abs();
            if last || residual <= limits.tolerance {
                let mut vector = vec![0.0; n];
                for (lanczos_vector, share) in basis.iter().skip(known.len()).zip(&shares) {
                    vector.iter_mut().zip(lanczos_vector).for_each(|(v, l)| *v += share * l);
                }
                normalise(&mut vector);
                return Ok(Some((value, vector)));
            }
        }
        image.iter_mut().for_each(|v| *v /= beta);
        beside.push(beta);
        next = image;
        breathe().await?;
    }
}

/// Makes a vector one of length 1.
pub fn normalise(vector: &mut [f64]) {
    let length = dot(vector, vector).sqrt();
    vector.iter_mut().for_each(|v| *v /= length);
}

/// Takes the parts along `basis` (orthonormal) out of a vector; twice, because rounding leaves some
/// of them the first time.
fn orthogonalise(vector: &mut [f64], basis: &[Vec<f64>]) {
    for direction in basis.iter().chain(basis) {
        let part = dot(vector, direction);
        vector.iter_mut().zip(direction).for_each(|(v, d)| *v -= part * d);
    }
}

/// The largest eigenvalue of a symmetric tridiagonal matrix without zeros beside its diagonal, and
/// its unit vector.
fn largest_pair(diagonal: &[f64], beside: &[f64]) -> (f64, Vec<f64>) {
    if let [only] = diagonal {
        return (*only, vec![1.0]);
    }
    // The pivots of s - T, which are positive where s is above every eigenvalue.
    let pivots = |s: f64| -> Option<Vec<f64>> {
        let mut pivots: Vec<f64> = Vec::with_capacity(diagonal.len());
        for (i, a) in diagonal.iter().enumerate() {
            let before = i.checked_sub(1).and_then(|j| Some((beside.get(j)?, pivots.get(j)?)));
            let pivot = s - a - before.map_or(0.0, |(b, p)| b * b / p);
            if pivot <= 0.0 {
                return None;
            }
            pivots.push(pivot);
        }
        Some(pivots)
    };
    // Between its largest number and what the circles of Gershgorin reach.
    let radius = 2.0 * beside.iter().fold(0f64, |m, b| m.max(*b));
    let mut low = diagonal.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut high = low + radius + 1e-3 * (low.abs() + radius);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        match pivots(middle) {
            Some(_) => high = middle,
            None => low = middle,
        }
    }
    let Some(pivots) = pivots(high) else {
        // Numbers that are not finite have no eigenvectors.
        return (f64::NAN, vec![f64::NAN; diagonal.len()]);
    };
    // Inverse iteration just above it. All parts of the vector are positive, as here: a start of
    // ones is never orthogonal to it.
    let mut vector = vec![1.0; diagonal.len()];
    for _ in 0..4 {
        for (i, b) in beside.iter().enumerate() {
            vector[i + 1] += b / pivots[i] * vector[i];
        }
        for i in (0..vector.len()).rev() {
            let after = beside.get(i).zip(vector.get(i + 1)).map_or(0.0, |(b, v)| b * v);
            vector[i] = (vector[i] + after) / pivots[i];
        }
        normalise(&mut vector);
    }
    (high, vector)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::waiting::{idle, now};

    fn largest_eigenpair(
        times: impl Fn(&[f64]) -> Vec<f64>,
        n: usize,
        known: &[Vec<f64>],
        limits: Limits,
    ) -> Option<(f64, Vec<f64>)> {
        now(super::largest_eigenpair(times, n, known, limits, &idle)).unwrap()
    }

    const LIMITS: Limits = Limits { tolerance: 1e-14, steps: usize::MAX };

    fn diagonal(values: &[f64]) -> impl Fn(&[f64]) -> Vec<f64> {
        move |x| x.iter().zip(values).map(|(x, value)| x * value).collect()
    }

    #[test]
    fn eigenvectors_that_lie_close_are_told_apart() {
        // Eigenvalues 1, 0.99, and a slope of smaller ones, more than there are steps.
        let mut values: Vec<f64> = (0..300).map(|i| 0.9 * f64::from(i) / 300.0).collect();
        (values[7], values[8]) = (1.0, 0.99);
        let limits = Limits { steps: 100, ..LIMITS };
        let (largest, vector) = largest_eigenpair(diagonal(&values), 300, &[], limits).unwrap();
        assert!((largest - 1.0).abs() < 1e-12 && vector[7].abs() > 1.0 - 1e-12, "{largest} {}", vector[7]);
        // Equal ones: any vector of their space, of the right length.
        values[8] = 1.0;
        let (largest, vector) = largest_eigenpair(diagonal(&values), 300, &[], limits).unwrap();
        assert!((largest - 1.0).abs() < 1e-12 && (vector[7].hypot(vector[8]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_after_the_other_they_are_all_there() {
        // A reflection H = 1 - 2 u u' turns a diagonal matrix into H D H with the same eigenvalues.
        let values = [-3.0, 5.0, 0.0, 2.5, 5.0, -1e-3, 0.0, 1e3, -1e3, 5.0, 7.0];
        let n = values.len();
        let mut axis: Vec<f64> = (0..n).map(|i| (i as f64 * 1.7).sin()).collect();
        normalise(&mut axis);
        let reflected = |x: &[f64]| -> Vec<f64> {
            let part = dot(x, &axis);
            x.iter().zip(&axis).map(|(x, u)| x - 2.0 * part * u).collect()
        };
        let times = |x: &[f64]| reflected(&diagonal(&values)(&reflected(x)));
        let mut expected = values;
        expected.sort_by(|a, b| b.total_cmp(a));
        let mut known = Vec::new();
        for value in expected {
            let (largest, vector) = largest_eigenpair(times, n, &known, LIMITS).unwrap();
            assert!((largest - value).abs() < 1e-11, "{largest}, not {value}");
            let image = times(&vector);
            assert!(image.iter().zip(&vector).all(|(image, v)| (image - value * v).abs() < 1e-9), "{value}");
            assert!((dot(&vector, &vector) - 1.0).abs() < 1e-14);
            assert!(known.iter().all(|before| dot(before, &vector).abs() < 1e-12), "{value}");
            known.push(vector);
        }
        assert!(largest_eigenpair(times, n, &known, LIMITS).is_none());
    }

    #[test]
    fn a_matrix_that_is_not_finite_has_no_finite_eigenvalue() {
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let (value, _) = largest_eigenpair(diagonal(&[broken, 1.0, 2.0]), 3, &[], LIMITS).unwrap();
            assert!(!value.is_finite(), "{broken}: {value}");
        }
        assert!(largest_eigenpair(diagonal(&[]), 0, &[], LIMITS).is_none());
    }
}
