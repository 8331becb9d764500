//! Depthwise convolutions, whose channels each have one kernel: sums of the input's rows, shifted
//! and weighed.

use wide::f32x4;

use crate::act::{Act, clamp, zip};
use crate::geometry::{Geometry, Padded};

/// One kernel of one channel, what is added and applied.
struct Filter<'a> {
    /// Where the kernel's weights lie in the data, from a window's first value on.
    taps: &'a [usize],
    kernel: &'a [f32],
    bias: f32,
    act: Option<Act>,
}

/// One channel's windows under a filter; lines of `data` are `row` apart, those of `y` are `width`
/// wide.
fn plane(data: &[f32], filter: &Filter<'_>, row: usize, y: &mut [f32], width: usize) {
    let Filter { taps, kernel, bias, act } = *filter;
    // The usual sizes by loops of known length.
    if let (Some(taps), Some(kernel)) = (taps.as_array(), kernel.as_array()) {
        return plane_of::<9>(data, taps, kernel, filter, row, y, width);
    }
    if let (Some(taps), Some(kernel)) = (taps.as_array(), kernel.as_array()) {
        return plane_of::<25>(data, taps, kernel, filter, row, y, width);
    }
    for (line, y) in y.chunks_exact_mut(width).enumerate() {
        y.fill(bias);
        for (tap, weight) in taps.iter().zip(kernel) {
            let weight = f32x4::splat(*weight);
            zip(y, &data[line * row + tap..][..width], |y, x| y + weight * x);
        }
        if let Some(act) = act {
            act.apply(y);
        }
    }
}

fn plane_of<const T: usize>(
    data: &[f32],
    taps: &[usize; T],
    kernel: &[f32; T],
    filter: &Filter<'_>,
    row: usize,
    y: &mut [f32],
    width: usize,
) {
    let weights = kernel.map(f32x4::splat);
    let bias = f32x4::splat(filter.bias);
    let bounds = Act::bounds(filter.act);
    let [low, high] = bounds.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]).map(f32x4::splat);
    for (line, y) in y.chunks_exact_mut(width).enumerate() {
        let rows = taps.map(|tap| &data[line * row + tap..][..width]);
        if width >= 4 {
            let mut at = 0;
            while at + 4 <= width {
                y[at..at + 4].copy_from_slice(&clamp(window(&rows, &weights, bias, at), low, high).to_array());
                at += 4;
            }
            if at < width {
                // The rest overlaps what is there already.
                at = width - 4;
                y[at..].copy_from_slice(&clamp(window(&rows, &weights, bias, at), low, high).to_array());
            }
        } else {
            for (at, y) in y.iter_mut().enumerate() {
                let sum = rows.iter().zip(kernel).fold(filter.bias, |sum, (row, weight)| sum + weight * row[at]);
                *y = clamp(f32x4::splat(sum), low, high).to_array()[0];
            }
        }
        if let (Some(act), None) = (filter.act, bounds) {
            act.apply(y);
        }
    }
}

/// The sums of four neighbouring windows, from `at` on.
#[inline(always)]
fn window<const T: usize>(rows: &[&[f32]; T], weights: &[f32x4; T], bias: f32x4, at: usize) -> f32x4 {
    let mut sum = bias;
    for (row, weight) in rows.iter().zip(weights) {
        if let [a, b, c, d] = row[at..at + 4] {
            sum += *weight * f32x4::new([a, b, c, d]);
        }
    }
    sum
}

/// [`super::forward`] of one input `[C, H, W]`.
pub fn forward(g: &Geometry, x: &[f32], weights: &[f32], bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let padded = Padded::new(g);
    let taps = padded.taps(g);
    let mut copy = vec![0.0; padded.plane];
    let channels = x.chunks_exact(g.input[0] * g.input[1]).zip(weights.chunks_exact(g.taps()));
    for (channel, ((x, weights), y)) in channels.zip(y.chunks_exact_mut(g.places())).enumerate() {
        padded.fill(g, x, &mut copy);
        let bias = bias.map_or(0.0, |bias| bias[channel]);
        plane(&copy, &Filter { taps: &taps, kernel: weights, bias, act }, g.stride * padded.row, y, g.output[1]);
    }
}

/// [`super::backward`] of one gradient `[C, h, w]`: a convolution with stride 1 of the gradient,
/// its values apart by the stride and zeros between, with the kernels turned around.
pub fn backward(g: &Geometry, gradient: &[f32], weights: &[f32], dx: &mut [f32]) {
    let [height, width] = g.input;
    let reach = g.kernel.map(|k| g.dilation * (k - 1));
    let turned = Geometry { stride: 1, output: g.input, ..*g };
    let padded = Padded::new(&turned);
    let (row, taps) = (padded.row, padded.taps(&turned));
    let mut copy = vec![0.0; padded.plane];
    let mut kernel = vec![0.0; taps.len()];
    let shift = [reach[0] - g.before[0], reach[1] - g.before[1]];
    let channels = gradient.chunks_exact(g.places()).zip(weights.chunks_exact(g.taps()));
    for ((gradient, weights), dx) in channels.zip(dx.chunks_exact_mut(height * width)) {
        for (line, from) in gradient.chunks_exact(g.output[1]).enumerate() {
            if let Some(to) = copy.chunks_exact_mut(row).nth(line * g.stride + shift[0]) {
                for (to, from) in to.iter_mut().skip(shift[1]).step_by(g.stride).zip(from) {
                    *to = *from;
                }
            }
        }
        kernel.iter_mut().zip(weights.iter().rev()).for_each(|(to, from)| *to = *from);
        plane(&copy, &Filter { taps: &taps, kernel: &kernel, bias: 0.0, act: None }, row, dx, width);
    }
}
