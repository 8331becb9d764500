//! Softmax attention of several heads.

use wide::f32x4;

use crate::act::{exp, map, zip};
use crate::gemm::{Bias, Factor, Product, Source, Strided};

/// The sizes of an attention: of N inputs `[T, 3 D]`, queries, keys and values beside each other,
/// each D wide and shared out among the heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// T
    pub tokens: usize,
    /// D
    pub width: usize,
    /// Heads, which divide D.
    pub heads: usize,
}

fn product(rows: usize, columns: usize, steps: usize, a: &dyn Source, b: &dyn Source, c: &mut [f32], stride: usize) {
    let (a, b) = (Factor::From(a), Factor::From(b));
    Product { rows, columns, steps, a, b, bias: Bias::None, act: None }.run(c, stride);
}

/// exp(scale * (x - max x)) in place of a row x; the sum.
fn exponentials(row: &mut [f32], scale: f32) -> f32 {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (top, scale) = (f32x4::splat(top), f32x4::splat(scale));
    map(row, |x| exp((x - top) * scale));
    let (fours, rest) = row.as_chunks::<4>();
    let sum = fours.iter().fold(f32x4::ZERO, |sum, four| sum + f32x4::new(*four)).reduce_add();
    sum + rest.iter().sum::<f32>()
}

impl Shape {
    fn per_head(&self) -> usize {
        self.width / self.heads
    }
    fn scale(&self) -> f32 {
        (self.per_head() as f32).powf(-0.5)
    }
    /// Rows of `qkv`, of one head's queries (0), keys (1) or values (2), as lines or as steps.
    fn rows<'a>(&self, qkv: &'a [f32], part: usize, head: usize) -> Strided<'a> {
        Strided { data: &qkv[part * self.width + head * self.per_head()..], line: 3 * self.width, step: 1 }
    }
    fn columns<'a>(&self, qkv: &'a [f32], part: usize, head: usize) -> Strided<'a> {
        Strided { line: 1, step: 3 * self.width, ..self.rows(qkv, part, head) }
    }

    /// softmax(q k / sqrt d) v of every head beside each other: `[N, T, 3 D]` to `[N, T, D]`.
    pub fn forward(&self, qkv: &[f32], y: &mut [f32]) {
        let Self { tokens, width, .. } = *self;
        let d = self.per_head();
        let mut maps = vec![0.0; tokens * tokens];
        let mut sums = vec![0.0; tokens];
        for (qkv, y) in qkv.chunks_exact(3 * tokens * width).zip(y.chunks_exact_mut(tokens * width)) {
            for head in 0..self.heads {
                product(tokens, tokens, d, &self.rows(qkv, 0, head), &self.rows(qkv, 1, head), &mut maps, tokens);
                for (row, sum) in maps.chunks_exact_mut(tokens).zip(&mut sums) {
                    *sum = exponentials(row, self.scale());
                }
                let y = &mut y[head * d..];
                let rows = Strided { data: &maps, line: tokens, step: 1 };
                product(tokens, d, tokens, &rows, &self.columns(qkv, 2, head), y, width);
                for (row, sum) in y.chunks_mut(width).zip(&sums) {
                    let share = 1.0 / sum;
                    row[..d].iter_mut().for_each(|v| *v *= share);
                }
            }
        }
    }

    /// The derivative by `qkv`, `[N, T, 3 D]`, of the attention's product with `gradient`,
    /// `[N, T, D]`.
    pub fn backward(&self, qkv: &[f32], gradient: &[f32], dqkv: &mut [f32]) {
        let Self { tokens, width, .. } = *self;
        let d = self.per_head();
        let (mut maps, mut slopes) = (vec![0.0; tokens * tokens], vec![0.0; tokens * tokens]);
        let each = qkv.chunks_exact(3 * tokens * width).zip(gradient.chunks_exact(tokens * width));
        for ((qkv, gradient), dqkv) in each.zip(dqkv.chunks_exact_mut(3 * tokens * width)) {
            for head in 0..self.heads {
                product(tokens, tokens, d, &self.rows(qkv, 0, head), &self.rows(qkv, 1, head), &mut maps, tokens);
                for row in maps.chunks_exact_mut(tokens) {
                    let share = f32x4::splat(1.0 / exponentials(row, self.scale()));
                    map(row, |x| x * share);
                }
                let gradient = &gradient[head * d..];
                let by_row = Strided { data: gradient, line: width, step: 1 };
                let by_column = Strided { data: gradient, line: 1, step: width };
                product(tokens, tokens, d, &by_row, &self.rows(qkv, 2, head), &mut slopes, tokens);
                let turned = Strided { data: &maps, line: 1, step: tokens };
                product(tokens, d, tokens, &turned, &by_column, &mut dqkv[2 * width + head * d..], 3 * width);
                for (slope, row) in slopes.chunks_exact_mut(tokens).zip(maps.chunks_exact(tokens)) {
                    let mean = slope.iter().zip(row).map(|(s, p)| s * p).sum::<f32>();
                    let (mean, scale) = (f32x4::splat(mean), f32x4::splat(self.scale()));
                    zip(slope, row, |s, p| p * (s - mean) * scale);
                }
                let by_row = Strided { data: &slopes, line: tokens, step: 1 };
                let turned = Strided { data: &slopes, line: 1, step: tokens };
                product(tokens, d, tokens, &by_row, &self.columns(qkv, 1, head), &mut dqkv[head * d..], 3 * width);
                product(
                    tokens,
                    d,
                    tokens,
                    &turned,
                    &self.columns(qkv, 0, head),
                    &mut dqkv[width + head * d..],
                    3 * width,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{derivative, noise};

    #[test]
    fn attention_and_its_derivative() {
        for (tokens, width, heads) in [(1, 4, 2), (5, 6, 3), (17, 32, 2), (9, 8, 1)] {
            let shape = Shape { tokens, width, heads };
            let d = width / heads;
            let qkv: Vec<f32> = noise(2 * tokens * 3 * width, 1).iter().map(|x| 2.0 * x).collect();
            let run = |qkv: &[f32]| {
                let mut y = vec![f32::NAN; qkv.len() / 3];
                shape.forward(qkv, &mut y);
                y
            };
            let y = run(&qkv);
            let at =
                |n: usize, t: usize, part: usize, i: usize| f64::from(qkv[((n * tokens + t) * 3 + part) * width + i]);
            for (n, t, h) in (0..2).flat_map(|n| (0..tokens).flat_map(move |t| (0..heads).map(move |h| (n, t, h)))) {
                let score = |s: usize| {
                    (0..d).map(|i| at(n, t, 0, h * d + i) * at(n, s, 1, h * d + i)).sum::<f64>() / (d as f64).sqrt()
                };
                let weights: Vec<f64> = (0..tokens).map(|s| score(s).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for i in h * d..h * d + d {
                    let expected = (0..tokens).map(|s| weights[s] / sum * at(n, s, 2, i)).sum::<f64>();
                    let actual = f64::from(y[(n * tokens + t) * width + i]);
                    assert!((actual - expected).abs() < 1e-5, "{actual} is not {expected}");
                }
            }
            let gradient = noise(y.len(), 2);
            let mut dqkv = vec![f32::NAN; qkv.len()];
            shape.backward(&qkv, &gradient, &mut dqkv);
            derivative(&qkv, &gradient, &dqkv, run);
        }
    }
}
