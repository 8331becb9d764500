//! Maps on one grid shown on another.

/// Which points of two grids lie on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// The grids' edges: PyTorch's `align_corners=False`.
    Centres,
    /// The centres of the outermost cells: PyTorch's `align_corners=True`.
    Corners,
}

/// A plane `[h, w]` on a grid of another size: linear between cell centres, constant beyond the
/// outermost ones, as PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
pub fn bilinear(values: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    bilinear_aligned(values, from, to, Align::Centres)
}

/// [`bilinear`], with grids that lie on each other as `align` says.
pub fn bilinear_aligned(values: &[f32], [h, w]: [usize; 2], [rows, columns]: [usize; 2], align: Align) -> Vec<f32> {
    let axis = |from: usize, to: usize| -> Vec<(usize, usize, f32)> {
        let last = from.saturating_sub(1);
        (0..to)
            .map(|i| {
                let at = match align {
                    Align::Centres => (i as f64 + 0.5) * from as f64 / to as f64 - 0.5,
                    Align::Corners => (i * last) as f64 / to.saturating_sub(1).max(1) as f64,
                };
                let at = at.clamp(0.0, last as f64);
                let low = at.floor() as usize;
                (low, (low + 1).min(last), (at - low as f64) as f32)
            })
            .collect()
    };
    let (ys, xs) = (axis(h, rows), axis(w, columns));
    let value = |y: usize, x: usize| values.get(y * w + x).copied().unwrap_or_default();
    let mut out = Vec::with_capacity(rows * columns);
    for &(y0, y1, fy) in &ys {
        for &(x0, x1, fx) in &xs {
            let upper = value(y0, x0) * (1.0 - fx) + value(y0, x1) * fx;
            let lower = value(y1, x0) * (1.0 - fx) + value(y1, x1) * fx;
            out.push(upper * (1.0 - fy) + lower * fy);
        }
    }
    out
}

/// A plane `[h, w]` on a grid of another size: the cell under each new cell's corner, as PyTorch's
/// `interpolate(mode="nearest")`.
pub fn nearest(values: &[f32], [h, w]: [usize; 2], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let cell = |y: usize, x: usize| values.get(y * h / rows * w + x * w / columns).copied().unwrap_or_default();
    (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))).map(|(y, x)| cell(y, x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_grow_as_pytorch_grows_them() {
        // torch.nn.functional.interpolate(torch.tensor([[[[1., 2.], [3., 5.]]]]), (3, 4), mode=...,
        // align_corners=False)
        let grown = bilinear(&[1.0, 2.0, 3.0, 5.0], [2, 2], [3, 4]);
        let expected = [1.0, 1.25, 1.75, 2.0, 2.0, 2.375, 3.125, 3.5, 3.0, 3.5, 4.5, 5.0];
        assert!(grown.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6), "{grown:?}");
        assert_eq!(bilinear(&[7.0], [1, 1], [2, 3]), [7.0; 6]);
        // The same with align_corners=True.
        let grown = bilinear_aligned(&[1.0, 2.0, 3.0, 5.0], [2, 2], [3, 4], Align::Corners);
        let thirds = [3.0, 4.0, 5.0, 6.0, 6.0, 7.5, 9.0, 10.5, 9.0, 11.0, 13.0, 15.0];
        assert!(grown.iter().zip(thirds).all(|(a, b): (&f32, f32)| (a - b / 3.0).abs() < 1e-6), "{grown:?}");
        assert_eq!(bilinear_aligned(&[7.0, 9.0], [2, 1], [1, 3], Align::Corners), [7.0; 3]);
        assert_eq!(nearest(&[1.0, 2.0, 3.0, 5.0], [2, 2], [3, 2]), [1.0, 2.0, 1.0, 2.0, 3.0, 5.0]);
    }
}
