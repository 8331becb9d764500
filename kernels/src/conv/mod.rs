//! Two-dimensional convolutions and their derivatives by the input, `[N, C, H, W]`.
//!
//! A convolution is a product of its weights, `[O, I / groups * kh * kw]`, with the windows of its input, which are never written out as a whole: panels of
//! eight windows are laid out as the product asks for them. Depthwise ones are computed directly.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use wide::f32x4;

use crate::act::{Act, clamp, zip};
use crate::gemm::{Bias, Factor, NR, Product, Source, Strided, pack_a};
use crate::geometry::{Geometry, Padded};

mod winograd;

/// The windows of padded channels, of one input after the other.
struct Windows<'a> {
    data: &'a [f32],
    /// Distance of the inputs, and how many windows each has.
    input: usize,
    places: usize,
    plane: usize,
    taps: Vec<usize>,
    /// Distance of the windows of an output row from those of the one above it, and how many there are in a row.
    row: usize,
    width: usize,
}

impl Source for Windows<'_> {
    fn pack(&self, k: Range<usize>, lines: Range<usize>, width: usize, panel: &mut [f32]) {
        let mut places = [0; NR];
        for (place, line) in places.iter_mut().zip(lines.clone()) {
            let (input, line) = (line / self.places, line % self.places);
            *place = input * self.input + line / self.width * self.row + line % self.width;
        }
        let places = &places[..lines.len()];
        let count = self.taps.len();
        let (mut channel, mut tap) = (k.start / count, k.start % count);
        let run = (lines.len(), width) == (NR, NR) && places[NR - 1] - places[0] == NR - 1;
        for to in panel.chunks_exact_mut(width).take(k.len()) {
            let from = &self.data[channel * self.plane + self.taps[tap]..];
            match (to.first_chunk_mut::<NR>(), from[places[0]..].first_chunk::<NR>()) {
                (Some(to), Some(from)) if run => *to = *from,
                _ => {
                    for (to, place) in to.iter_mut().zip(places) {
                        *to = from[*place];
                    }
                }
            }
            tap += 1;
            if tap == count {
                (channel, tap) = (channel + 1, 0);
            }
        }
    }
}

/// What is made of a convolution's weights when it is first needed, and kept.
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

    /// The panels of all groups for the derivative, unless they are too many to be kept beside the weights.
    fn turned(&self, g: &Geometry) -> Option<&'a [f32]> {
        let (rows, steps) = (g.outputs / g.groups, g.steps());
        let group = |data| pack_a(&Strided { data, line: 1, step: steps }, steps, rows);
        let all = || self.plain.chunks_exact(rows * steps).flat_map(group).collect();
        let prepared = self.prepared.filter(|_| self.plain.len() <= MAX_TURNED)?;
        Some(prepared.turned.get_or_init(all).as_slice())
    }

    /// The transformed kernels, turned around and with the channels' parts exchanged where `turned`.
    fn tiles(&self, g: &Geometry, turned: bool) -> Cow<'a, [f32]> {
        let (inputs, outputs) = (g.inputs, g.outputs);
        let made = || match turned {
            false => winograd::weights(outputs, inputs, |o, i| self.kernel(inputs, o, i)),
            true => winograd::weights(inputs, outputs, |i, o| {
                let mut kernel = self.kernel(inputs, o, i);
                kernel.reverse();
                kernel
            }),
        };
        match self.prepared {
            Some(prepared) if turned => prepared.turned_tiles.get_or_init(made).into(),
            Some(prepared) => prepared.tiles.get_or_init(made).into(),
            None => made().into(),
        }
    }
}

/// Inputs of up to so many places go through a product together: each alone would not be worth reading the weights for.
const FEW: usize = 64;

/// act(convolution + bias) of `x`, `[N, I, H, W]`, into `y`, `[N, O, h, w]`.
pub fn forward(g: &Geometry, x: &[f32], weights: Weights<'_>, bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let [size, made] = [g.inputs * g.input[0] * g.input[1], g.outputs * g.places()];
    let several = x.len() > size;
    if several && !g.depthwise() && !winograd::pays(g) && g.places() <= FEW {
        return product(g, x, weights, bias, act, y);
    }
    for (x, y) in x.chunks_exact(size).zip(y.chunks_exact_mut(made)) {
        if g.depthwise() {
            depthwise(g, x, weights.plain, bias, act, y);
        } else if winograd::pays(g) {
            winograd::forward(g, x, &weights.tiles(g, false), bias, act, y);
        } else {
            product(g, x, weights, bias, act, y);
        }
    }
}

/// [`forward`] as one product for each group.
fn product(g: &Geometry, x: &[f32], weights: Weights<'_>, bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let padded = Padded::of(g);
    let size = g.input[0] * g.input[1];
    let mut copy = Vec::new();
    let as_it_is = g.stride == 1 && g.before == [0, 0] && padded.row == g.input[1] && padded.plane == size;
    let data = if as_it_is {
        x
    } else {
        copy.resize(x.len() / size * padded.plane, 0.0);
        for (to, from) in copy.chunks_exact_mut(padded.plane).zip(x.chunks_exact(size)) {
            padded.fill(g, from, to);
        }
        &copy
    };
    let (steps, places) = (g.steps(), g.places());
    let (inputs, outputs) = (g.inputs / g.groups, g.outputs / g.groups);
    let count = x.len() / (g.inputs * size);
    let mut together = vec![0.0; if count > 1 { outputs * count * places } else { 0 }];
    let panels = weights.panels(g);
    for group in 0..g.groups {
        let data = &data[group * inputs * padded.plane..];
        let pointwise = Strided { data, line: 1, step: places };
        let windows = Windows {
            data,
            input: g.inputs * padded.plane,
            places,
            plane: padded.plane,
            taps: padded.taps(g),
            row: g.stride * padded.row,
            width: g.output[1],
        };
        let rows = Strided { data: &weights.plain[group * outputs * steps..][..outputs * steps], line: steps, step: 1 };
        let product = Product {
            rows: outputs,
            columns: count * places,
            steps,
            a: match panels {
                Some(panels) => Factor::Packed(&panels[group * outputs * steps..][..outputs * steps]),
                None => Factor::From(&rows),
            },
            b: if g.pointwise() && count == 1 { Factor::From(&pointwise) } else { Factor::From(&windows) },
            bias: bias.map_or(Bias::None, |bias| Bias::Row(&bias[group * outputs..][..outputs])),
            act,
        };
        if count == 1 {
            product.run(&mut y[group * outputs * places..][..outputs * places], places);
            continue;
        }
        product.run(&mut together, count * places);
        for (o, from) in together.chunks_exact(count * places).enumerate() {
            for (input, from) in from.chunks_exact(places).enumerate() {
                y[(input * g.outputs + group * outputs + o) * places..][..places].copy_from_slice(from);
            }
        }
    }
}

/// One kernel of one channel, what is added and applied.
struct Filter<'a> {
    /// Where the kernel's weights lie in the data, from a window's first value on.
    taps: &'a [usize],
    kernel: &'a [f32],
    bias: f32,
    act: Option<Act>,
}

/// One channel's windows under a filter; lines of `data` are `row` apart, those of `y` are `width` wide.
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

fn depthwise(g: &Geometry, x: &[f32], weights: &[f32], bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let padded = Padded::of(g);
    let taps = padded.taps(g);
    let mut copy = vec![0.0; padded.plane];
    let channels = x.chunks_exact(g.input[0] * g.input[1]).zip(weights.chunks_exact(g.taps()));
    for (channel, ((x, weights), y)) in channels.zip(y.chunks_exact_mut(g.places())).enumerate() {
        padded.fill(g, x, &mut copy);
        let bias = bias.map_or(0.0, |bias| bias[channel]);
        plane(&copy, &Filter { taps: &taps, kernel: weights, bias, act }, g.stride * padded.row, y, g.output[1]);
    }
}

/// The derivative by `x`, `[N, I, H, W]`, of the convolution's product with `gradient`, `[N, O, h, w]`; `dx` is 0.
pub fn backward(g: &Geometry, gradient: &[f32], weights: Weights<'_>, dx: &mut [f32]) {
    let [reach_rows, reach_columns] = [0, 1].map(|axis| g.dilation * (g.kernel[axis] - 1));
    let inside = g.before[0] <= reach_rows && g.before[1] <= reach_columns;
    let size = g.inputs * g.input[0] * g.input[1];
    let each = gradient.chunks_exact(g.outputs * g.places());
    if g.depthwise() && inside {
        each.zip(dx.chunks_exact_mut(size)).for_each(|(from, dx)| depthwise_backward(g, from, weights.plain, dx));
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
        return product_backward(g, gradient, weights, dx);
    }
    each.zip(dx.chunks_exact_mut(size)).for_each(|(from, dx)| product_backward(g, from, weights, dx));
}

/// [`backward`] as one product for each group.
fn product_backward(g: &Geometry, gradient: &[f32], weights: Weights<'_>, dx: &mut [f32]) {
    let (steps, places) = (g.steps(), g.places());
    let (inputs, outputs) = (g.inputs / g.groups, g.outputs / g.groups);
    let size = inputs * g.input[0] * g.input[1];
    let count = gradient.len() / (g.outputs * places);
    let mut windows = Vec::new();
    let panels = weights.turned(g);
    for group in 0..g.groups {
        let turned =
            Strided { data: &weights.plain[group * outputs * steps..][..outputs * steps], line: 1, step: steps };
        let data = &gradient[group * outputs * places..];
        let one = Strided { data, line: 1, step: places };
        let several = Windows {
            data,
            input: g.outputs * places,
            places,
            plane: places,
            taps: vec![0],
            row: places,
            width: places,
        };
        let product = Product {
            rows: steps,
            columns: count * places,
            steps: outputs,
            a: match panels {
                Some(panels) => Factor::Packed(&panels[group * outputs * steps..][..outputs * steps]),
                None => Factor::From(&turned),
            },
            b: if count == 1 { Factor::From(&one) } else { Factor::From(&several) },
            bias: Bias::None,
            act: None,
        };
        if g.pointwise() && count == 1 {
            product.run(&mut dx[group * size..][..size], places);
            continue;
        }
        windows.resize(steps * count * places, 0.0);
        product.run(&mut windows, count * places);
        for (input, dx) in dx.chunks_exact_mut(g.groups * size).enumerate() {
            let windows = windows.chunks_exact(places).skip(input).step_by(count);
            scatter(g, windows, &mut dx[group * size..][..size]);
        }
    }
}

/// Adds windows, `[I kh kw, h w]`, to the places of `[I, H, W]` that they were taken from.
fn scatter<'a>(g: &Geometry, windows: impl Iterator<Item = &'a [f32]>, dx: &mut [f32]) {
    let [height, width] = g.input;
    for (k, window) in windows.enumerate() {
        let (channel, tap) = (k / g.taps(), k % g.taps());
        let (i, j) = (tap / g.kernel[1] * g.dilation, tap % g.kernel[1] * g.dilation);
        let dx = &mut dx[channel * height * width..][..height * width];
        // The outputs whose window has this tap's column inside the input.
        let first = g.before[1].saturating_sub(j).div_ceil(g.stride);
        let end = (width + g.before[1]).saturating_sub(j).div_ceil(g.stride).min(g.output[1]);
        for (line, window) in window.chunks_exact(g.output[1]).enumerate() {
            let row = (line * g.stride + i).checked_sub(g.before[0]).filter(|row| *row < height);
            if let (Some(row), Some(window)) = (row, window.get(first..end)) {
                let from = row * width + first * g.stride + j - g.before[1];
                for (to, value) in dx.iter_mut().skip(from).step_by(g.stride).zip(window) {
                    *to += value;
                }
            }
        }
    }
}

/// A convolution with stride 1 of the gradient, its values apart by the stride and zeros between, with the kernels turned around.
fn depthwise_backward(g: &Geometry, gradient: &[f32], weights: &[f32], dx: &mut [f32]) {
    let [height, width] = g.input;
    let reach = g.kernel.map(|k| g.dilation * (k - 1));
    let turned = Geometry { stride: 1, output: g.input, ..*g };
    let padded = Padded::of(&turned);
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
            let (size, made) = (g.inputs * g.input[0] * g.input[1], g.outputs * g.places());
            let x = noise(2 * size, 1);
            let weights = noise(g.outputs * steps, 2);
            let bias = noise(g.outputs, 3);
            let count = 2 * made;
            let mut expected: Vec<f64> = (0..count).map(|at| f64::from(bias[at % made / g.places()])).collect();
            terms(&g, |y, input, weight| {
                for n in 0..2 {
                    expected[n * made + y] += f64::from(x[n * size + input]) * f64::from(weights[weight]);
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
                for (has, wants) in y.iter().zip(&expected) {
                    assert!((f64::from(*has) - exact(*wants)).abs() < 1e-4, "{g:?}: {has}, not {wants} before {act:?}");
                }
            }
            let gradient = noise(count, 4);
            let mut expected = vec![0.0; x.len()];
            terms(&g, |y, input, weight| {
                for n in 0..2 {
                    expected[n * size + input] += f64::from(gradient[n * made + y]) * f64::from(weights[weight]);
                }
            });
            let prepared = Prepared::default();
            let weights = Weights { plain: &weights, prepared: Some(&prepared) };
            let mut dx = vec![0.0; x.len()];
            backward(&g, &gradient, weights, &mut dx);
            let mut first = vec![0.0; size];
            backward(&g, &gradient[..made], Weights { prepared: None, ..weights }, &mut first);
            assert!(first.iter().zip(&dx).all(|(one, both)| (one - both).abs() < 5e-5), "{g:?}: alone");
            for (has, wants) in dx.iter().zip(&expected) {
                assert!((f64::from(*has) - wants).abs() < 5e-5, "{g:?}: gradient {has}, not {wants}");
            }
        }
    }
}
