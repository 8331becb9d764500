//! Blur integrated gradients. Xu, Venugopalan, Sundararajan 2020, arXiv 2004.03383, equation 5.
//!
//! sum_i (s_i - s_{i+1}) d score / dx (L(s_i)) * dL/ds (s_i), where L(s) is the photo blurred by a
//! Gaussian of sigma s, s_0 = 0 and s_n the widest: from a picture without detail to the photo,
//! with no colour of its own to compare with. `nSteps` forward and backward passes in chunks, one
//! forward pass for the widest blur's score.
//!
//! Output `[C, H, W]`, signed, with the completeness residual sum(attribution) - (F(x) -
//! F(L(s_n))). The numbers are those of PAIR saliency 0.2.1: beyond the picture's edges lies the
//! mean colour (0 as fed to the model), the kernel is cut at 4 sigma, sigmas are evenly spaced
//! (`sqrtScale`: s_i = sqrt(i maxSigma / n), which ends at sqrt(maxSigma)), and dL/ds is the
//! difference to a blur wider by `gradStep`. At s_0 that difference is 0, since a kernel so narrow
//! has one tap, so the residual is that of the first step and more; `gradStep: 0` takes the
//! difference to the next blur, which adds up exactly on a linear model, but on most nets no
//! better. PAIR weighs all steps of a batch by the batch's last width, which matters with `sqrt`
//! alone; here each has its own.

use burn::tensor::{Tensor, TensorData};

use crate::ask::fill::gaussian;
use crate::error::Result;
use crate::methods::Context;
use crate::methods::path::PATH;
use crate::methods::{CHUNK_SIZE, Completeness, Kind, MethodSpec, OptionSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "blur_ig",
    name: "Blur IG",
    summary: "How much does each pixel add to the score as the image comes into focus?",
    caveat: "Whatever survives the widest blur, such as the colour of a large area, gets 0.",
    citation: "Xu et al. 2020",
    arxiv: "2004.03383",
    equation: "sum_i (s_i - s_{i+1}) d score / dx (L(s_i)) * dL/ds (s_i), L(s) the image blurred by sigma s",
    cost: "nSteps forward and backward passes",
    estimates: true,
    options: &[
        OptionSpec {
            id: "nSteps",
            kind: Kind::Integer { default: Some(100), min: 1, max: 1000 },
            unit: Some("points"),
            help: "blur levels on the path",
        },
        OptionSpec {
            id: "maxSigma",
            kind: Kind::Number { default: 50.0, min: 0.1, max: 200.0 },
            unit: Some("input pixels"),
            help: "standard deviation of the widest blur; its variance if sqrtScale is on",
        },
        OptionSpec {
            id: "sqrtScale",
            kind: Kind::Boolean { default: false },
            unit: None,
            help: "space variances evenly instead of standard deviations",
        },
        OptionSpec {
            id: "gradStep",
            kind: Kind::Number { default: 0.01, min: 0.0, max: 10.0 },
            unit: Some("input pixels"),
            help: "how much wider the blur is that the derivative compares with; 0 takes the next one on the path",
        },
        CHUNK_SIZE,
    ],
    ..PATH
};

/// Computes the attribution.
///
/// # Errors
/// [`crate::Error::Aborted`] between chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let n_steps = options.count("nSteps")?;
    let widest = options.number("maxSigma")?;
    let sqrt = options.boolean("sqrtScale")?;
    let wider = options.number("gradStep")?;
    let [_, h, w] = context.spec().input_size;
    let sigma = |i: usize| {
        let even = i as f64 * widest / n_steps as f64;
        if sqrt { even.sqrt() } else { even }
    };
    // A blur is K X K^T with a kernel in the rows of K. Differences of kernels are taken here, in
    // f64: those of blurred pictures would be lost in f32.
    let batch = |kernels: &[Vec<f64>], side: usize| {
        let rows = kernels.iter().flat_map(|kernel| {
            (0..side).flat_map(move |i| {
                (0..side).map(move |j| kernel.get(i.abs_diff(j)).copied().unwrap_or_default() as f32)
            })
        });
        Tensor::<4>::from_data(
            TensorData::new(rows.collect::<Vec<f32>>(), [kernels.len(), 1, side, side]),
            context.device(),
        )
    };
    let input = context.upload(context.input());
    let mut total = input.zeros_like();
    let mut warnings = Vec::new();
    for chunk in context.chunks(n_steps)? {
        let done = chunk.end;
        let (mut here, mut there, mut change) = (Vec::new(), Vec::new(), Vec::new());
        for i in chunk {
            let width = sigma(i + 1) - sigma(i);
            let step = if wider > 0.0 { wider } else { width };
            let (from, to) = (gaussian(sigma(i)), gaussian(sigma(i) + step));
            let at = |kernel: &[f64], k: usize| kernel.get(k).copied().unwrap_or_default();
            change.push((0..from.len().max(to.len())).map(|k| (at(&to, k) - at(&from, k)) * width / step).collect());
            here.push(from);
            there.push(to);
        }
        // there X there - here X here = change X there + here X change, times the width of the step
        // over that of the difference.
        let (left, left_change) = (batch(&here, h), batch(&change, h));
        let (right, right_change) =
            if h == w { (left.clone(), left_change.clone()) } else { (batch(&here, w), batch(&change, w)) };
        let direction = left_change.matmul(input.clone().matmul(batch(&there, w)))
            + left.clone().matmul(input.clone().matmul(right_change));
        let gradient = context.input_gradient(left.matmul(input.clone().matmul(right)))?;
        total = total - (gradient * direction).sum_dim(0);
        context.settle(&total).await?;
        context.progress(done, n_steps).await?;
        if done < n_steps {
            if context.wants_estimate() {
                context.estimate(&context.read(total.clone()).await?, &context.spec().input_size);
            }
            if context.stopped() {
                warnings.push(context.stopped_after(done, n_steps));
                break;
            }
        }
    }
    let last = [gaussian(sigma(n_steps))];
    let blurred = context.scores(batch(&last, h).matmul(input.matmul(batch(&last, w))))?;
    let baseline_score = context.read(blurred).await?.first().copied().map(f64::from).unwrap_or(f64::NAN);
    let values = context.read(total).await?;
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    let score = context.score();
    let completeness = Some(Completeness { baseline_score, score, sum, delta: sum - (score - baseline_score) });
    Ok(Output { completeness, warnings, ..Output::new(values, context.spec().input_size) })
}
