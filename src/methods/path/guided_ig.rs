//! Guided integrated gradients. Kapishnikov et al. 2021, arXiv 2106.09788, algorithm 1, as PAIR
//! saliency 0.2.1 has it.
//!
//! A path from the baseline x' to x on which the pixels with the smallest |gradient| go first, so
//! that it avoids the steep places whose gradients are noise. Step k of n ends at an L1 distance of
//! (1 - k/n) |x - x'| from x. Within it, as long as that is not reached: each value that lags
//! behind the straight line by more than `maxDist` is brought up to there; of those not yet
//! `maxDist` ahead of the line, the `fraction` with the smallest
//! |gradient| goes there, or as far as the distance asks for. Each change of a value adds change *
//! gradient, the gradient being that of the step's start.
//! `fraction` counts all values, those that may go no further coming last; `maxDist` 0 is
//! integrated gradients by left Riemann sums.
//!
//! Which values go first hangs on the last digits of gradients that are nearly equal, so on large
//! nets two programs, or two devices, part ways: PAIR with gradients in f64 and in f32 has a cosine
//! of 0.93 on MobileNetV2 at 20 steps. On such nets the sum also misses the difference of the
//! scores by far.
//!
//! `nSteps` forward and backward passes one after another, since each begins where the last one's
//! gradient led; one forward pass for the baseline's score. Output `[C, H, W]`, signed, with the
//! completeness residual sum(attribution) - (F(x) - F(x')).

use crate::error::{Error, Result};
use crate::methods::Context;
use crate::methods::path::PATH;
use crate::methods::{BASELINE, BLUR_SIGMA, Completeness, Kind, MethodSpec, OptionSpec, Output, SEED};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "guided_ig",
    name: "Guided IG",
    summary: "How much does each pixel add to the score along a path from a baseline image that avoids steep \
              gradients?",
    caveat: "The path depends on the last digits of the gradients: for large models it can differ between devices, and \
             the sum can be far from the score difference.",
    citation: "Kapishnikov et al. 2021",
    arxiv: "2106.09788",
    equation: "sum_k d score / dx (x_k) * (x_{k+1} - x_k), the values with the smallest |d score / dx| going first",
    cost: "nSteps forward and backward passes",
    estimates: true,
    options: &[
        OptionSpec {
            id: "nSteps",
            kind: Kind::Integer { default: Some(200), min: 1, max: 1000 },
            unit: Some("points"),
            help: "points on the path",
        },
        OptionSpec {
            id: "fraction",
            kind: Kind::Number { default: 0.25, min: 0.01, max: 1.0 },
            unit: Some("share of values"),
            help: "how many values move at once, those with the smallest gradients first",
        },
        OptionSpec {
            id: "maxDist",
            kind: Kind::Number { default: 0.02, min: 0.0, max: 1.0 },
            unit: Some("share of the path"),
            help: "how far a value may stray from the straight path: 0 gives integrated gradients, 1 sets no limit",
        },
        BASELINE,
        BLUR_SIGMA,
        SEED,
    ],
    ..PATH
};

/// Computes the attribution.
///
/// # Errors
/// [`Error::Aborted`] between steps; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let n_steps = options.count("nSteps")?;
    let (fraction, max_dist) = (options.number("fraction")?, options.number("maxDist")?);
    let references = context.references().await?;
    let reference = references.first().ok_or_else(|| Error::Internal("there is no baseline".into()))?;
    let baseline_score = context.score_of_input(reference).await?;
    let mut path = Path::new(reference, context.input());
    let mut warnings = Vec::new();
    for step in 1..=n_steps {
        let here: Vec<f32> = path.x.iter().map(|&v| v as f32).collect();
        let gradient = context.read(context.input_gradient(context.upload(&here))?).await?;
        let arrived = path.advance(context, &gradient, step as f64 / n_steps as f64, fraction, max_dist).await?;
        context.progress(step, n_steps).await?;
        if step < n_steps && context.wants_estimate() {
            context.estimate(&path.values(), &context.spec().input_size);
        }
        if !arrived || step < n_steps && context.stopped() {
            warnings.push(context.stopped_after(step, n_steps));
            break;
        }
    }
    let sum = path.attribution.iter().sum();
    let score = context.score();
    let completeness = Some(Completeness { baseline_score, score, sum, delta: sum - (score - baseline_score) });
    Ok(Output { completeness, warnings, ..Output::new(path.values(), context.spec().input_size) })
}

/// How far the walk has come. All vectors are as long as the input.
struct Path {
    start: Vec<f64>,
    end: Vec<f64>,
    length: f64,
    x: Vec<f64>,
    attribution: Vec<f64>,
}

impl Path {
    fn new(start: &[f32], end: &[f32]) -> Self {
        let exact = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<f64>>();
        let (start, end) = (exact(start), exact(end));
        Self { length: distance(&start, &end), x: start.clone(), attribution: vec![0.0; start.len()], start, end }
    }

    fn values(&self) -> Vec<f32> {
        self.attribution.iter().map(|v| *v as f32).collect()
    }

    /// Walks until the share `alpha` of the way is behind, and says whether it is: not where the
    /// caller stopped on the way.
    async fn advance(
        &mut self,
        context: &Context<'_>,
        gradient: &[f32],
        alpha: f64,
        fraction: f64,
        max_dist: f64,
    ) -> Result<bool> {
        let target = self.length * (1.0 - alpha);
        let (behind, ahead) = ((alpha - max_dist).max(0.0), (alpha + max_dist).min(1.0));
        let at = |alpha: f64| self.start.iter().zip(&self.end).map(move |(a, b)| a + (b - a) * alpha);
        let (low, high): (Vec<f64>, Vec<f64>) = (at(behind).collect(), at(ahead).collect());
        let slope: Vec<f64> = gradient.iter().map(|g| f64::from(g.abs())).collect();
        let index = (fraction * self.x.len().saturating_sub(1) as f64).floor() as usize;
        loop {
            let before = self.x.clone();
            for (((x, low), a), b) in self.x.iter_mut().zip(&low).zip(&self.start).zip(&self.end) {
                if a != b && (*x - a) / (b - a) < behind {
                    *x = *low;
                }
            }
            let missing = distance(&self.x, &self.end) - target;
            let near = 1e-9 * (missing + target).max(target).max(1.0);
            let mut finished = missing <= near;
            if !finished {
                // What has arrived is steeper than anything, and so is what has no slope.
                let free = |i: usize| self.x[i] != high[i] && slope[i].is_finite();
                let cost: Vec<f64> =
                    slope.iter().enumerate().map(|(i, s)| if free(i) { *s } else { f64::INFINITY }).collect();
                let mut order = cost.clone();
                let limit = *order.select_nth_unstable_by(index, f64::total_cmp).1;
                let chosen: Vec<usize> = (0..cost.len()).filter(|&i| cost[i] <= limit && cost[i].is_finite()).collect();
                let room: f64 = chosen.iter().map(|&i| (self.x[i] - high[i]).abs()).sum();
                finished = missing <= room || room == 0.0;
                for i in chosen {
                    self.x[i] =
                        if missing > room { high[i] } else { self.x[i] + (high[i] - self.x[i]) * (missing / room) };
                }
            }
            for (((sum, x), before), g) in self.attribution.iter_mut().zip(&self.x).zip(&before).zip(gradient) {
                *sum += (x - before) * f64::from(*g);
            }
            if finished {
                return Ok(true);
            }
            context.breathe().await?;
            if context.stopped() {
                return Ok(false);
            }
        }
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}
