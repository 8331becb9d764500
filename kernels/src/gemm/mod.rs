//! Matrix products C = A B with a bias and an activation function on the way out.
//!
//! A product is computed in tiles of [`MR`] rows and [`NR`] columns that stay in registers; 128-bit
//! SIMD has 16 registers, of which a browser's compiler leaves 15: 8 sums, 2 of B, one of A and one
//! product. What a tile reads is laid out beside each other first ("panels"), weights once at load.

use std::array::from_fn;
use std::ops::Range;

use wide::f32x4;

use crate::act::{Act, clamp, zip};

mod pack;

pub use pack::{Source, Strided, pack_a, pack_b};
use pack::{pack_columns, pack_rows};

/// Rows of a tile.
pub const MR: usize = 4;
/// Columns of a tile.
pub const NR: usize = 8;
/// Steps of the sums that are taken at a time: short enough that rounding errors stay small and
/// that a panel of B takes a quarter of a first-level cache.
const STEPS: usize = 256;
/// Values of a block of panels: a part of a second-level cache.
const BLOCK: usize = 1 << 15;

/// Where a factor's panels come from. Panels of A are [`MR`] lines wide, the last one as wide as
/// what is left; those of B [`NR`], the last one with zeros.
#[derive(Clone, Copy)]
pub enum Factor<'a> {
    /// All panels one after the other, `[lines / width][steps][width]`, as [`pack_a`] and
    /// [`pack_b`] make them.
    Packed(&'a [f32]),
    /// Packed as they are needed.
    From(&'a dyn Source),
}

/// What is added to a product.
#[derive(Debug, Clone, Copy)]
pub enum Bias<'a> {
    /// Nothing.
    None,
    /// A number for each row.
    Row(&'a [f32]),
    /// A number for each column.
    Column(&'a [f32]),
}

/// C = act(A B + bias).
#[derive(Clone, Copy)]
pub struct Product<'a> {
    /// Rows of A and C.
    pub rows: usize,
    /// Columns of B and C.
    pub columns: usize,
    /// Columns of A, rows of B.
    pub steps: usize,
    /// A
    pub a: Factor<'a>,
    /// B
    pub b: Factor<'a>,
    /// Added.
    pub bias: Bias<'a>,
    /// Applied.
    pub act: Option<Act>,
}

/// What tiles of a block share.
struct Part<'a> {
    /// Distance of C's rows.
    stride: usize,
    /// Whether C holds sums of the steps before.
    add: bool,
    /// Whether the sums are whole then.
    last: bool,
    /// Panels of A and of B that were packed for the block, and its first row and column.
    a: (&'a [f32], usize),
    b: (&'a [f32], usize),
}

/// The steps `k` of a factor's panel that begins at `line`, `width` wide.
#[inline(always)]
fn panel<'a>(
    factor: Factor<'a>,
    (packed, start): (&'a [f32], usize),
    steps: usize,
    k: &Range<usize>,
    line: usize,
    width: usize,
) -> &'a [f32] {
    match factor {
        Factor::Packed(all) => &all[line * steps + k.start * width..][..k.len() * width],
        Factor::From(_) => &packed[(line - start) * k.len()..][..k.len() * width],
    }
}

impl Product<'_> {
    /// Computes it; rows of C are `stride` apart.
    pub fn run(&self, c: &mut [f32], stride: usize) {
        let Self { rows, columns, steps, .. } = *self;
        if rows == 0 || columns == 0 {
            return;
        }
        let parts = steps.div_ceil(STEPS * 3 / 2).max(1);
        let per_part = steps.div_ceil(parts).max(1);
        let mut a_block = Vec::new();
        let mut b_block = Vec::new();
        let mut from = 0;
        loop {
            let k = from..(from + per_part).min(steps);
            let (first, last) = (from == 0, k.end == steps);
            let wide = (BLOCK / per_part).max(NR).next_multiple_of(NR);
            // Panels of B that come packed cost nothing to read again; others are packed once, for
            // all rows.
            let high = match self.b {
                Factor::Packed(_) => (2 * BLOCK / per_part).max(MR).next_multiple_of(MR),
                Factor::From(_) => rows,
            };
            for row in (0..rows).step_by(high) {
                let block = row..(row + high).min(rows);
                if let Factor::From(source) = self.a {
                    a_block.resize(block.len() * k.len(), 0.0);
                    pack_rows(source, k.clone(), block.clone(), &mut a_block);
                }
                for column in (0..columns).step_by(wide) {
                    let panels = column..(column + wide).min(columns);
                    if let Factor::From(source) = self.b {
                        pack_columns(source, k.clone(), panels.clone(), &mut b_block);
                    }
                    let part = Part { stride, add: !first, last, a: (&a_block, row), b: (&b_block, column) };
                    let few = panels.len() % NR;
                    let broad = if few <= NR / 2 { panels.end - few } else { panels.end };
                    for i in block.clone().step_by(MR) {
                        for j in (panels.start..broad).step_by(NR) {
                            self.tile(i, j, &k, &part, c);
                        }
                    }
                    if broad < panels.end {
                        self.few(block.clone(), broad, &k, &part, c);
                    }
                }
            }
            from = k.end;
            if from >= steps {
                break;
            }
        }
    }

    /// Four rows, or what is left of them, by eight columns, or what is left of them.
    #[inline(always)]
    fn tile(&self, i: usize, j: usize, k: &Range<usize>, part: &Part<'_>, c: &mut [f32]) {
        let tall = MR.min(self.rows - i);
        let a = panel(self.a, part.a, self.steps, k, i, tall);
        let b = panel(self.b, part.b, self.steps, k, j, NR);
        match tall {
            4 => self.write(sums::<4>(a, b), i, j, part, c),
            3 => self.write(sums::<3>(a, b), i, j, part, c),
            2 => self.write(sums::<2>(a, b), i, j, part, c),
            _ => self.write(sums::<1>(a, b), i, j, part, c),
        }
    }

    /// The last columns, from `j` on, where they are at most half a panel: as many rows at a time
    /// as there are registers.
    #[inline(never)]
    fn few(&self, rows: Range<usize>, j: usize, k: &Range<usize>, part: &Part<'_>, c: &mut [f32]) {
        let a = |i: usize| panel(self.a, part.a, self.steps, k, i, MR);
        let b = panel(self.b, part.b, self.steps, k, j, NR);
        let mut i = rows.start;
        while i < rows.end {
            let tiles: &[[[f32x4; 2]; MR]] = match (rows.end - i, self.columns - j) {
                (16.., 1) => &narrow::<4, 1>(from_fn(|n| a(i + n * MR)), b),
                (4.., 1) => &narrow::<1, 1>([a(i)], b),
                (8.., _) => &narrow::<2, 4>(from_fn(|n| a(i + n * MR)), b),
                (4.., _) => &narrow::<1, 4>([a(i)], b),
                _ => return self.tile(i, j, k, part, c),
            };
            for sums in tiles {
                self.write(*sums, i, j, part, c);
                i += MR;
            }
        }
    }

    /// What becomes of the sums of a tile.
    #[inline(always)]
    fn write<const M: usize>(&self, mut sums: [[f32x4; 2]; M], i: usize, j: usize, part: &Part<'_>, c: &mut [f32]) {
        let broad = NR.min(self.columns - j);
        match self.bias {
            Bias::Row(bias) if part.last => {
                for (sums, bias) in sums.iter_mut().zip(&bias[i..i + M]) {
                    let bias = f32x4::splat(*bias);
                    sums[0] += bias;
                    sums[1] += bias;
                }
            }
            Bias::Column(bias) if part.last => {
                let mut row = [0.0; NR];
                row[..broad].copy_from_slice(&bias[j..j + broad]);
                let bias = halves(&row);
                for sums in &mut sums {
                    sums[0] += bias[0];
                    sums[1] += bias[1];
                }
            }
            _ => (),
        }
        let act = self.act.filter(|_| part.last);
        let rows = c[i * part.stride + j..].chunks_mut(part.stride).zip(sums);
        if broad < NR {
            // As if the columns were there.
            for (row, sums) in rows {
                let row = &mut row[..broad];
                let mut whole = [0.0; NR];
                whole[..broad].copy_from_slice(row);
                finish(&mut whole, sums, part.add, act);
                row.copy_from_slice(&whole[..broad]);
            }
            return;
        }
        for (row, sums) in rows {
            if let Some(row) = row.first_chunk_mut() {
                finish(row, sums, part.add, act);
            }
        }
    }
}

#[inline(always)]
fn finish(to: &mut [f32; NR], mut sums: [f32x4; 2], add: bool, act: Option<Act>) {
    if add {
        let before = halves(to);
        sums[0] += before[0];
        sums[1] += before[1];
    }
    let bounds = Act::bounds(act);
    if let Some([low, high]) = bounds {
        sums = sums.map(|sum| clamp(sum, f32x4::splat(low), f32x4::splat(high)));
    }
    let [a, b] = sums.map(f32x4::to_array);
    *to = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
    if let (Some(act), None) = (act, bounds) {
        act.apply(to);
    }
}

#[inline(always)]
fn halves(row: &[f32; NR]) -> [f32x4; 2] {
    let [a, b, c, d, e, f, g, h] = *row;
    [f32x4::new([a, b, c, d]), f32x4::new([e, f, g, h])]
}

/// The hot loop.
#[inline(always)]
fn sums<const M: usize>(a: &[f32], b: &[f32]) -> [[f32x4; 2]; M] {
    let mut sums = [[f32x4::ZERO; 2]; M];
    let (a, _) = a.as_chunks::<M>();
    let (b, _) = b.as_chunks::<4>();
    let (b, _) = b.as_chunks::<2>();
    for (a, b) in a.iter().zip(b) {
        let b = b.map(f32x4::new);
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = f32x4::splat(*a);
            sums[0] += a * b[0];
            sums[1] += a * b[1];
        }
    }
    sums
}

/// The hot loop for few columns: of R panels of A with the first C columns of a panel of B, as rows
/// of which the first C values count.
#[inline(always)]
fn narrow<const R: usize, const C: usize>(a: [&[f32]; R], b: &[f32]) -> [[[f32x4; 2]; MR]; R] {
    let mut sums = [[f32x4::ZERO; C]; R];
    let a = a.map(|panel| panel.as_chunks::<MR>().0);
    for (k, b) in b.as_chunks::<NR>().0.iter().enumerate() {
        let b: [f32x4; C] = from_fn(|column| f32x4::splat(b[column]));
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = f32x4::new(a[k]);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    sums.map(|sums| {
        let sums = sums.map(f32x4::to_array);
        from_fn(|row| {
            let mut fours = [[0.0; 4]; 2];
            fours.as_flattened_mut().iter_mut().zip(&sums).for_each(|(to, sums)| *to = sums[row]);
            fours.map(f32x4::new)
        })
    })
}

/// C, `[M, N]`, plus A B for few rows of A, `[M, K]`, many of whose values are 0, as a score's
/// gradient by the logits has them: the others' rows of B, `[K, N]`, are read once and nothing is
/// packed.
pub fn add_sparse(a: &[f32], b: &[f32], columns: usize, c: &mut [f32]) {
    let steps = b.len() / columns.max(1);
    for (k, b) in b.chunks_exact(columns).enumerate() {
        for (a, c) in a.chunks_exact(steps).zip(c.chunks_exact_mut(columns)) {
            if a[k] != 0.0 {
                let factor = f32x4::splat(a[k]);
                zip(c, b, |c, b| c + factor * b);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::noise;

    #[test]
    fn sparse_rows_are_added() {
        let (b, mut c) = (noise(5 * 7, 1), vec![1.0; 2 * 7]);
        let a = [0.0, 2.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0];
        add_sparse(&a, &b, 7, &mut c);
        for j in 0..7 {
            assert!((c[j] - (1.0 + 2.0 * b[7 + j] - b[21 + j])).abs() < 1e-6);
            assert!((c[7 + j] - (1.0 + 3.0 * b[28 + j])).abs() < 1e-6);
        }
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for (case, (rows, columns, steps)) in [
            (1, 1, 1),
            (4, 8, 3),
            (5, 9, 7),
            (7, 23, 1),
            (13, 8, 600),
            (3, 41, 1700),
            (200, 17, 130),
            (2, 6, 0),
            (37, 12, 300),
            (13, 3, 5),
            (6, 10, 9),
        ]
        .into_iter()
        .enumerate()
        {
            let (a, b) = (noise(rows * steps, 1), noise(steps * columns, 2));
            let (by_row, by_column) = (noise(rows, 3), noise(columns, 4));
            let rows_of = |transposed: bool| if transposed { (1, rows) } else { (steps, 1) };
            for setting in 0..16 {
                let bit = |i: usize| setting >> i & 1 == 1;
                let (a_line, a_step) = rows_of(bit(0));
                let (b_step, b_line) = if bit(1) { (1, steps) } else { (columns, 1) };
                let a_from = Strided { data: &a, line: a_line, step: a_step };
                let b_from = Strided { data: &b, line: b_line, step: b_step };
                let (a_packed, b_packed) = (pack_a(&a_from, rows, steps), pack_b(&b_from, columns, steps));
                let bias = match setting % 3 {
                    0 => Bias::None,
                    1 => Bias::Row(&by_row),
                    _ => Bias::Column(&by_column),
                };
                let product = Product {
                    rows,
                    columns,
                    steps,
                    a: if bit(2) { Factor::Packed(&a_packed) } else { Factor::From(&a_from) },
                    b: if bit(3) { Factor::Packed(&b_packed) } else { Factor::From(&b_from) },
                    bias,
                    act: bit(1).then_some(Act::Relu),
                };
                let stride = columns + case % 3;
                let before = noise(rows * stride, 5);
                let mut c = before.clone();
                product.run(&mut c, stride);
                for i in 0..rows {
                    for j in 0..stride {
                        let at = i * stride + j;
                        if j >= columns {
                            assert_eq!(c[at], before[at]);
                            continue;
                        }
                        let mut sum: f64 = (0..steps)
                            .map(|k| f64::from(a[i * a_line + k * a_step]) * f64::from(b[j * b_line + k * b_step]))
                            .sum();
                        sum += match bias {
                            Bias::None => 0.0,
                            Bias::Row(bias) => f64::from(bias[i]),
                            Bias::Column(bias) => f64::from(bias[j]),
                        };
                        let sum = if product.act.is_some() { sum.max(0.0) } else { sum };
                        assert!(
                            (f64::from(c[at]) - sum).abs() < 2e-6 * (steps as f64).sqrt().max(1.0),
                            "{rows} {columns} {steps} {setting}: {} at {i} {j}, not {sum}",
                            c[at]
                        );
                    }
                }
            }
        }
    }
}
