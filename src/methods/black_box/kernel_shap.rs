//! KernelSHAP. Lundberg and Lee 2017, arXiv 1705.07874, theorem 2.
//!
//! The Shapley values of the game whose players are superpixels and whose coalitions' worth v(z) is
//! the score with the others replaced by the baseline: min over phi of sum_z pi(z) (v(z) - v(0) -
//! phi z)^2 subject to sum phi = v(1) - v(0), with the Shapley kernel pi(z) = (M - 1) / (C(M, k) k
//! (M - k)) for coalitions of k players; those of 0 and M players are the two constraints and hold
//! exactly.
//!
//! * 2^M - 2 <= `nSamples`: every coalition, weighed by the kernel; the result is the Shapley
//!   values. Those that weigh most come first.
//! * Else sizes are drawn by the kernel's share, proportional to 1 / (k (M - k)), and coalitions of
//!   a size evenly; all weigh alike. Every other sample is the complement of the one before it
//!   (paired sampling, Covert and Lee 2021, arXiv 2012.01536), which removes the error of
//!   even-order interactions.
//! * `samples` that are given weigh by the kernel; rows of zeros or ones alone say nothing that the
//!   constraints do not.
//!
//! With phi = (v(1) - v(0)) / M + delta, rows reduced by their mean and sum delta = 0, it is one
//! symmetric positive definite system. One forward pass for v(0) and one a sample.
//!
//! Output `[1, H, W]`, signed: each pixel has its superpixel's phi. `completeness.sum` is the sum
//! of phi over superpixels. `details`: `segments` M, `exact`, and `standardError`, the root of the
//! mean over superpixels of phi's squared standard error, from the fit's residuals over pairs (0
//! where exact, `null` where pairs are too few or samples were given). captum 0.9.0's `KernelShap`
//! replaces the constraints by weights of 10^6; shap 0.51.0 enumerates the outer sizes and samples
//! the rest.

use rand::RngExt;
use serde_json::json;

use crate::ask::warning::UNDERDETERMINED;
use crate::error::Result;
use crate::math::random::stream;
use crate::methods::Context;
use crate::methods::black_box::BLACK_BOX;
use crate::methods::black_box::{
    self, COMPACTNESS, Cholesky, Estimator, LeastSquares, N_SEGMENTS, SAMPLES, SEGMENTATION, Segments, dot, finite,
    quadratic,
};
use crate::methods::{
    BASELINE, BLUR_SIGMA, CHUNK_SIZE, Completeness, Kind, MethodSpec, Need, OptionSpec, Output, SEED,
};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "kernel_shap",
    name: "KernelSHAP",
    summary: "What is each superpixel's fair share of the score difference between the image and the baseline?",
    caveat: "Fair by Shapley's axioms, but over images with holes, unlike anything the model was trained on; an \
             estimate unless every coalition was tried.",
    citation: "Lundberg and Lee 2017",
    arxiv: "1705.07874",
    equation: "argmin_phi sum_z (M-1) / (C(M,k) k (M-k)) (v(z) - v(0) - phi z)^2, sum phi = v(1) - v(0)",
    cost: "nSamples + 1 forward passes: 401 by default, about 32 s if a pass takes 0.08 s",
    needs: &[Need::Superpixels],
    options: &[
        OptionSpec {
            id: "nSamples",
            kind: Kind::Integer { default: Some(400), min: 2, max: 20_000 },
            unit: Some("coalitions"),
            help: "number of coalitions of superpixels, in pairs; all of them if there are no more than this",
        },
        N_SEGMENTS,
        COMPACTNESS,
        BASELINE,
        BLUR_SIGMA,
        SEED,
        CHUNK_SIZE,
        SEGMENTATION,
        SAMPLES,
    ],
    ..BLACK_BOX
};

enum Coalitions {
    /// Given by the request.
    Given(Vec<Vec<bool>>),
    /// All, one of each pair; bit j is player j.
    All(Vec<u32>),
    /// One of each pair is drawn; the shares of sizes 1..M up to each, the last 1.
    Drawn { pairs: usize, seed: u64, shares: Vec<f64> },
}

impl Coalitions {
    /// All where `budget` allows it, else so many drawn ones.
    fn new(players: usize, budget: usize, seed: u64) -> Self {
        if players < 31 && (1usize << players) <= budget + 2 {
            let full = (1u32 << players) - 1;
            // Of a coalition and its complement, the one without the last player.
            let mut pairs: Vec<u32> = (1..(1u32 << players.saturating_sub(1))).collect();
            pairs.sort_by_key(|z| z.count_ones().min((z ^ full).count_ones()));
            return Self::All(pairs);
        }
        let weights = (1..players).map(|k| 1.0 / (k * (players - k)) as f64);
        let total: f64 = weights.clone().sum();
        let shares = weights.scan(0.0, |sum, v| {
            *sum += v / total;
            Some(*sum)
        });
        Self::Drawn { pairs: (budget / 2).max(1), seed, shares: shares.collect() }
    }

    fn len(&self) -> usize {
        match self {
            Self::Given(rows) => rows.len(),
            Self::All(pairs) => 2 * pairs.len(),
            Self::Drawn { pairs, .. } => 2 * pairs,
        }
    }

    fn row(&self, index: usize, players: usize) -> Vec<bool> {
        let complement = index % 2 == 1;
        match self {
            Self::Given(rows) => rows.get(index).cloned().unwrap_or_default(),
            Self::All(pairs) => {
                let coalition = pairs.get(index / 2).copied().unwrap_or_default();
                (0..players).map(|j| (coalition >> j & 1 == 1) != complement).collect()
            }
            Self::Drawn { seed, shares, .. } => {
                let mut random = stream(*seed, (index / 2) as u64);
                let share = random.random::<f64>();
                let size = 1 + shares.iter().take_while(|&&s| s <= share).count().min(players.saturating_sub(2));
                let mut order: Vec<usize> = (0..players).collect();
                for j in 0..size {
                    // u32: the same numbers on 32-bit machines.
                    order.swap(j, random.random_range(j as u32..players as u32) as usize);
                }
                let mut row = vec![complement; players];
                order.iter().take(size).for_each(|&j| row[j] = !complement);
                row
            }
        }
    }
}

/// (M - 1) / (C(M, k) k (M - k)) for 0 < k < M.
fn kernel(players: usize, size: usize) -> f64 {
    let (m, k) = (players as f64, size as f64);
    let ways: f64 = (0..size).map(|i| (players - i) as f64 / (i + 1) as f64).product();
    (m - 1.0) / (ways * k * (m - k))
}

struct KernelShap {
    segments: Segments,
    coalitions: Coalitions,
    /// v(0)
    empty: f64,
    /// v(1) - v(0)
    gap: f64,
    /// The score of the first of an unfinished pair.
    first: f64,
    sums: LeastSquares,
}

struct ShapleyFit {
    phi: Vec<f64>,
    /// Whether the coalitions determine every player's share.
    determined: bool,
    standard_error: f64,
}

impl KernelShap {
    async fn fit(&self, context: &Context<'_>) -> Result<ShapleyFit> {
        let breathe = async || context.breathe().await;
        let (m, sums) = (self.segments.count, &self.sums);
        // Rows without their means do not see a common shift of phi: any stiffness against it
        // leaves sum delta = 0.
        let stiffness = sums.gram.iter().step_by(m + 1).sum::<f64>() / (m * m) as f64;
        let factor = Cholesky::new(sums.gram.iter().map(|v| v + stiffness).collect(), m, &breathe).await?;
        let delta = factor.solve(&sums.moment);
        let drift = delta.iter().sum::<f64>() / m as f64;
        let phi = delta.iter().map(|d| d - drift + self.gap / m as f64).collect();
        let left = sums.yy - 2.0 * dot(&delta, &sums.moment) + quadratic(&sums.gram, &delta, &delta);
        let free = (sums.rows + 1) as f64 - m as f64;
        let standard_error = match self.coalitions {
            Coalitions::All(_) if self.all_taken() => 0.0,
            Coalitions::Drawn { .. } if free > 0.0 && factor.determined => {
                // The part of the inverse that is the stiffness's own is 1 / (stiffness m^2) in
                // every place.
                let variance = factor.mean_variance(&breathe).await? - 1.0 / (stiffness * (m * m) as f64);
                // What is not a number stays so: an error of 0 would say that nothing is uncertain.
                (left.clamp(0.0, f64::INFINITY) / free * variance.clamp(0.0, f64::INFINITY)).sqrt()
            }
            _ => f64::NAN,
        };
        Ok(ShapleyFit { phi, determined: factor.determined || m == 1, standard_error })
    }

    fn all_taken(&self) -> bool {
        matches!(&self.coalitions, Coalitions::All(pairs) if pairs.len() == self.sums.rows)
    }
}

impl Estimator for KernelShap {
    fn samples(&self) -> usize {
        self.coalitions.len()
    }

    fn mask(&self, index: usize) -> Vec<f32> {
        self.segments.mask(&self.coalitions.row(index, self.segments.count))
    }

    fn add(&mut self, index: usize, _: &[f32], score: f64) {
        let m = self.segments.count;
        let row = self.coalitions.row(index, m);
        let size = row.iter().filter(|&&shown| shown).count();
        if size == 0 || size == m {
            return;
        }
        let share = size as f64 / m as f64;
        let centred =
            |row: Vec<bool>| row.into_iter().map(|shown| f64::from(u8::from(shown)) - share).collect::<Vec<_>>();
        if let Coalitions::Given(_) = self.coalitions {
            self.sums.add(&centred(row), score - self.empty - share * self.gap, kernel(m, size));
        } else if index.is_multiple_of(2) {
            self.first = score;
        } else {
            // The rows of a pair are each other's negative: together they weigh twice and see half
            // the difference.
            let weight = if let Coalitions::All(_) = self.coalitions { kernel(m, size) } else { 1.0 };
            let y = (score - self.first - (2.0 * share - 1.0) * self.gap) / 2.0;
            self.sums.add(&centred(row), y, 2.0 * weight);
        }
    }

    async fn map(&self, context: &Context<'_>) -> Result<Vec<f32>> {
        Ok(self.segments.paint(&self.fit(context).await?.phi))
    }
}

/// Computes the attribution.
///
/// # Errors
/// [`crate::Error::BadOption`] for a segmentation or samples that do not fit;
/// [`crate::Error::Aborted`] between chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let segments = Segments::of(context).await?;
    let m = segments.count;
    let coalitions = match segments.samples(context)? {
        Some(rows) => Coalitions::Given(rows),
        None => Coalitions::new(m, options.count("nSamples")?, options.count("seed")? as u64),
    };
    let baseline = black_box::baseline(context).await?;
    let empty = context.score_of_input(&baseline).await?;
    let gap = context.score() - empty;
    let mut shap = KernelShap { segments, coalitions, empty, gap, first: 0.0, sums: LeastSquares::new(m) };
    let mut output = black_box::estimate(context, &baseline, &mut shap).await?;
    let fit = shap.fit(context).await?;
    if !fit.determined {
        output.warnings.push(UNDERDETERMINED.with([("segments", m as f64)]));
    }
    let sum: f64 = fit.phi.iter().sum();
    output.completeness = Some(Completeness { baseline_score: empty, score: context.score(), sum, delta: sum - gap });
    output.details =
        Some(json!({ "segments": m, "exact": shap.all_taken(), "standardError": finite(fit.standard_error) }));
    Ok(output)
}
