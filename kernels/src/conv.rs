//! Two-dimensional convolutions and their derivatives by the input, `[C, H, W]`, one input at a time.
//!
//! A convolution is a product of its weights, `[O, I / groups * kh * kw]`, with the windows of its input, which are never written out as a whole: panels of
//! eight windows are laid out as the product asks for them. Depthwise ones are computed directly.

use std::ops::Range;

use wide::f32x4;

use crate::act::Act;
use crate::gemm::{Bias, Factor, NR, Product, Source, Strided};

/// What a convolution is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Groups.
    pub groups: usize,
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: usize,
    /// Dilation.
    pub dilation: usize,
    /// Rows above and columns left of the input that are 0.
    pub before: [usize; 2],
    /// Input rows and columns.
    pub input: [usize; 2],
    /// Output rows and columns.
    pub output: [usize; 2],
}

impl Geometry {
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
    /// Steps of the sums: I / groups * kh * kw.
    pub fn steps(&self) -> usize {
        self.inputs / self.groups * self.taps()
    }
    fn depthwise(&self) -> bool {
        self.groups == self.inputs && self.groups == self.outputs && self.groups > 1
    }
    fn places(&self) -> usize {
        self.output[0] * self.output[1]
    }
    /// Whether the input's values, as they are, are the windows.
    fn pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.before == [0, 0] && self.input == self.output
    }
    /// Whether weights are to be packed ([`pack_a`](crate::gemm::pack_a), each group for itself).
    pub fn packs(&self) -> bool {
        !self.depthwise()
    }
}

/// Channels with their padding, and the columns of every row sorted by what they leave modulo the stride: what a tap of the kernel reads for neighbouring
/// outputs of a row then lies side by side.
pub(crate) struct Padded {
    /// Columns of each remainder.
    columns: usize,
    /// Values of a row: the stride times the columns.
    pub(crate) row: usize,
    /// Values of a channel.
    pub(crate) plane: usize,
}

impl Padded {
    pub(crate) fn of(g: &Geometry) -> Self {
        let [rows, columns] = [0, 1].map(|axis| (g.output[axis] - 1) * g.stride + g.dilation * (g.kernel[axis] - 1) + 1);
        let columns = columns.div_ceil(g.stride);
        let row = columns * g.stride;
        Self { columns, row, plane: rows * row }
    }

    /// Fills `to` with a channel; what lies in the padding has to be there already.
    pub(crate) fn fill(&self, g: &Geometry, channel: &[f32], to: &mut [f32]) {
        let [above, left] = g.before;
        let [_, width] = g.input;
        for (from, to) in channel.chunks_exact(width).zip(to.chunks_exact_mut(self.row).skip(above)) {
            if g.stride == 1 {
                let to = to.get_mut(left..).unwrap_or_default();
                let count = width.min(to.len());
                to[..count].copy_from_slice(&from[..count]);
                continue;
            }
            for (remainder, to) in to.chunks_exact_mut(self.columns).enumerate() {
                // The first column c >= 0 of the input with (c + left) % stride == remainder.
                let first = (remainder + g.stride * left - left) % g.stride;
                let begin = (first + left) / g.stride;
                let from = from.get(first..).unwrap_or_default();
                for (to, from) in to.iter_mut().skip(begin).zip(from.iter().step_by(g.stride)) {
                    *to = *from;
                }
            }
        }
    }

    /// Where a tap is, as seen from the window's place.
    pub(crate) fn taps(&self, g: &Geometry) -> Vec<usize> {
        let at = |i: usize, j: usize| {
            let column = j * g.dilation;
            i * g.dilation * self.row + column % g.stride * self.columns + column / g.stride
        };
        (0..g.kernel[0]).flat_map(|i| (0..g.kernel[1]).map(move |j| at(i, j))).collect()
    }
}

/// The windows of padded channels.
struct Windows<'a> {
    data: &'a [f32],
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
            *place = line / self.width * self.row + line % self.width;
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

/// Convolution weights: as they are, `[O, I / groups, kh, kw]`, and packed where there was time to.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// `[O, I / groups, kh, kw]`
    pub plain: &'a [f32],
    /// The panels of every group, one after the other.
    pub packed: Option<&'a [f32]>,
}

/// act(convolution + bias) of `x`, `[I, H, W]`, into `y`, `[O, h, w]`.
pub fn forward(g: &Geometry, x: &[f32], weights: Weights<'_>, bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    if g.depthwise() {
        return depthwise(g, x, weights.plain, bias, act, y);
    }
    let padded = Padded::of(g);
    let mut copy = Vec::new();
    let data = if g.pointwise() || (g.stride == 1 && g.before == [0, 0] && padded.plane == g.input[0] * g.input[1]) {
        x
    } else {
        copy.resize(g.inputs * padded.plane, 0.0);
        for (to, from) in copy.chunks_exact_mut(padded.plane).zip(x.chunks_exact(g.input[0] * g.input[1])) {
            padded.fill(g, from, to);
        }
        &copy
    };
    let (steps, places) = (g.steps(), g.places());
    let (inputs, outputs) = (g.inputs / g.groups, g.outputs / g.groups);
    for group in 0..g.groups {
        let data = &data[group * inputs * padded.plane..][..inputs * padded.plane];
        let pointwise = Strided { data, line: 1, step: places };
        let windows = Windows { data, plane: padded.plane, taps: padded.taps(g), row: g.stride * padded.row, width: g.output[1] };
        let rows = Strided { data: &weights.plain[group * outputs * steps..][..outputs * steps], line: steps, step: 1 };
        let product = Product {
            rows: outputs,
            columns: places,
            steps,
            a: match weights.packed {
                Some(packed) => Factor::Packed(&packed[group * outputs * steps..][..outputs * steps]),
                None => Factor::From(&rows),
            },
            b: if g.pointwise() { Factor::From(&pointwise) } else { Factor::From(&windows) },
            bias: bias.map_or(Bias::None, |bias| Bias::Row(&bias[group * outputs..][..outputs])),
            act,
            add: false,
        };
        product.run(&mut y[group * outputs * places..][..outputs * places], places);
    }
}

/// One channel's windows times one kernel, plus a number.
fn plane(data: &[f32], taps: &[usize], kernel: &[f32], row: usize, bias: f32, act: Option<Act>, y: &mut [f32], width: usize) {
    for (line, y) in y.chunks_exact_mut(width).enumerate() {
        let data = &data[line * row..];
        let mut at = 0;
        while width - at >= 8 {
            eight(data, taps, kernel, at, bias, act, y);
            at += 8;
        }
        if at < width && width >= 8 {
            // The rest overlaps what is there already.
            eight(data, taps, kernel, width - 8, bias, act, y);
        } else if width >= 4 {
            four(data, taps, kernel, 0, bias, act, y);
            if width > 4 {
                four(data, taps, kernel, width - 4, bias, act, y);
            }
        } else {
            for (at, y) in y.iter_mut().enumerate() {
                let sum = taps.iter().zip(kernel).fold(bias, |sum, (tap, weight)| sum + weight * data[tap + at]);
                *y = act.map_or(sum, |act| act.value(f32x4::splat(sum)).to_array()[0]);
            }
        }
    }
}

#[inline(always)]
fn eight(data: &[f32], taps: &[usize], kernel: &[f32], at: usize, bias: f32, act: Option<Act>, y: &mut [f32]) {
    let mut sums = [f32x4::splat(bias); 2];
    for (tap, weight) in taps.iter().zip(kernel) {
        let weight = f32x4::splat(*weight);
        if let Some(&[a, b, c, d, e, f, g, h]) = data[tap + at..].first_chunk() {
            sums[0] += weight * f32x4::new([a, b, c, d]);
            sums[1] += weight * f32x4::new([e, f, g, h]);
        }
    }
    for (to, sum) in y[at..at + 8].as_chunks_mut::<4>().0.iter_mut().zip(sums) {
        *to = act.map_or(sum, |act| act.value(sum)).to_array();
    }
}

#[inline(always)]
fn four(data: &[f32], taps: &[usize], kernel: &[f32], at: usize, bias: f32, act: Option<Act>, y: &mut [f32]) {
    let mut sum = f32x4::splat(bias);
    for (tap, weight) in taps.iter().zip(kernel) {
        if let Some(four) = data[tap + at..].first_chunk() {
            sum += f32x4::splat(*weight) * f32x4::new(*four);
        }
    }
    y[at..at + 4].copy_from_slice(&act.map_or(sum, |act| act.value(sum)).to_array());
}

fn depthwise(g: &Geometry, x: &[f32], weights: &[f32], bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let padded = Padded::of(g);
    let taps = padded.taps(g);
    let mut copy = vec![0.0; padded.plane];
    let channels = x.chunks_exact(g.input[0] * g.input[1]).zip(weights.chunks_exact(g.taps()));
    for (channel, ((x, weights), y)) in channels.zip(y.chunks_exact_mut(g.places())).enumerate() {
        padded.fill(g, x, &mut copy);
        let bias = bias.map_or(0.0, |bias| bias[channel]);
        plane(&copy, &taps, weights, g.stride * padded.row, bias, act, y, g.output[1]);
    }
}

/// The derivative by `x`, `[I, H, W]`, of the convolution's product with `gradient`, `[O, h, w]`; `dx` is overwritten.
pub fn backward(g: &Geometry, gradient: &[f32], weights: &[f32], dx: &mut [f32]) {
    let [reach_rows, reach_columns] = [0, 1].map(|axis| g.dilation * (g.kernel[axis] - 1));
    let inside = g.before[0] <= reach_rows && g.before[1] <= reach_columns;
    if g.depthwise() && inside {
        return depthwise_backward(g, gradient, weights, dx);
    }
    let (steps, places) = (g.steps(), g.places());
    let (inputs, outputs) = (g.inputs / g.groups, g.outputs / g.groups);
    let size = inputs * g.input[0] * g.input[1];
    if g.stride == 1 && inside && !g.pointwise() {
        // Again a convolution, with the kernels turned around and the channels' parts exchanged.
        let mut turned = vec![0.0; weights.len()];
        let taps = g.taps();
        for (group, to) in turned.chunks_exact_mut(outputs * steps).enumerate() {
            let from = &weights[group * outputs * steps..][..outputs * steps];
            for (o, from) in from.chunks_exact(steps).enumerate() {
                for (i, from) in from.chunks_exact(taps).enumerate() {
                    let to = &mut to[(i * outputs + o) * taps..][..taps];
                    to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
                }
            }
        }
        let turned_geometry = Geometry {
            inputs: g.outputs,
            outputs: g.inputs,
            before: [reach_rows - g.before[0], reach_columns - g.before[1]],
            input: g.output,
            output: g.input,
            ..*g
        };
        return forward(&turned_geometry, gradient, Weights { plain: &turned, packed: None }, None, None, dx);
    }
    if !g.pointwise() {
        dx.fill(0.0);
    }
    let mut windows = Vec::new();
    for group in 0..g.groups {
        let dx = &mut dx[group * size..][..size];
        let turned = Strided { data: &weights[group * outputs * steps..][..outputs * steps], line: 1, step: steps };
        let gradient = Strided { data: &gradient[group * outputs * places..][..outputs * places], line: 1, step: places };
        let product = Product {
            rows: steps,
            columns: places,
            steps: outputs,
            a: Factor::From(&turned),
            b: Factor::From(&gradient),
            bias: Bias::None,
            act: None,
            add: false,
        };
        if g.pointwise() {
            product.run(dx, places);
            continue;
        }
        windows.resize(steps * places, 0.0);
        product.run(&mut windows, places);
        scatter(g, &windows, dx);
    }
}

/// Adds windows, `[I kh kw, h w]`, to the places of `[I, H, W]` that they were taken from.
fn scatter(g: &Geometry, windows: &[f32], dx: &mut [f32]) {
    let [height, width] = g.input;
    for (k, window) in windows.chunks_exact(g.places()).enumerate() {
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
    let row = width + reach[1];
    let mut copy = vec![0.0; (height + reach[0]) * row];
    let taps: Vec<usize> =
        (0..g.kernel[0]).flat_map(|i| (0..g.kernel[1]).map(move |j| i * g.dilation * row + j * g.dilation)).collect();
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
        plane(&copy, &taps, &kernel, row, 0.0, None, dx, width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::pack_a;
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
        for (inputs, outputs, groups) in [(24, 24, 1), (64, 96, 1), (64, 24, 1), (3, 8, 1), (5, 13, 1), (8, 8, 8), (6, 9, 3), (17, 17, 17), (1, 4, 1)] {
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
                        (input[axis] + before[axis] + after[axis]).checked_sub(dilation * (kernel[axis] - 1) + 1).map_or(0, |rest| rest / stride + 1)
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
            let (steps, per_group) = (g.steps(), g.outputs / g.groups);
            let x = noise(g.inputs * g.input[0] * g.input[1], 1);
            let weights = noise(g.outputs * steps, 2);
            let bias = noise(g.outputs, 3);
            let count = g.outputs * g.places();
            let mut expected: Vec<f64> = (0..count).map(|at| f64::from(bias[at / g.places()])).collect();
            terms(&g, |y, input, weight| expected[y] += f64::from(x[input]) * f64::from(weights[weight]));
            let packed: Vec<f32> = weights
                .chunks_exact(per_group * steps)
                .flat_map(|data| pack_a(&Strided { data, line: steps, step: 1 }, per_group, steps))
                .collect();
            for packed in [None, Some(packed.as_slice())] {
                let mut y = vec![f32::NAN; count];
                forward(&g, &x, Weights { plain: &weights, packed }, Some(&bias), Some(Act::Relu), &mut y);
                for (has, wants) in y.iter().zip(&expected) {
                    assert!((f64::from(*has) - wants.max(0.0)).abs() < 5e-5, "{g:?}: {has}, not {wants}");
                }
            }
            let gradient = noise(count, 4);
            let mut expected = vec![0.0; x.len()];
            terms(&g, |y, input, weight| expected[input] += f64::from(gradient[y]) * f64::from(weights[weight]));
            let mut dx = vec![f32::NAN; x.len()];
            backward(&g, &gradient, &weights, &mut dx);
            for (has, wants) in dx.iter().zip(&expected) {
                assert!((f64::from(*has) - wants).abs() < 5e-5, "{g:?}: gradient {has}, not {wants}");
            }
        }
    }
}
