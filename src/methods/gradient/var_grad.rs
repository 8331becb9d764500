//! VarGrad: the variance of the gradient over noisy copies of the photo. Adebayo et al. 2018, arXiv
//! 1810.03307, section 2.
//!
//! (1 / n) sum_i (g_i - mean g)^2 with g_i = d score / dx at x + N(0, sigma^2) and the noise of
//! `smooth_grad`: the population variance, as captum's `vargrad`. `nSamples` forward and backward
//! passes in chunks.
//!
//! Output `[C, H, W]`, never negative; 0 for a linear model and for a single sample. captum
//! subtracts the squared mean from the mean of the squares, which loses digits where the variance
//! is small; here deviations are summed.

use crate::error::Result;
use crate::methods::Context;
use crate::methods::gradient::GRADIENT;
use crate::methods::gradient::noisy::{self, Moments};
use crate::methods::{MethodSpec, Output, Sign};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "var_grad",
    name: "VarGrad",
    summary: "Where does the gradient vary most between noisy copies of the image?",
    caveat: "It shows where the model is curved, not what supports the class: a decisive pixel that acts linearly gets \
             0.",
    citation: "Adebayo et al. 2018",
    arxiv: "1810.03307",
    equation: "mean_i (g_i - mean g)^2, g_i = d score / dx (x + e_i), e_i ~ N(0, (noiseLevel (max x - min x))^2)",
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
    noisy::run(context, Moments::variance).await
}
