//! SmoothGrad-squared: the mean squared gradient at noisy copies of the photo. Hooker et al. 2018,
//! arXiv 1806.10758, section 4.2.
//!
//! (1 / n) sum_i (d score / dx)^2 at x + N(0, sigma^2), with the noise of `smooth_grad`. `nSamples`
//! forward and backward passes in chunks.
//!
//! Output `[C, H, W]`, never negative. PAIR's `GetSmoothedMask` computes this by default; captum
//! calls it `smoothgrad_sq`.

use crate::error::Result;
use crate::methods::Context;
use crate::methods::gradient::GRADIENT;
use crate::methods::gradient::noisy::{self, Moments};
use crate::methods::{MethodSpec, Output, Sign};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "smooth_grad_sq",
    name: "SmoothGrad squared",
    summary: "Which pixels change the score most, in either direction, across noisy copies of the image?",
    caveat: "Squaring emphasises the strongest pixels and drops the sign: evidence for and against the class look the \
             same.",
    citation: "Hooker et al. 2018",
    arxiv: "1806.10758",
    equation: "mean_i (d score / dx (x + e_i))^2, e_i ~ N(0, (noiseLevel (max x - min x))^2)",
    cost: "nSamples forward and backward passes",
    sign: Sign::Positive,
    random: true,
    estimates: true,
    options: noisy::OPTIONS,
    ..GRADIENT
};

/// Computes the attribution; see [`noisy::run`].
///
/// # Errors
/// [`crate::Error::BadOption`] for noise of another shape; [`crate::Error::Aborted`] between
/// chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    noisy::run(context, Moments::mean_square).await
}
