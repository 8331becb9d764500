//! The first singular vector of a layer's activations, for Eigen-CAM and Eigen-Grad-CAM. In f64 and
//! off the device: the same on all of them.

use burn::tensor::Tensor;

use crate::error::Result;
use crate::math::dot;
use crate::math::lanczos::{Limits, largest_eigenpair};
use crate::methods::Context;
use crate::methods::{Kind, OptionSpec, Output};

/// Steps in which the eigenvector is sought. Its error falls as exp(-4 n sqrt(gap)) with the
/// eigenvalues' relative gap: 1e-11 at 1 / 250.
const STEPS: usize = 100;
/// Where the residual ends them, by the matrix's trace.
const TOLERANCE: f64 = 1e-14;

/// The option that subtracts each channel's mean first.
pub const CENTRE: OptionSpec = OptionSpec {
    id: "centre",
    kind: Kind::Boolean { default: true },
    unit: None,
    help: "subtract each channel's mean before the decomposition",
};

/// The CAM of each of the request's layers from a tensor `[1, C, h, w]` of each: see
/// [`projection`].
///
/// # Errors
/// [`Error::Aborted`](crate::Error::Aborted) between steps; those of the device.
pub async fn project(context: &Context<'_>, tensors: Vec<Tensor<4>>, centre: bool) -> Result<Output> {
    let total = tensors.len();
    let mut maps = Vec::with_capacity(total);
    for tensor in tensors {
        let [_, channels, ..] = tensor.dims();
        let values = context.read(tensor).await?;
        maps.push(projection(&values, channels, centre, &async || context.breathe().await).await?);
        context.progress(maps.len(), total).await?;
    }
    Ok(context.combined(maps))
}

/// Of a matrix of `channels` rows, one value per place: every place's vector of channels, from
/// which each channel's mean over the places is taken away first where `centre`, projected on the
/// first right singular vector of the matrix of places. Signed so that it correlates positively
/// with the mean over channels. `breathe` is awaited after every row of the matrices.
///
/// # Errors
/// Those of `breathe`.
pub async fn projection(
    values: &[f32],
    channels: usize,
    centre: bool,
    breathe: &impl AsyncFn() -> Result<()>,
) -> Result<Vec<f32>> {
    let places = values.len() / channels.max(1);
    let mut rows: Vec<Vec<f64>> =
        values.chunks_exact(places.max(1)).map(|row| row.iter().copied().map(f64::from).collect()).collect();
    let mean = sum_of(rows.iter().map(|row| (1.0, row)), places);
    let mut sizes = vec![0.0; places];
    rows.iter().for_each(|row| sizes.iter_mut().zip(row).for_each(|(s, v)| *s += v.abs()));
    if centre {
        for row in &mut rows {
            let mean = row.iter().sum::<f64>() / places as f64;
            // What rounding leaves of a constant channel is no direction.
            row.iter_mut().for_each(|v| *v = if (*v - mean).abs() <= 1e-12 * mean.abs() { 0.0 } else { *v - mean });
        }
    }
    let mut map = if channels <= places {
        let (_, v) = leading(&gram(&rows, breathe).await?, breathe).await?;
        sum_of(v.into_iter().zip(&rows), places)
    } else {
        let columns: Vec<Vec<f64>> =
            (0..places).map(|u| rows.iter().filter_map(|row| row.get(u)).copied().collect()).collect();
        let (value, u) = leading(&gram(&columns, breathe).await?, breathe).await?;
        // The first left singular vector times the first singular value is the same projection.
        u.into_iter().map(|u| u * value.max(0.0).sqrt()).collect()
    };
    // The sign by the mean over channels; where that is only what rounding leaves of sums that
    // cancel, the largest magnitude is positive.
    let middle = map.iter().sum::<f64>() / places as f64;
    let agreement: f64 = map.iter().zip(&mean).map(|(v, m)| (v - middle) * m).sum();
    let at_most: f64 = map.iter().zip(&sizes).map(|(v, s)| (v - middle).abs() * s).sum();
    let side = if agreement.abs() > 1e-5 * at_most {
        agreement
    } else {
        map.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or_default()
    };
    if side < 0.0 {
        map.iter_mut().for_each(|v| *v = -*v);
    }
    Ok(map.into_iter().map(|v| v as f32).collect())
}

/// The largest eigenvalue of a symmetric matrix without negative ones, and a unit eigenvector;
/// zeros for a matrix of zeros.
async fn leading(matrix: &[Vec<f64>], breathe: &impl AsyncFn() -> Result<()>) -> Result<(f64, Vec<f64>)> {
    let n = matrix.len();
    let trace: f64 = matrix.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum();
    let times = |x: &[f64]| matrix.iter().map(|row| dot(row, x)).collect();
    let limits = Limits { tolerance: TOLERANCE * trace, steps: STEPS };
    let pair = if trace == 0.0 { None } else { largest_eigenpair(times, n, &[], limits, breathe).await? };
    Ok(pair.unwrap_or_else(|| (0.0, vec![0.0; n])))
}

/// The products of all pairs of vectors.
async fn gram(vectors: &[Vec<f64>], breathe: &impl AsyncFn() -> Result<()>) -> Result<Vec<Vec<f64>>> {
    let mut products: Vec<Vec<f64>> = Vec::with_capacity(vectors.len());
    for (i, a) in vectors.iter().enumerate() {
        let before = products.iter().filter_map(|row| row.get(i).copied());
        let row = before.chain(vectors.iter().skip(i).map(|b| dot(a, b))).collect();
        products.push(row);
        breathe().await?;
    }
    Ok(products)
}

fn sum_of<'a>(parts: impl Iterator<Item = (f64, &'a Vec<f64>)>, length: usize) -> Vec<f64> {
    let mut sum = vec![0.0; length];
    for (weight, vector) in parts {
        sum.iter_mut().zip(vector).for_each(|(s, v)| *s += weight * v);
    }
    sum
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::math::random::stream;
    use crate::math::waiting::{idle, now};

    fn projection(values: &[f32], channels: usize, centre: bool) -> Vec<f32> {
        now(super::projection(values, channels, centre, &idle)).unwrap()
    }

    /// One-sided Jacobi: rotates pairs of columns until all are orthogonal; the longest is the
    /// first left singular vector times the first singular value.
    fn by_rotations(rows: &[Vec<f64>]) -> Vec<f64> {
        let mut columns = rows.to_vec(); // of the transposed matrix
        for _ in 0..100 {
            for i in 0..columns.len() {
                for j in i + 1..columns.len() {
                    let (a, b, c) =
                        (dot(&columns[i], &columns[i]), dot(&columns[j], &columns[j]), dot(&columns[i], &columns[j]));
                    if c == 0.0 {
                        continue;
                    }
                    let angle = 0.5 * (2.0 * c).atan2(a - b);
                    for u in 0..columns[i].len() {
                        let (x, y) = (columns[i][u], columns[j][u]);
                        columns[i][u] = angle.cos() * x + angle.sin() * y;
                        columns[j][u] = angle.cos() * y - angle.sin() * x;
                    }
                }
            }
        }
        columns.into_iter().max_by(|a, b| dot(a, a).total_cmp(&dot(b, b))).unwrap()
    }

    #[test]
    fn projections_equal_those_of_a_decomposition_by_rotations() {
        for (channels, places) in [(1, 9), (2, 6), (5, 30), (30, 5), (12, 12), (40, 49), (3, 1)] {
            for centre in [true, false] {
                let mut random = stream(3, (channels * 100 + places) as u64);
                let values: Vec<f32> = (0..channels * places).map(|_| random.random::<f32>() - 0.3).collect();
                let mut rows: Vec<Vec<f64>> =
                    values.chunks(places).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect();
                let mean = sum_of(rows.iter().map(|row| (1.0, row)), places);
                if centre {
                    for row in &mut rows {
                        let mean = row.iter().sum::<f64>() / places as f64;
                        row.iter_mut().for_each(|v| *v -= mean);
                    }
                }
                let expected = by_rotations(&rows);
                let map: Vec<f64> = projection(&values, channels, centre).into_iter().map(f64::from).collect();
                let (length, along) = (dot(&expected, &expected).sqrt(), dot(&map, &expected));
                let sign = if along < 0.0 { -1.0 } else { 1.0 };
                for (got, wanted) in map.iter().zip(&expected) {
                    let difference = (got - sign * wanted).abs();
                    assert!(difference <= 1e-6 * length + 1e-12, "{channels} x {places}, {centre}: {got} {wanted}");
                }
                let middle = map.iter().sum::<f64>() / places as f64;
                assert!(map.iter().zip(&mean).map(|(v, m)| (v - middle) * m).sum::<f64>() >= -1e-9);
            }
        }
    }

    #[test]
    fn matrices_without_a_direction_give_zeros_and_broken_ones_no_panic() {
        assert_eq!(projection(&[0.0; 12], 3, true), [0.0; 4]);
        assert_eq!(projection(&[2.5; 12], 3, true), [0.0; 4]);
        assert_eq!(projection(&[0.1; 21], 3, true), [0.0; 7]);
        let flat = projection(&[2.5; 12], 3, false);
        assert!(flat.iter().all(|v| (v - 2.5 * 3f32.sqrt()).abs() < 1e-5), "{flat:?}");
        assert!(projection(&[f32::NAN, 1.0, 2.0, 3.0], 2, true).iter().any(|v| v.is_nan()));
        assert!(projection(&[], 0, true).is_empty());
    }
}
