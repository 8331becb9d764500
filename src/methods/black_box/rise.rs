//! RISE. Petsiuk et al. 2018, arXiv 1806.07421, equation 6.
//!
//! sum_i F(x shown through M_i) M_i / (N p). A mask M_i is an s x s grid of Bernoulli(p) cells,
//! enlarged bilinearly (half-pixel centres, constant beyond the outermost) to (s + 1) ceil(H / s) x
//! (s + 1) ceil(W / s) and cropped to H x W at an offset drawn evenly below one cell. `nSamples`
//! forward passes.
//!
//! Output `[1, H, W]`, signed. The formula gives the expected score given that the pixel is shown.
//! The paper's score is a probability; on a logit nearly all of that is the same constant
//! everywhere, and its sampling error hides the rest. With `centre` (the default) the masked
//! inputs' mean score is subtracted from every score first: by how much the expected score rises
//! when the pixel is shown. `centre: false` is the paper's formula.
//!
//! The paper takes 4000 masks (8000 for ResNet-50); 400 is the default here, for time. `details`:
//! `standardError`, the root of the mean over pixels of the map's squared standard error, and
//! `meanScore` of the masked inputs. The authors' code enlarges with skimage's `resize`, which
//! mirrors at the border where this is constant; its masks can be given as `masks`.

use rand::RngExt;
use serde_json::json;

use crate::error::Result;
use crate::math::grid::bilinear;
use crate::math::random::stream;
use crate::methods::Context;
use crate::methods::black_box::BLACK_BOX;
use crate::methods::black_box::{self, Estimator, finite};
use crate::methods::{BASELINE, BLUR_SIGMA, CHUNK_SIZE, Kind, MethodSpec, OptionSpec, Output, SEED};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "rise",
    name: "RISE",
    summary: "How high is the score, on average, when a random mask leaves this place visible?",
    caveat: "It averages over random masks: noise fades only with the square root of their number, and nothing finer \
             than a mask cell shows.",
    citation: "Petsiuk et al. 2018",
    arxiv: "1806.07421",
    equation: "sum_i (F(x M_i + x' (1 - M_i)) - mean F) M_i / (N p)",
    cost: "nSamples forward passes: 400 by default, about 32 s if a pass takes 0.08 s",
    options: &[
        OptionSpec {
            id: "nSamples",
            kind: Kind::Integer { default: Some(400), min: 1, max: 20_000 },
            unit: Some("masks"),
            help: "number of random masks; the paper uses 4000",
        },
        OptionSpec {
            id: "cells",
            kind: Kind::Integer { default: Some(7), min: 1, max: 64 },
            unit: Some("cells"),
            help: "number of cells along a side of the coarse grid",
        },
        OptionSpec {
            id: "probability",
            kind: Kind::Number { default: 0.5, min: 0.01, max: 0.99 },
            unit: None,
            help: "probability that a cell is visible",
        },
        OptionSpec {
            id: "centre",
            kind: Kind::Boolean { default: true },
            unit: None,
            help: "subtract the mean score; false gives the paper's formula",
        },
        BASELINE,
        BLUR_SIGMA,
        SEED,
        CHUNK_SIZE,
        OptionSpec {
            id: "masks",
            kind: Kind::Tensor { shape: "[N, H, W]" },
            unit: None,
            help: "masks to use instead of drawing them: each pixel's visible share",
        },
    ],
    ..BLACK_BOX
};

struct Rise<'a> {
    shape: [usize; 2],
    samples: usize,
    given: Option<&'a [f32]>,
    cells: usize,
    probability: f64,
    seed: u64,
    centre: bool,
    /// Scores are counted from here: from F(x) where their mean goes anyway.
    origin: f64,
    taken: f64,
    score: f64,
    /// Of each pixel, the sums of M, M^2, F M, F M^2, F^2 M^2.
    sums: Vec<[f64; 5]>,
}

impl Rise<'_> {
    /// What is subtracted from scores.
    fn offset(&self) -> f64 {
        if self.centre { self.score / self.taken } else { 0.0 }
    }

    /// The root of the mean over pixels of the map's squared standard error.
    fn standard_error(&self) -> f64 {
        let (n, f) = (self.taken, self.offset());
        let variance = |[m, mm, fm, fmm, ffmm]: &[f64; 5]| {
            let mean = (fm - f * m) / n;
            ((ffmm - 2.0 * f * fmm + f * f * mm) / n - mean * mean).max(0.0)
        };
        let mean = self.sums.iter().map(variance).sum::<f64>() / self.sums.len() as f64;
        (mean / (n - 1.0)).sqrt() / self.probability
    }
}

impl Estimator for Rise<'_> {
    fn samples(&self) -> usize {
        self.samples
    }

    fn mask(&self, index: usize) -> Vec<f32> {
        let [h, w] = self.shape;
        if let Some(given) = self.given {
            return given.chunks(h * w).nth(index).unwrap_or_default().to_vec();
        }
        let s = self.cells;
        let cell = [h.div_ceil(s), w.div_ceil(s)];
        let mut random = stream(self.seed, index as u64);
        let grid: Vec<f32> =
            (0..s * s).map(|_| f32::from(u8::from(random.random::<f64>() < self.probability))).collect();
        // u32: the same numbers on 32-bit machines.
        let [top, left] = cell.map(|n| random.random_range(0..n as u32) as usize);
        let large = cell.map(|n| (s + 1) * n);
        let up = bilinear(&grid, [s, s], large);
        let rows = up.chunks(large[1]).skip(top).take(h);
        rows.flat_map(|row| row.iter().skip(left).take(w)).copied().collect()
    }

    fn add(&mut self, _: usize, mask: &[f32], score: f64) {
        let score = score - self.origin;
        self.taken += 1.0;
        self.score += score;
        for (sums, &m) in self.sums.iter_mut().zip(mask) {
            let m = f64::from(m);
            let fm = score * m;
            sums.iter_mut().zip([m, m * m, fm, fm * m, fm * fm]).for_each(|(sum, v)| *sum += v);
        }
    }

    async fn map(&self, _: &Context<'_>) -> Result<Vec<f32>> {
        let (offset, share) = (self.offset(), 1.0 / (self.taken * self.probability));
        Ok(self.sums.iter().map(|[m, _, fm, ..]| ((fm - offset * m) * share) as f32).collect())
    }
}

/// Computes the attribution.
///
/// # Errors
/// [`crate::Error::BadOption`] for masks of another shape; [`crate::Error::Aborted`] between
/// chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let [_, h, w] = context.spec().input_size;
    let options = context.options();
    let masks =
        options.tensor("masks", |shape| matches!(shape, [_, a, b] if [*a, *b] == [h, w]), &format!("[N, {h}, {w}]"))?;
    let mut rise = Rise {
        shape: [h, w],
        samples: match masks {
            Some(masks) => masks.data.len() / (h * w),
            None => options.count("nSamples")?,
        },
        given: masks.map(|masks| masks.data.as_slice()),
        cells: options.count("cells")?,
        probability: options.number("probability")?,
        seed: options.count("seed")? as u64,
        centre: options.boolean("centre")?,
        origin: if options.boolean("centre")? { context.score() } else { 0.0 },
        taken: 0.0,
        score: 0.0,
        sums: vec![[0.0; 5]; h * w],
    };
    let output = black_box::estimate(context, &black_box::baseline(context).await?, &mut rise).await?;
    let details = json!({
        "standardError": finite(rise.standard_error()), "meanScore": finite(rise.origin + rise.score / rise.taken)
    });
    Ok(Output { details: Some(details), ..output })
}
