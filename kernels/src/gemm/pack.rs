//! Panels: the values of a factor in the order in which a product's tiles read them.

use std::ops::Range;

use super::{MR, NR};

/// Values of a cache line.
const LINE: usize = 16;

/// A factor: lines (rows of A, columns of B) of as many steps as the product sums over.
pub trait Source {
    /// Writes the steps `k` of `lines` to `panel`, `[k][width]`, which is at least as wide; what is
    /// beyond the lines stays.
    fn pack(&self, k: Range<usize>, lines: Range<usize>, width: usize, panel: &mut [f32]);

    /// Writes whole panels one after the other.
    fn pack_all(&self, k: Range<usize>, lines: Range<usize>, width: usize, panels: &mut [f32]) {
        pack_each(self, k, lines, width, panels);
    }
}

#[inline(always)]
fn pack_each(source: &(impl Source + ?Sized), k: Range<usize>, lines: Range<usize>, width: usize, panels: &mut [f32]) {
    for (panel, first) in panels.chunks_exact_mut((width * k.len()).max(1)).zip(lines.step_by(width)) {
        source.pack(k.clone(), first..first + width, width, panel);
    }
}

/// A factor whose value (line, step) is `data[line * self.line + step * self.step]`.
#[derive(Debug, Clone, Copy)]
pub struct Strided<'a> {
    /// The values.
    pub data: &'a [f32],
    /// Distance of lines.
    pub line: usize,
    /// Distance of steps.
    pub step: usize,
}

impl Source for Strided<'_> {
    fn pack(&self, k: Range<usize>, lines: Range<usize>, width: usize, panel: &mut [f32]) {
        let count = lines.len();
        if self.line == 1 {
            for (step, to) in k.zip(panel.chunks_exact_mut(width)) {
                let from = &self.data[step * self.step + lines.start..][..count];
                match (to.first_chunk_mut::<NR>(), from.first_chunk::<NR>()) {
                    (Some(to), Some(from)) if count == NR => *to = *from,
                    _ => to[..count].copy_from_slice(from),
                }
            }
        } else if self.step == 1 && count == width && count.is_multiple_of(4) {
            for four in (0..count).step_by(4) {
                let from = |i: usize| &self.data[(lines.start + four + i) * self.line + k.start..][..k.len()];
                let (a, b, c, d) = (from(0), from(1), from(2), from(3));
                for ((((to, a), b), c), d) in panel.chunks_exact_mut(width).zip(a).zip(b).zip(c).zip(d) {
                    to[four..four + 4].copy_from_slice(&[*a, *b, *c, *d]);
                }
            }
        } else {
            for (i, line) in lines.enumerate() {
                let from = self.data[line * self.line + k.start * self.step..].iter().step_by(self.step.max(1));
                for (to, from) in panel[i..].iter_mut().step_by(width).zip(from).take(k.len()) {
                    *to = *from;
                }
            }
        }
    }

    fn pack_all(&self, k: Range<usize>, lines: Range<usize>, width: usize, panels: &mut [f32]) {
        let size = width * k.len();
        if width != MR || self.line != 1 || self.step < LINE || size == 0 {
            return pack_each(self, k, lines, width, panels);
        }
        // As many panels side by side as a cache line reaches.
        for (panels, first) in panels.chunks_mut(LINE / MR * size).zip(lines.clone().step_by(LINE)) {
            let count = (lines.end - first).min(LINE);
            for (i, step) in k.clone().enumerate() {
                let from = &self.data[step * self.step + first..][..count];
                for (to, from) in panels[i * MR..].chunks_mut(size).zip(from.as_chunks::<MR>().0) {
                    if let Some(to) = to.first_chunk_mut() {
                        *to = *from;
                    }
                }
            }
        }
    }
}

/// A's panels, for [`Factor::Packed`](super::Factor::Packed), `[rows * steps]`.
pub fn pack_a(source: &dyn Source, rows: usize, steps: usize) -> Vec<f32> {
    let mut panels = vec![0.0; rows * steps];
    pack_rows(source, 0..steps, 0..rows, &mut panels);
    panels
}

/// B's panels, for [`Factor::Packed`](super::Factor::Packed),
/// `[columns.next_multiple_of(NR) * steps]`.
pub fn pack_b(source: &dyn Source, columns: usize, steps: usize) -> Vec<f32> {
    let mut panels = Vec::new();
    pack_columns(source, 0..steps, 0..columns, &mut panels);
    panels
}

pub(super) fn pack_rows(source: &dyn Source, k: Range<usize>, rows: Range<usize>, to: &mut [f32]) {
    let whole = rows.start + rows.len() / MR * MR;
    let (panels, rest) = to.split_at_mut((whole - rows.start) * k.len());
    source.pack_all(k.clone(), rows.start..whole, MR, panels);
    if whole < rows.end && !k.is_empty() {
        source.pack(k, whole..rows.end, rows.end - whole, rest);
    }
}

pub(super) fn pack_columns(source: &dyn Source, k: Range<usize>, columns: Range<usize>, to: &mut Vec<f32>) {
    to.resize(columns.len().next_multiple_of(NR) * k.len(), 0.0);
    let whole = columns.start + columns.len() / NR * NR;
    let (panels, rest) = to.split_at_mut((whole - columns.start) * k.len());
    source.pack_all(k.clone(), columns.start..whole, NR, panels);
    if whole < columns.end && !k.is_empty() {
        rest.fill(0.0);
        source.pack(k, whole..columns.end, NR, rest);
    }
}
