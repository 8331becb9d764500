//! SmoothGrad: the mean gradient at noisy copies of the photo. Smilkov et al. 2017, arXiv
//! 1706.03825, section 2.
//!
//! (1 / n) sum_i d score / dx at x + N(0, sigma^2), sigma = noiseLevel (max x - min x), x as fed to
//! the model. `nSamples` forward and backward passes in chunks.
//!
//! Output `[C, H, W]`, signed. PAIR's `GetSmoothedMask` squares each gradient unless told otherwise
//! (`magnitude=True`): that is `smooth_grad_sq`. captum's `NoiseTunnel` takes sigma itself
//! (`stdevs`) instead of the share, and its base is any method.

use crate::error::Result;
use crate::methods::Context;
use crate::methods::gradient::GRADIENT;
use crate::methods::gradient::noisy::{self, Moments};
use crate::methods::{MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "smooth_grad",
    name: "SmoothGrad",
    summary: "Which pixels change the score when they change a little, on average over noisy copies of the image?",
    caveat: "Averaging hides where the copies disagree, and too much noise makes images unlike anything the model was \
             trained on.",
    citation: "Smilkov et al. 2017",
    arxiv: "1706.03825",
    equation: "mean_i d score / dx (x + e_i), e_i ~ N(0, (noiseLevel (max x - min x))^2)",
    cost: "nSamples forward and backward passes",
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
    noisy::run(context, Moments::mean).await
}
