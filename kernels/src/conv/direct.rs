//! A convolution as one product of matrices for each group: its weights times the windows of its
//! input.

use std::ops::Range;

use super::Weights;
use crate::act::Act;
use crate::gemm::{Bias, Factor, NR, Product, Source, Strided};
use crate::geometry::{Geometry, Padded};

/// The windows of padded channels, of one input after the other.
struct Windows<'a> {
    data: &'a [f32],
    /// Distance of the inputs, and how many windows each has.
    input: usize,
    places: usize,
    plane: usize,
    taps: Vec<usize>,
    /// Distance of the windows of an output row from those of the one above it, and how many there
    /// are in a row.
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

/// [`super::forward`] of inputs `[N, I, H, W]`.
pub fn forward(g: &Geometry, x: &[f32], weights: Weights<'_>, bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let padded = Padded::new(g);
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

/// [`super::backward`] of gradients `[N, O, h, w]`.
pub fn backward(g: &Geometry, gradient: &[f32], weights: Weights<'_>, dx: &mut [f32]) {
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
