//! Integrated gradients. Sundararajan et al. 2017, arXiv 1703.01365, equation 1.
//!
//! (x - x') * integral over a in [0, 1] of d score / dx at x' + a (x - x'), by a quadrature whose weights sum to 1; Gauss-Legendre
//! with 50 nodes unless told otherwise, as captum. `nSteps` forward and backward passes in chunks, one forward pass for the baseline's score.
//!
//! Output `[C, H, W]`, signed, with the completeness residual sum(attribution) - (F(x) - F(x')).
//! captum's `riemann_trapezoid` weights sum to (n - 1) / n; ours sum to 1.

use burn::tensor::{Tensor, TensorData};

use crate::baseline::Baseline;
use crate::error::{Error, Result};
use crate::explainer::Context;
use crate::methods::{Channels, Completeness, Kind, MethodSpec, Need, OptionSpec, Output, Sign, Space};
use crate::quadrature::Rule;

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "integrated_gradients",
    name: "Integrated gradients",
    summary: "How much did each pixel add to the score on the way from a baseline picture to this one?",
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
    options: &[
        OptionSpec {
            id: "nSteps",
            kind: Kind::Integer { default: Some(50), min: 1, max: 1000 },
            unit: Some("points"),
            help: "points on the path",
        },
        OptionSpec {
            id: "baseline",
            kind: Kind::Choice { default: "mean", choices: Baseline::CHOICES },
            unit: None,
            help: "the reference picture",
        },
        OptionSpec {
            id: "blurSigma",
            kind: Kind::Number { default: 10.0, min: 0.1, max: 100.0 },
            unit: Some("input pixels"),
            help: "standard deviation of the blur baseline",
        },
        OptionSpec {
            id: "quadrature",
            kind: Kind::Choice { default: "gauss_legendre", choices: Rule::CHOICES },
            unit: None,
            help: "the integration rule",
        },
        OptionSpec {
            id: "chunkSize",
            kind: Kind::Integer { default: None, min: 1, max: 64 },
            unit: Some("points"),
            help: "points per pass",
        },
    ],
};

/// Computes the attribution.
///
/// # Errors
/// [`Error::Aborted`] between chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let missing = || Error::Internal("an option's choice has no meaning".into());
    let n_steps = options.integer("nSteps")?.ok_or_else(missing)?;
    let rule = Rule::from_id(options.choice("quadrature")?).ok_or_else(missing)?;
    let baseline = Baseline::from_id(options.choice("baseline")?, options.number("blurSigma")?).ok_or_else(missing)?;

    let shape = context.spec().input_size;
    let reference = baseline.of(context.input(), shape, context.preprocess());
    let baseline_score = context.score_of_input(&reference).await?;
    let origin = context.upload(&reference);
    let difference = context.upload(context.input()) - origin.clone();

    let nodes = rule.nodes(n_steps);
    let chunks = n_steps.div_ceil(context.chunk_size(options.integer("chunkSize")?).min(n_steps));
    let mut total = origin.zeros_like();
    let mut done = 0;
    for chunk in nodes.chunks(n_steps.div_ceil(chunks)) {
        let column = |values: Vec<f32>| {
            let n = values.len();
            Tensor::<4>::from_data(TensorData::new(values, [n, 1, 1, 1]), context.device())
        };
        let alphas = column(chunk.iter().map(|(a, _)| *a as f32).collect());
        let weights = column(chunk.iter().map(|(_, w)| *w as f32).collect());
        let gradient = context.input_gradient(origin.clone() + difference.clone() * alphas)?;
        total = total + (gradient * weights).sum_dim(0);
        done += chunk.len();
        context.settle(&total).await?;
        context.progress(done, n_steps).await?;
    }
    let values = context.read(total * difference).await?;
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    let score = f64::from(context.score());
    let delta = sum - (score - baseline_score);
    let completeness = Some(Completeness { baseline_score, score, sum, delta });
    Ok(Output { values, shape: shape.to_vec(), completeness })
}
