//! Maxima in windows.

use wide::f32x4;

use crate::geometry::{Geometry, Padded};

/// The maximum of each window, `[C, H, W] -> [C, h, w]`; NaN where there is one. Every window has a
/// place inside the input.
pub fn max(g: &Geometry, x: &[f32], y: &mut [f32]) {
    let padded = Padded::new(g);
    let taps = padded.taps(g);
    let width = g.output[1];
    let mut copy = vec![f32::NEG_INFINITY; padded.plane];
    let channels = x.chunks_exact(g.input[0] * g.input[1]).zip(y.chunks_exact_mut(g.output[0] * width));
    for (x, y) in channels {
        padded.fill(g, x, &mut copy);
        for (line, y) in y.chunks_exact_mut(width).enumerate() {
            let data = &copy[line * g.stride * padded.row..];
            let (fours, rest) = y.as_chunks_mut::<4>();
            let begin = 4 * fours.len();
            for (at, to) in fours.iter_mut().enumerate() {
                let mut top = f32x4::splat(f32::NEG_INFINITY);
                for tap in &taps {
                    if let Some(four) = data[tap + 4 * at..].first_chunk() {
                        let four = f32x4::new(*four);
                        let higher = top.simd_lt(four) | four.is_nan();
                        top = higher.select(four, top);
                    }
                }
                *to = top.to_array();
            }
            for (at, to) in rest.iter_mut().enumerate() {
                *to = taps.iter().map(|tap| data[tap + begin + at]).fold(f32::NEG_INFINITY, larger);
            }
        }
    }
}

fn larger(top: f32, value: f32) -> f32 {
    if top.is_nan() || value <= top { top } else { value }
}

/// The derivative by `x` of the maxima's product with `gradient`; of equal values in a window the
/// first gets it. `dx` is 0.
pub fn max_backward(g: &Geometry, x: &[f32], gradient: &[f32], dx: &mut [f32]) {
    let [height, width] = g.input;
    let inside = |from: usize, axis: usize, count: usize| {
        let begin = g.before[axis].saturating_sub(from).div_ceil(g.dilation);
        let end = (count + g.before[axis]).saturating_sub(from).div_ceil(g.dilation).min(g.kernel[axis]);
        (begin..end).map(move |tap| from + tap * g.dilation - g.before[axis])
    };
    let channels = x.chunks_exact(height * width).zip(gradient.chunks_exact(g.output[0] * g.output[1]));
    for ((x, gradient), dx) in channels.zip(dx.chunks_exact_mut(height * width)) {
        for (line, gradient) in gradient.chunks_exact(g.output[1]).enumerate() {
            for (place, gradient) in gradient.iter().enumerate() {
                let (mut top, mut winner) = (f32::NEG_INFINITY, None);
                for row in inside(line * g.stride, 0, height) {
                    for column in inside(place * g.stride, 1, width) {
                        let at = row * width + column;
                        let value = larger(top, x[at]);
                        if winner.is_none() || value.to_bits() != top.to_bits() {
                            (top, winner) = (value, Some(at));
                        }
                    }
                }
                if let Some(winner) = winner {
                    dx[winner] += gradient;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{derivative, noise};

    #[test]
    fn maxima_and_their_derivative() {
        for (kernel, stride, dilation, before, after, input) in [
            (3, 2, 1, 1, 1, [16, 18]),
            (3, 2, 1, 1, 1, [7, 9]),
            (2, 2, 1, 0, 0, [8, 10]),
            (3, 2, 1, 0, 1, [6, 6]),
            (3, 1, 2, 2, 2, [5, 7]),
            (3, 2, 1, 0, 0, [13, 13]),
        ] {
            let output = input.map(|n: usize| (n + before + after - dilation * (kernel - 1) - 1) / stride + 1);
            let g = Geometry {
                inputs: 3,
                outputs: 3,
                groups: 3,
                kernel: [kernel; 2],
                stride,
                dilation,
                before: [before; 2],
                input,
                output,
            };
            // Far enough from each other for differences.
            let count = 3 * input[0] * input[1];
            let mut x: Vec<f32> = (0..count).map(|i| (i * 31 % count) as f32).collect();
            let run = |x: &[f32]| {
                let mut y = vec![0.0; 3 * output[0] * output[1]];
                max(&g, x, &mut y);
                y
            };
            for (at, y) in run(&x).iter().enumerate() {
                let (c, row, column) = (at / (output[0] * output[1]), at / output[1] % output[0], at % output[1]);
                let mut top = f32::NEG_INFINITY;
                for (i, j) in (0..kernel).flat_map(|i| (0..kernel).map(move |j| (i, j))) {
                    let (r, s) = (
                        (row * stride + i * dilation).checked_sub(before),
                        (column * stride + j * dilation).checked_sub(before),
                    );
                    if let (Some(r), Some(s)) = (r.filter(|r| *r < input[0]), s.filter(|s| *s < input[1])) {
                        top = top.max(x[(c * input[0] + r) * input[1] + s]);
                    }
                }
                assert_eq!(*y, top);
            }
            let gradient = noise(3 * output[0] * output[1], 2);
            let mut dx = vec![0.0; x.len()];
            max_backward(&g, &x, &gradient, &mut dx);
            derivative(&x, &gradient, &dx, run);
            x[0] = f32::NAN;
            assert!(run(&x)[0].is_nan());
        }
    }

    #[test]
    fn the_first_of_equals_gets_the_gradient() {
        let g = Geometry {
            inputs: 1,
            outputs: 1,
            groups: 1,
            kernel: [2, 2],
            stride: 2,
            dilation: 1,
            before: [0, 0],
            input: [2, 4],
            output: [1, 2],
        };
        let mut dx = [0.0; 8];
        max_backward(&g, &[0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0], &[3.0, 5.0], &mut dx);
        assert_eq!(dx, [0.0, 3.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
