//! Integrated gradients. Sundararajan et al. 2017, arXiv 1703.01365, equation 1.
//!
//! (x - x') * integral over a in [0, 1] of d score / dx at x' + a (x - x'), by a quadrature whose
//! weights sum to 1; Gauss-Legendre with 50 nodes unless told otherwise, as captum. `nSteps`
//! forward and backward passes in chunks, one forward pass for the baseline's score. Of several
//! baselines, the mean over all (as expected gradients, arXiv 1906.10670, with every baseline at
//! every point of the path).
//!
//! With a `tolerance` the steps are doubled until the residual is at most that share of F(x) -
//! F(x'), for each baseline by itself, up to `maxSteps`; where these are not enough, the warning
//! `incomplete` says so.
//!
//! If the caller stops: the integrals that are done, those of fewer steps included; or, where there
//! are none, the sum over the first part of the first path.
//!
//! Output `[C, H, W]`, signed, with the completeness residual sum(attribution) - (F(x) - F(x')).
//! `details`: `steps`, the points on the path from each baseline. captum's `riemann_trapezoid`
//! weights sum to (n - 1) / n; ours sum to 1.

use burn::tensor::{Tensor, TensorData};
use serde_json::json;

use crate::ask::fill::Baseline;
use crate::ask::warning::INCOMPLETE;
use crate::error::Result;
use crate::methods::Context;
use crate::methods::path::PATH;
use crate::methods::path::{QUADRATURE, asked_rule};
use crate::methods::{BLUR_SIGMA, CHUNK_SIZE, Completeness, Kind, MethodSpec, OptionSpec, Output, SEED};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "integrated_gradients",
    name: "Integrated gradients",
    summary: "How much does each pixel add to the score along a straight path from a baseline image to this one?",
    caveat: "The answer is relative to the baseline: whatever the image shares with the baseline gets 0.",
    citation: "Sundararajan et al. 2017",
    arxiv: "1703.01365",
    equation: "(x - x') * integral_0^1 d score / dx (x' + a (x - x')) da",
    cost: "nSteps forward and backward passes per baseline",
    estimates: true,
    options: &[
        OptionSpec {
            id: "nSteps",
            kind: Kind::Integer { default: Some(50), min: 1, max: 1000 },
            unit: Some("points"),
            help: "points on the path",
        },
        OptionSpec {
            id: "baseline",
            kind: Kind::Baseline { default: "mean", choices: Baseline::CHOICES, many: true },
            unit: None,
            help: "the baseline image; with several, their maps are averaged",
        },
        BLUR_SIGMA,
        SEED,
        QUADRATURE,
        OptionSpec {
            id: "tolerance",
            kind: Kind::Number { default: 0.0, min: 0.0, max: 1.0 },
            unit: Some("of F(x) - F(x')"),
            help: "nSteps is doubled until the residual is at most this; 0 keeps nSteps",
        },
        OptionSpec {
            id: "maxSteps",
            kind: Kind::Integer { default: Some(1000), min: 1, max: 4000 },
            unit: Some("points"),
            help: "with a tolerance, the most steps that doubling may reach",
        },
        CHUNK_SIZE,
    ],
    ..PATH
};

/// Computes the attribution.
///
/// # Errors
/// [`Error::Aborted`] between chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let rule = asked_rule(options)?;
    let tolerance = options.number("tolerance")?;
    let most = if tolerance > 0.0 { options.count("maxSteps")? } else { usize::MAX };
    let first = options.count("nSteps")?.min(most);
    let references = context.references().await?;
    let input = context.upload(context.input());
    let score = context.score();
    let mut progress = Progress { done: 0, total: first * references.len() };
    let mut mean = Mean { values: vec![0.0; context.input().len()], baseline_score: 0.0, steps: Vec::new() };
    let mut missed = None;
    let mut warnings = Vec::new();
    for reference in &references {
        let share = 1.0 / references.len() as f64;
        let origin = context.upload(reference);
        let before = context.score_of_input(reference).await?;
        let mut n = first;
        // Of this baseline, the last integral that is complete.
        let mut earlier: Option<(Vec<f32>, usize)> = None;
        let (values, stopped) = loop {
            let nodes = rule.nodes(n);
            let part = integral(context, &origin, &input, &nodes, &mut progress, &async |running| {
                let so_far = mean.clone().ended(share, before, earlier.clone(), (running, n));
                context.estimate(&so_far.values(), &context.spec().input_size);
                Ok(())
            })
            .await?;
            if part.nodes < nodes.len() {
                mean = mean.ended(share, before, earlier, (part.values, part.nodes));
                break (None, true);
            }
            let values = part.values;
            let sum: f64 = values.iter().copied().map(f64::from).sum();
            let residual = (sum - (score - before)).abs();
            if tolerance == 0.0 || residual <= tolerance * (score - before).abs() {
                break (Some(values), part.stopped);
            }
            if n == most {
                missed = missed.or(Some((residual, score - before)));
                break (Some(values), part.stopped);
            }
            let next = (2 * n).min(most);
            progress.total += next;
            if context.stopped() {
                mean = mean.ended(share, before, Some((values, n)), (Vec::new(), 0));
                break (None, true);
            }
            earlier = Some((values, n));
            n = next;
        };
        if let Some(values) = values {
            mean.add(share, before, (values, n));
            if stopped {
                mean = mean.of_those(share);
            }
        }
        if stopped {
            warnings.push(context.stopped_after(progress.done, progress.total));
            break;
        }
    }
    let values = mean.values();
    let Mean { baseline_score, steps, .. } = mean;
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    let delta = sum - (score - baseline_score);
    let incomplete = missed.map(|(residual, difference)| {
        INCOMPLETE.with([
            ("steps", most as f64),
            ("difference", difference),
            ("residual", residual),
            ("tolerance", tolerance),
        ])
    });
    warnings.extend(incomplete);
    Ok(Output {
        completeness: Some(Completeness { baseline_score, score, sum, delta }),
        details: Some(json!({ "steps": steps })),
        warnings,
        ..Output::new(values, context.spec().input_size)
    })
}

/// The mean over baselines, as far as it has come.
#[derive(Clone)]
struct Mean {
    values: Vec<f64>,
    baseline_score: f64,
    /// Points on each baseline's path.
    steps: Vec<usize>,
}

impl Mean {
    /// Adds a baseline's integral with its points.
    fn add(&mut self, share: f64, score: f64, (values, steps): (Vec<f32>, usize)) {
        self.values.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * f64::from(value));
        self.baseline_score += share * score;
        self.steps.push(steps);
    }

    /// The mean over those baselines alone that were added with this share.
    fn of_those(mut self, share: f64) -> Self {
        let more = 1.0 / (share * self.steps.len() as f64);
        self.values.iter_mut().for_each(|sum| *sum *= more);
        self.baseline_score *= more;
        self
    }

    /// What there is where the method ends within a baseline: with the last of its integrals that
    /// is complete; without it where others are; else the `running` sum.
    fn ended(
        mut self,
        share: f64,
        score: f64,
        complete: Option<(Vec<f32>, usize)>,
        running: (Vec<f32>, usize),
    ) -> Self {
        match complete {
            Some(complete) => self.add(share, score, complete),
            None if self.steps.is_empty() => self.add(share, score, running),
            None => {}
        }
        self.of_those(share)
    }

    fn values(&self) -> Vec<f32> {
        self.values.iter().map(|v| *v as f32).collect()
    }
}

/// What an integral came to.
pub struct Integral {
    /// Row-major.
    pub values: Vec<f32>,
    /// The nodes that it is made of: fewer than all where the caller stopped.
    pub nodes: usize,
    /// Whether the caller stopped before everything that [`Progress`] counts was done.
    pub stopped: bool,
}

/// The progress of a method that takes several integrals.
pub struct Progress {
    /// Points done.
    pub done: usize,
    /// Points in total.
    pub total: usize,
}

/// (x - x') times the weighted sum of the gradients at the nodes, row-major; x and x' `[1, C, H,
/// W]`. `show` gets the running sum where the caller would look at it.
///
/// # Errors
/// [`Error::Aborted`] between chunks; those of the model, the device and `show`.
pub async fn integral(
    context: &Context<'_>,
    origin: &Tensor<4>,
    input: &Tensor<4>,
    nodes: &[(f64, f64)],
    progress: &mut Progress,
    show: &impl AsyncFn(Vec<f32>) -> Result<()>,
) -> Result<Integral> {
    let difference = input.clone() - origin.clone();
    let mut total = origin.zeros_like();
    let chunks = context.chunks(nodes.len())?;
    let last = chunks.len().saturating_sub(1);
    let (mut taken, mut stopped) = (0, false);
    for (index, chunk) in chunks.into_iter().enumerate() {
        let nodes = nodes.get(chunk).unwrap_or_default();
        let column = |values: Vec<f32>| {
            let n = values.len();
            Tensor::<4>::from_data(TensorData::new(values, [n, 1, 1, 1]), context.device())
        };
        let alphas = column(nodes.iter().map(|(a, _)| *a as f32).collect());
        let weights = column(nodes.iter().map(|(_, w)| *w as f32).collect());
        let gradient = context.input_gradient(origin.clone() + difference.clone() * alphas)?;
        total = total + (gradient * weights).sum_dim(0);
        progress.done += nodes.len();
        taken += nodes.len();
        // The last chunk is waited for with the result.
        if index < last {
            context.settle(&total).await?;
        }
        context.progress(progress.done, progress.total).await?;
        if progress.done < progress.total {
            if context.wants_estimate() {
                show(context.read(total.clone() * difference.clone()).await?).await?;
            }
            if context.stopped() {
                stopped = true;
                break;
            }
        }
    }
    Ok(Integral { values: context.read(total * difference).await?, nodes: taken, stopped })
}
