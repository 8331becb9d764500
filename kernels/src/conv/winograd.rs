//! 3 x 3 convolutions of stride 1 by Winograd's F(2 x 2, 3 x 3) (Lavin and Gray 2015, arXiv
//! 1509.09308, section 4.1): 16 products of matrices for tiles of 2 x 2 outputs instead of 36
//! multiplications for each of them. Its constants are 1, -1 and 1/2, so that its rounding errors
//! are about those of the definition; the larger tiles, which multiply still less, are some ten
//! times worse.

use wide::f32x4;

use crate::act::Act;
use crate::gemm::{Bias, Factor, Product, Strided, pack_a};
use crate::geometry::{Geometry, Padded};

/// Values of a block's transformed inputs, and of its outputs: a part of a second-level cache.
const BLOCK: usize = 1 << 17;

/// More weights than that are read from memory rather than from a cache, and the transform makes 16
/// of 9.
pub(super) const MAX_WEIGHTS: usize = 1 << 17;

/// Whether it pays: enough tiles to fill panels, enough channels to be worth the transforms, not so
/// many that reading the weights takes longer.
pub fn pays(g: &Geometry) -> bool {
    let tiles: usize = g.output.iter().map(|n| n.div_ceil(2)).product();
    (g.kernel, g.stride, g.dilation, g.groups) == ([3, 3], 1, 1, 1)
        && g.inputs >= 16
        && g.outputs >= 16
        && g.inputs * g.outputs <= MAX_WEIGHTS
        && tiles >= 8
}

/// The transformed weights' panels, one matrix `[O, I]` after the other, of weights (o, i) at
/// `kernel(o, i)`.
pub fn weights(outputs: usize, inputs: usize, kernel: impl Fn(usize, usize) -> [f32; 9]) -> Vec<f32> {
    let size = outputs * inputs;
    let mut all = vec![0.0; 16 * size];
    // G g G^T with the rows (1, 0, 0), (1, 1, 1) / 2, (1, -1, 1) / 2, (0, 0, 1).
    let line = |[a, b, c]: [f32; 3]| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
    for (o, i) in (0..outputs).flat_map(|o| (0..inputs).map(move |i| (o, i))) {
        let [a, b, c, d, e, f, g, h, k] = kernel(o, i);
        let rows = [line([a, b, c]), line([d, e, f]), line([g, h, k])];
        for column in 0..4 {
            for (row, value) in line([rows[0][column], rows[1][column], rows[2][column]]).into_iter().enumerate() {
                all[(4 * row + column) * size + o * inputs + i] = value;
            }
        }
    }
    for matrix in all.chunks_exact_mut(size.max(1)) {
        let panels = pack_a(&Strided { data: matrix, line: inputs, step: 1 }, outputs, inputs);
        matrix.copy_from_slice(&panels);
    }
    all
}

#[inline(always)]
fn load(from: &[f32], at: usize) -> f32x4 {
    from.get(at..).and_then(|from| from.first_chunk()).map_or(f32x4::ZERO, |four| f32x4::new(*four))
}

/// act(convolution + bias) of `x`, `[I, H, W]`, into `y`, `[O, h, w]`, with [`weights`].
pub fn forward(g: &Geometry, x: &[f32], weights: &[f32], bias: Option<&[f32]>, act: Option<Act>, y: &mut [f32]) {
    let [high, wide] = g.output.map(|n| n.div_ceil(2));
    let columns = wide + 1;
    // Rows of which even and odd columns lie apart, so that neighbouring tiles read neighbouring
    // values; and a little more, for reads beyond the last tile.
    let padded = Padded { columns, row: 2 * columns, plane: (2 * high + 2) * 2 * columns };
    let split = Geometry { stride: 2, ..*g };
    let mut channel = vec![0.0; padded.plane + 4];
    let (inputs, outputs) = (g.inputs, g.outputs);
    let rows = (BLOCK / (16 * inputs.max(outputs) * wide)).clamp(1, high);
    let room = rows * wide + 4;
    // The 16 matrices begin in different sets of a first-level cache.
    let [in_size, out_size] = [inputs, outputs].map(|channels| (channels * room).next_multiple_of(1024) + 80);
    let mut ins = vec![0.0; 16 * in_size];
    let mut outs = vec![0.0; 16 * out_size];
    let [height, width] = g.output;
    let places = height * width;
    for first in (0..high).step_by(rows) {
        let lines = first..(first + rows).min(high);
        let tiles = lines.len() * wide;
        for (c, x) in x.chunks_exact(g.input[0] * g.input[1]).enumerate() {
            padded.fill(&split, x, &mut channel);
            for (line, row) in lines.clone().enumerate() {
                let row = &channel[2 * row * padded.row..];
                for column in (0..wide).step_by(4) {
                    let mut part = [[f32x4::ZERO; 4]; 4];
                    for (i, part) in part.iter_mut().enumerate() {
                        let at = i * padded.row + column;
                        let d =
                            [load(row, at), load(row, at + columns), load(row, at + 1), load(row, at + columns + 1)];
                        *part = [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]];
                    }
                    let at = line * wide + column;
                    for j in [0, 1, 2, 3] {
                        let d = part.map(|row| row[j]);
                        let transformed = [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]];
                        for (i, transformed) in transformed.into_iter().enumerate() {
                            let to = (4 * i + j) * in_size + c * room + at;
                            // What reaches beyond the row is overwritten by the next one.
                            ins[to..to + 4].copy_from_slice(&transformed.to_array());
                        }
                    }
                }
            }
        }
        for (part, (ins, outs)) in ins.chunks_exact(in_size).zip(outs.chunks_exact_mut(out_size)).enumerate() {
            let product = Product {
                rows: outputs,
                columns: tiles,
                steps: inputs,
                a: Factor::Packed(&weights[part * outputs * inputs..][..outputs * inputs]),
                b: Factor::From(&Strided { data: ins, line: 1, step: room }),
                bias: Bias::None,
                act: None,
            };
            product.run(outs, room);
        }
        for (o, y) in y.chunks_exact_mut(places).enumerate() {
            let bias = f32x4::splat(bias.map_or(0.0, |bias| bias[o]));
            for (line, row) in lines.clone().enumerate() {
                let (upper, lower) = y[2 * row * width..].split_at_mut(width);
                for column in (0..wide).step_by(4) {
                    let at = line * wide + column;
                    let mut part = [[f32x4::ZERO; 2]; 4];
                    for (i, part) in part.iter_mut().enumerate() {
                        let m = [0, 1, 2, 3].map(|j| load(&outs, (4 * i + j) * out_size + o * room + at));
                        *part = [m[0] + m[1] + m[2], m[1] - m[2] - m[3]];
                    }
                    let [above, below] = [0, 1].map(|second| {
                        [0, 1].map(|j| {
                            let [a, b, c, d] = [part[0][j], part[1][j], part[2][j], part[3][j]];
                            let sum = if second == 0 { a + b + c } else { b - c - d } + bias;
                            sum.to_array()
                        })
                    });
                    write(upper, 2 * column, above, act);
                    if 2 * row + 1 < height {
                        write(lower, 2 * column, below, act);
                    }
                }
            }
        }
    }
}

/// Writes four pairs of neighbours as far as the row reaches.
#[inline(always)]
fn write(row: &mut [f32], at: usize, [a, b]: [[f32; 4]; 2], act: Option<Act>) {
    let mut values = [a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]];
    if let Some(act) = act {
        act.apply(&mut values);
    }
    let to = row.get_mut(at..).unwrap_or_default();
    match to.first_chunk_mut() {
        Some(to) => *to = values,
        None => to.iter_mut().zip(values).for_each(|(to, value)| *to = value),
    }
}
