//! Windows on the places of an image: which a convolution or a pooling looks at, and how rows are
//! laid out for reading them.

/// The sizes and steps of a convolution or a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub inputs: usize,
    pub outputs: usize,
    pub groups: usize,
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    pub stride: usize,
    pub dilation: usize,
    /// Rows above and columns left of the input that are 0.
    pub before: [usize; 2],
    /// Input rows and columns.
    pub input: [usize; 2],
    /// Output rows and columns.
    pub output: [usize; 2],
}

impl Geometry {
    pub(crate) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
    /// Steps of the sums: I / groups * kh * kw.
    pub fn steps(&self) -> usize {
        self.inputs / self.groups * self.taps()
    }
    pub(crate) fn depthwise(&self) -> bool {
        self.groups == self.inputs && self.groups == self.outputs && self.groups > 1
    }
    pub(crate) fn places(&self) -> usize {
        self.output[0] * self.output[1]
    }
    /// Whether the input's values, as they are, are the windows.
    pub(crate) fn pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.before == [0, 0] && self.input == self.output
    }
}

/// Channels with their padding, and the columns of every row sorted by what they leave modulo the
/// stride: what a tap of the kernel reads for neighbouring outputs of a row then lies side by side.
pub(crate) struct Padded {
    /// Columns of each remainder.
    pub(crate) columns: usize,
    /// Values of a row: the stride times the columns.
    pub(crate) row: usize,
    /// Values of a channel.
    pub(crate) plane: usize,
}

impl Padded {
    pub(crate) fn new(g: &Geometry) -> Self {
        let [rows, columns] =
            [0, 1].map(|axis| (g.output[axis] - 1) * g.stride + g.dilation * (g.kernel[axis] - 1) + 1);
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
                copy(from, to.get_mut(left..).unwrap_or_default());
                continue;
            }
            if g.stride == 2 {
                let (even, odd) = to.split_at_mut(self.columns);
                let (even, odd) = if left % 2 == 0 {
                    (even.get_mut(left / 2..).unwrap_or_default(), odd.get_mut(left / 2..).unwrap_or_default())
                } else {
                    (odd.get_mut(left / 2..).unwrap_or_default(), even.get_mut(left / 2 + 1..).unwrap_or_default())
                };
                apart(from, even, odd);
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

    /// Where each tap is, from the window's first value on.
    pub(crate) fn taps(&self, g: &Geometry) -> Vec<usize> {
        let at = |i: usize, j: usize| {
            let column = j * g.dilation;
            i * g.dilation * self.row + column % g.stride * self.columns + column / g.stride
        };
        (0..g.kernel[0]).flat_map(|i| (0..g.kernel[1]).map(move |j| at(i, j))).collect()
    }
}

/// Copies a row, as far as there is room. From both ends at a time: a plain loop would become a
/// call, which takes longer than the short rows of deep layers.
fn copy(from: &[f32], to: &mut [f32]) {
    let count = from.len().min(to.len());
    let (from, to) = (&from[..count], &mut to[..count]);
    if count < 4 {
        return to.copy_from_slice(from);
    }
    for front in (0..count.div_ceil(2)).step_by(4) {
        let back = count - 4 - front;
        for at in [front, back] {
            if let (Some(to), Some(from)) = (to[at..].first_chunk_mut::<4>(), from[at..].first_chunk()) {
                *to = *from;
            }
        }
    }
}

/// Values at even and at odd places of a row, as far as there is room.
fn apart(row: &[f32], even: &mut [f32], odd: &mut [f32]) {
    let (pairs, last) = row.as_chunks::<2>();
    let (eights, _) = row.as_chunks::<8>();
    let (even_fours, odd_fours) = (even.as_chunks_mut::<4>().0, odd.as_chunks_mut::<4>().0);
    let done = eights.len().min(even_fours.len()).min(odd_fours.len());
    for ((&[a, b, c, d, e, f, g, h], even), odd) in eights.iter().zip(even_fours).zip(odd_fours) {
        *even = [a, c, e, g];
        *odd = [b, d, f, h];
    }
    for (at, pair) in pairs.iter().enumerate().skip(4 * done) {
        if let Some(even) = even.get_mut(at) {
            *even = pair[0];
        }
        if let Some(odd) = odd.get_mut(at) {
            *odd = pair[1];
        }
    }
    if let (Some(last), Some(even)) = (last.first(), even.get_mut(pairs.len())) {
        *even = *last;
    }
}
