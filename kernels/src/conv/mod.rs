//! Two-dimensional convolutions and their derivatives by the input, `[N, C, H, W]`.
//!
//! [`forward`] and [`backward`] choose one of three ways:
//!
//! * `depthwise`: sums of shifted rows, where each channel has one kernel;
//! * `winograd`: 3 x 3 kernels of stride 1, where that pays;
//! * `direct`: everything else, a product of the weights, `[O, I / groups * kh * kw]`, with the
//!   windows of the input. These are never written out as a whole: panels of eight windows are laid
//!   out as the product asks for them.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::act::Act;
use crate::gemm::{Strided, pack_a};
use crate::geometry::Geometry;

mod depthwise;
mod direct;
mod winograd;

/// What is computed from a convolution's weights on first use, and kept.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The panels of every group, one after the other.
    panels: OnceLock<Vec<f32>>,
    /// For [`winograd`].
    tiles: OnceLock<Vec<f32>>,
    /// The panels of every group's turned matrix, for the derivative.
    turned: OnceLock<Vec<f32>>,
    /// For [`winograd`] of the turned kernels.
    turned_tiles: OnceLock<Vec<f32>>,
}

/// Values of turned weights that are kept: 16 MB.
const MAX_TURNED: usize = 1 << 22;

/// The most values that [`Prepared`] comes to hold of `weights` weights `[O, I, kh, kw]`: one set
/// for the convolution, one for its derivative.
pub fn kept(weights: usize, [outputs, inputs]: [usize; 2], kernel: [usize; 2]) -> usize {
    if kernel == [3, 3] && outputs.saturating_mul(inputs) <= winograd::MAX_WEIGHTS {
        // 16 values for every 9.
        return 2 * 16 * outputs * inputs;
    }
    weights.saturating_add(if weights <= MAX_TURNED { weights } else { 0 })
}

/// Convolution weights.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// `[O, I / groups, kh, kw]`
    pub plain: &'a [f32],
    /// Of these weights; `None` for weights that are used once.
    pub prepared: Option<&'a Prepared>,
}

impl<'a> Weights<'a> {
    fn kernel(&self, inputs: usize, o: usize, i: usize) -> [f32; 9] {
        self.plain[9 * (o * inputs + i)..].first_chunk().copied().unwrap_or_default()
    }

    /// The panels of all groups.
    fn panels(&self, g: &Geometry) -> Option<&'a [f32]> {
        let (rows, steps) = (g.outputs / g.groups, g.steps());
        let group = |data| pack_a(&Strided { data, line: steps, step: 1 }, rows, steps);
        let all = || self.plain.chunks_exact(rows * steps).flat_map(group).collect();
        self.prepared.map(|prepared| prepared.panels.get_or_init(all).as_slice())
    }

    /// The panels of all groups for the derivative, unless they are too many to be kept beside the
    /// weights.
    fn turned(&self, g: &Geometry) -> Option<&'a [f32]> {
        let (rows, steps) = (g.outputs / g.groups, g.steps());
        let group = |data| pack_a(&Strided { data, line: 1, step: steps }, steps, rows);
        let all = || self.plain.chunks_exact(rows * steps).flat_map(group).collect();
        let prepared = self.prepared.filter(|_| self.plain.len() <= MAX_TURNED)?;
        Some(prepared.turned.get_or_init(all).as_slice())
    }

    /// The transformed kernels, turned around and with the channels' parts exchanged where
    /// `turned`.
    fn tiles(&self, g: &Geometry, turned: bool) -> Cow<'a, [f32]> {
        let (inputs, outputs) = (g.inputs, g.outputs);
        let transformed = || match turned {
            false => winograd::weights(outputs, inputs, |o, i| self.kernel(inputs, o, i)),
            true => winograd::weights(inputs, outputs, |i, o| {
                let mut kernel = self.kernel(inputs, o, i);
                kernel.reverse();
                kernel
            }),
        };
        match self.prepared {
            Some(prepared) if turned => prepared.turned_tiles.get_or_init(transformed).into(),
            Some(prepared) => prepared.tiles.get_or_init(transformed).into(),
            None => transformed().into(),
        }
    }
}

/// Inputs of up to so many places go through a product together: each alone would not be worth
/// reading the weights for.
const FEW: usize = 64;

/// act(convolution + bias) of `x`, `[N, I, H, W]`, into `y`, `[N, O, h, w]`.
pub fn forward(g: &Geometry, x: &[f32], weights: Weights<'_>, bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let [input_size, output_size] = [g.inputs * g.input[0] * g.input[1], g.outputs * g.places()];
    let several = x.len() > input_size;
    if several && !g.depthwise() && !winograd::pays(g) && g.places() <= FEW {
        return direct::forward(g, x, weights, bias, act, y);
    }
    for (x, y) in x.chunks_exact(input_size).zip(y.chunks_exact_mut(output_size)) {
        if g.depthwise() {
            depthwise::forward(g, x, weights.plain, bias, act, y);
        } else if winograd::pays(g) {
            winograd::forward(g, x, &weights.tiles(g, false), bias, act, y);
        } else {
            direct::forward(g, x, weights, bias, act, y);
        }
    }
}

/// The derivative by `x`, `[N, I, H, W]`, of the convolution's product with `gradient`,
/// `[N, O, h, w]`; `dx` is 0.
pub fn backward(g: &Geometry, gradient: &[f32], weights: Weights<'_>, dx: &mut [f32]) {
    let [reach_rows, reach_columns] = [0, 1].map(|axis| g.dilation * (g.kernel[axis] - 1));
    let inside = g.before[0] <= reach_rows && g.before[1] <= reach_columns;
    let size = g.inputs * g.input[0] * g.input[1];
    let each = gradient.chunks_exact(g.outputs * g.places());
    if g.depthwise() && inside {
        each.zip(dx.chunks_exact_mut(size)).for_each(|(from, dx)| depthwise::backward(g, from, weights.plain, dx));
        return;
    }
    if g.stride == 1 && inside {
        // Again a convolution, with the kernels turned around and the channels' parts exchanged.
        let before = [reach_rows - g.before[0], reach_columns - g.before[1]];
        let turned = Geometry { inputs: g.outputs, outputs: g.inputs, before, input: g.output, output: g.input, ..*g };
        if winograd::pays(&turned) {
            let tiles = weights.tiles(g, true);
            each.zip(dx.chunks_exact_mut(size))
                .for_each(|(from, dx)| winograd::forward(&turned, from, &tiles, None, None, dx));
            return;
        }
    }
    if g.places() <= FEW {
        return direct::backward(g, gradient, weights, dx);
    }
    each.zip(dx.chunks_exact_mut(size)).for_each(|(from, dx)| direct::backward(g, from, weights, dx));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::noise;

    /// Every (output, input, weight) index that a convolution multiplies.
    fn terms(g: &Geometry, mut each: impl FnMut(usize, usize, usize)) {
        let (inputs, outputs) = (g.inputs / g.groups, g.outputs / g.groups);
        for o in 0..g.outputs {
            for i in 0..inputs {
                for (y, x) in (0..g.output[0]).flat_map(|y| (0..g.output[1]).map(move |x| (y, x))) {
                    for (a, b) in (0..g.kernel[0]).flat_map(|a| (0..g.kernel[1]).map(move |b| (a, b))) {
                        let row = (y * g.stride + a * g.dilation).checked_sub(g.before[0]);
                        let column = (x * g.stride + b * g.dilation).checked_sub(g.before[1]);
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        if row < g.input[0] && column < g.input[1] {
                            let channel = o / outputs * inputs + i;
                            each(
                                (o * g.output[0] + y) * g.output[1] + x,
                                (channel * g.input[0] + row) * g.input[1] + column,
                                ((o * inputs + i) * g.kernel[0] + a) * g.kernel[1] + b,
                            );
                        }
                    }
                }
            }
        }
    }

    fn geometries() -> Vec<Geometry> {
        let mut all = Vec::new();
        for (inputs, outputs, groups) in [
            (24, 24, 1),
            (64, 96, 1),
            (64, 24, 1),
            (3, 8, 1),
            (5, 13, 1),
            (8, 8, 8),
            (6, 9, 3),
            (17, 17, 17),
            (1, 4, 1),
        ] {
            for (kernel, stride, dilation, before, after) in [
                ([1, 1], 1, 1, [0, 0], [0, 0]),
                ([1, 1], 2, 1, [0, 0], [0, 0]),
                ([3, 3], 1, 1, [1, 1], [1, 1]),
                ([3, 3], 2, 1, [1, 1], [1, 1]),
                ([3, 3], 2, 1, [0, 0], [1, 1]),
                ([3, 3], 1, 2, [2, 2], [2, 2]),
                ([5, 5], 2, 1, [2, 1], [1, 2]),
                ([7, 7], 2, 1, [3, 3], [3, 3]),
                ([1, 7], 1, 1, [0, 3], [0, 3]),
                ([4, 4], 4, 1, [0, 0], [0, 0]),
                ([2, 2], 1, 1, [2, 2], [2, 2]),
                ([3, 3], 3, 2, [1, 0], [0, 1]),
            ] {
                for input in [[16, 16], [9, 7], [15, 21], [5, 6usize], [6, 5], [3, 3], [4, 2], [2, 2]] {
                    let output = [0, 1].map(|axis| {
                        (input[axis] + before[axis] + after[axis])
                            .checked_sub(dilation * (kernel[axis] - 1) + 1)
                            .map_or(0, |rest| rest / stride + 1)
                    });
                    if !output.contains(&0) {
                        all.push(Geometry { inputs, outputs, groups, kernel, stride, dilation, before, input, output });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn forward_and_backward_are_those_of_the_definition() {
        let all = geometries();
        assert!(all.len() > 200);
        for g in all {
            let steps = g.steps();
            let (input_size, output_size) = (g.inputs * g.input[0] * g.input[1], g.outputs * g.places());
            let x = noise(2 * input_size, 1);
            let weights = noise(g.outputs * steps, 2);
            let bias = noise(g.outputs, 3);
            let count = 2 * output_size;
            let mut expected: Vec<f64> = (0..count).map(|at| f64::from(bias[at % output_size / g.places()])).collect();
            terms(&g, |y, input, weight| {
                for n in 0..2 {
                    expected[n * output_size + y] += f64::from(x[n * input_size + input]) * f64::from(weights[weight]);
                }
            });
            for prepared in [None, Some(&Prepared::default())] {
                let weights = Weights { plain: &weights, prepared };
                let mut y = vec![f32::NAN; count];
                let (act, exact): (_, fn(f64) -> f64) = match g.stride {
                    1 => (Act::Relu, |x| x.max(0.0)),
                    _ => (Act::HardSwish, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
                };
                forward(&g, &x, weights, Some(&bias), Some(act), &mut y);
                for (actual, want) in y.iter().zip(&expected) {
                    assert!(
                        (f64::from(*actual) - exact(*want)).abs() < 1e-4,
                        "{g:?}: {actual}, not {want} before {act:?}"
                    );
                }
            }
            let gradient = noise(count, 4);
            let mut expected = vec![0.0; x.len()];
            terms(&g, |y, input, weight| {
                for n in 0..2 {
                    expected[n * input_size + input] +=
                        f64::from(gradient[n * output_size + y]) * f64::from(weights[weight]);
                }
            });
            let prepared = Prepared::default();
            let weights = Weights { plain: &weights, prepared: Some(&prepared) };
            let mut dx = vec![0.0; x.len()];
            backward(&g, &gradient, weights, &mut dx);
            let mut first = vec![0.0; input_size];
            backward(&g, &gradient[..output_size], Weights { prepared: None, ..weights }, &mut first);
            assert!(first.iter().zip(&dx).all(|(one, both)| (one - both).abs() < 5e-5), "{g:?}: alone");
            for (actual, want) in dx.iter().zip(&expected) {
                assert!((f64::from(*actual) - want).abs() < 5e-5, "{g:?}: gradient {actual}, not {want}");
            }
        }
    }
}
