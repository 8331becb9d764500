//! LIME. Ribeiro et al. 2016, arXiv 1602.04938, equation 1 and section 3.4.
//!
//! Superpixels are shown or replaced by the baseline; a linear model of which are shown is fitted
//! to the scores: min over b, c of sum_i pi_i (F(z_i) - b - c z_i)^2 + ridge |c|^2. Sample 0 shows
//! all, as in the lime package; in the others each superpixel is shown with probability 1/2. pi =
//! exp(-d^2 / kernelWidth^2) with the cosine distance of the row z to the row of ones, d = 1 -
//! sqrt(shown / M), and 1 where nothing is shown. The ridge does not touch the intercept b.
//! `nSamples` forward passes.
//!
//! Output `[1, H, W]`, signed: each pixel has its superpixel's coefficient c. `details`: `segments`
//! M, `intercept` b, and `r2`, the weighted share of the scores' variance that the linear model
//! explains (lime's `score`).
//!
//! The paper and lime 0.2.0.1 draw 1000 samples; 400 is the default here, for time. lime takes the
//! root of the kernel, which is this one with sqrt(2) times the width, segments with quickshift,
//! and hides a superpixel behind its own mean colour. captum 0.9.0's `Lime` has a lasso, width 1, 2
//! width^2 in the kernel and the distance between the pictures; with a ridge and the same kernel it
//! agrees. Both are reproduced by `segmentation`, `samples`, `kernelWidth` and `baseline`.

use rand::RngExt;
use serde_json::json;

use crate::error::{Error, Result};
use crate::math::random::stream;
use crate::methods::Context;
use crate::methods::black_box::BLACK_BOX;
use crate::methods::black_box::{
    self, COMPACTNESS, Cholesky, Estimator, LeastSquares, N_SEGMENTS, SAMPLES, SEGMENTATION, Segments, dot, finite,
    quadratic,
};
use crate::methods::{BASELINE, BLUR_SIGMA, CHUNK_SIZE, Kind, MethodSpec, Need, OptionSpec, Output, SEED};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "lime",
    name: "LIME",
    summary: "Which superpixels support the score in a linear model fitted to copies of the image with some of them \
              hidden?",
    caveat: "A linear fit can be poor (see r2, how well it fits), and the map changes with the superpixels and the \
             kernel width.",
    citation: "Ribeiro et al. 2016",
    arxiv: "1602.04938",
    equation: "argmin_c sum_i exp(-d_i^2 / width^2) (F(z_i) - b - c z_i)^2 + ridge |c|^2",
    cost: "nSamples forward passes: 400 by default, about 32 s if a pass takes 0.08 s",
    needs: &[Need::Superpixels],
    options: &[
        OptionSpec {
            id: "nSamples",
            kind: Kind::Integer { default: Some(400), min: 1, max: 20_000 },
            unit: Some("samples"),
            help: "number of random selections of superpixels; the paper uses 1000",
        },
        N_SEGMENTS,
        COMPACTNESS,
        OptionSpec {
            id: "kernelWidth",
            kind: Kind::Number { default: 0.25, min: 0.01, max: 100.0 },
            unit: Some("cosine distance"),
            help: "how close to the whole image a sample must be to count",
        },
        OptionSpec {
            id: "ridge",
            kind: Kind::Number { default: 1.0, min: 0.0, max: 1e6 },
            unit: None,
            help: "penalty on the squared coefficients",
        },
        BASELINE,
        BLUR_SIGMA,
        SEED,
        CHUNK_SIZE,
        SEGMENTATION,
        SAMPLES,
    ],
    ..BLACK_BOX
};

struct Lime {
    segments: Segments,
    given: Option<Vec<Vec<bool>>>,
    samples: usize,
    seed: u64,
    width: f64,
    ridge: f64,
    /// F(x), from which scores are counted: the fit is of their differences.
    score: f64,
    sums: LeastSquares,
}

struct RidgeFit {
    coefficients: Vec<f64>,
    intercept: f64,
    r2: f64,
}

impl Lime {
    fn row(&self, index: usize) -> Vec<bool> {
        if let Some(given) = &self.given {
            return given.get(index).cloned().unwrap_or_default();
        }
        let mut random = stream(self.seed, index as u64);
        (0..self.segments.count).map(|_| index == 0 || random.random::<bool>()).collect()
    }

    async fn fit(&self, context: &Context<'_>) -> Result<RidgeFit> {
        let LeastSquares { weight, sum, gram, y, yy, moment, .. } = &self.sums;
        let m = self.segments.count;
        // Sums about the weighted means: the intercept is out of the way.
        let mean: Vec<f64> = sum.iter().map(|v| v / weight).collect();
        let mean_y = y / weight;
        let spread: Vec<f64> = gram.iter().enumerate().map(|(k, v)| v - weight * mean[k / m] * mean[k % m]).collect();
        let together: Vec<f64> = moment.iter().zip(&mean).map(|(v, mean)| v - weight * mean * mean_y).collect();
        let mut ridged = spread.clone();
        ridged.iter_mut().step_by(m + 1).for_each(|v| *v += self.ridge);
        let coefficients = Cholesky::new(ridged, m, &async || context.breathe().await).await?.solve(&together);
        let total = yy - weight * mean_y * mean_y;
        let left = total - 2.0 * dot(&coefficients, &together) + quadratic(&spread, &coefficients, &coefficients);
        let intercept = self.score + mean_y - dot(&mean, &coefficients);
        Ok(RidgeFit { intercept, r2: 1.0 - left / total, coefficients })
    }
}

impl Estimator for Lime {
    fn samples(&self) -> usize {
        self.samples
    }

    fn mask(&self, index: usize) -> Vec<f32> {
        self.segments.mask(&self.row(index))
    }

    fn add(&mut self, index: usize, _: &[f32], score: f64) {
        let row: Vec<f64> = self.row(index).into_iter().map(|shown| f64::from(u8::from(shown))).collect();
        let distance = 1.0 - (row.iter().sum::<f64>() / row.len() as f64).sqrt();
        self.sums.add(&row, score - self.score, (-(distance / self.width).powi(2)).exp());
    }

    async fn map(&self, context: &Context<'_>) -> Result<Vec<f32>> {
        // Of samples without weight nothing can be said.
        let nothing = self.sums.weight == 0.0;
        let values = if nothing { Vec::new() } else { self.fit(context).await?.coefficients };
        Ok(self.segments.paint(&values))
    }
}

/// Computes the attribution.
///
/// # Errors
/// [`Error::BadOption`] for a segmentation or samples that do not fit; [`Error::Aborted`] between
/// chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let segments = Segments::of(context).await?;
    let given = segments.samples(context)?;
    let mut lime = Lime {
        samples: match &given {
            Some(rows) => rows.len(),
            None => options.count("nSamples")?,
        },
        given,
        seed: options.count("seed")? as u64,
        width: options.number("kernelWidth")?,
        ridge: options.number("ridge")?,
        score: context.score(),
        sums: LeastSquares::new(segments.count),
        segments,
    };
    let output = black_box::estimate(context, &black_box::baseline(context).await?, &mut lime).await?;
    if lime.sums.weight == 0.0 {
        return Err(Error::BadOption("kernelWidth is so narrow that every sample has weight 0; make it wider".into()));
    }
    let fit = lime.fit(context).await?;
    let details = json!({ "segments": lime.segments.count, "intercept": finite(fit.intercept), "r2": finite(fit.r2) });
    Ok(Output { details: Some(details), ..output })
}
