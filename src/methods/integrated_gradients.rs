//! Integrated gradients. Sundararajan et al. 2017, arXiv 1703.01365, equation 1.
//!
//! (x - x') * integral over a in [0, 1] of d score / dx at x' + a (x - x'), by a quadrature whose weights sum to 1; Gauss-Legendre
//! with 50 nodes unless told otherwise, as captum. `nSteps` forward and backward passes in chunks, one forward pass for the baseline's score.
//!
//! Output `[C, H, W]`, signed, with the completeness residual sum(attribution) - (F(x) - F(x')).
//! captum's `riemann_trapezoid` weights sum to (n - 1) / n; ours sum to 1.

use burn::tensor::{Tensor, TensorData};

use crate::error::{Error, Result};
use crate::explainer::Context;
use crate::methods::{
    BLUR_SIGMA, CHUNK_SIZE, Channels, Completeness, Group, Kind, MethodSpec, Need, OptionSpec, Output, Reads, SEED, Sign, Space,
};
use crate::quadrature::Rule;

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "integrated_gradients",
    name: "Integrated gradients",
    group: Group::Path,
    summary: "How much did each pixel add to the score on the way from a baseline picture to this one?",
    caveat: "It answers relative to the baseline: what the baseline shares with the photo gets nothing.",
    citation: "Sundararajan et al. 2017",
    arxiv: "1703.01365",
    equation: "(x - x') * integral_0^1 d score / dx (x' + a (x - x')) da",
    cost: "nSteps forward and backward",
    space: Space::Input,
    shape: "[C, H, W]",
    sign: Sign::Signed,
    channels: Channels::Sum,
    random: false,
    needs: &[Need::Gradients],
    reads: Reads::Input,
    estimates: false,
    options: &[
        OptionSpec {
            id: "nSteps",
            kind: Kind::Integer { default: Some(50), min: 1, max: 1000 },
            unit: Some("points"),
            help: "points on the path",
        },
        OptionSpec {
            id: "baseline",
            kind: Kind::Baseline { default: "mean", many: true },
            unit: None,
            help: "the reference picture; of several, the mean over all",
        },
        BLUR_SIGMA,
        SEED,
        OptionSpec {
            id: "quadrature",
            kind: Kind::Choice { default: "gauss_legendre", choices: Rule::CHOICES },
            unit: None,
            help: "the integration rule",
        },
        CHUNK_SIZE,
    ],
};

/// Computes the attribution.
///
/// # Errors
/// [`Error::Aborted`] between chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let n_steps = options.count("nSteps")?;
    let rule = Rule::from_id(options.choice("quadrature")?)
        .ok_or_else(|| Error::Internal("the quadrature's choice has no meaning".into()))?;
    let references = context.references()?;
    let input = context.upload(context.input());
    let nodes = rule.nodes(n_steps);
    let all = n_steps * references.len();
    let mut whole = input.zeros_like();
    let mut baseline_score = 0.0;
    let mut done = 0;
    for reference in &references {
        baseline_score += context.score_of_input(reference).await? / references.len() as f64;
        let origin = context.upload(reference);
        let difference = input.clone() - origin.clone();
        let mut total = origin.zeros_like();
        for chunk in context.chunks(n_steps)? {
            let nodes = nodes.get(chunk).unwrap_or_default();
            let column = |values: Vec<f32>| {
                let n = values.len();
                Tensor::<4>::from_data(TensorData::new(values, [n, 1, 1, 1]), context.device())
            };
            let alphas = column(nodes.iter().map(|(a, _)| *a as f32).collect());
            let weights = column(nodes.iter().map(|(_, w)| *w as f32).collect());
            let gradient = context.input_gradient(origin.clone() + difference.clone() * alphas)?;
            total = total + (gradient * weights).sum_dim(0);
            done += nodes.len();
            context.settle(&total).await?;
            context.progress(done, all).await?;
        }
        whole = whole + total * difference / references.len() as f64;
    }
    let values = context.read(whole).await?;
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    let score = context.score();
    let delta = sum - (score - baseline_score);
    let completeness = Some(Completeness { baseline_score, score, sum, delta });
    Ok(Output { completeness, ..Output::new(values, context.spec().input_size) })
}
