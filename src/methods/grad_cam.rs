//! Grad-CAM. Selvaraju et al. 2016, arXiv 1610.02391, equations 1 and 2.
//!
//! L = sum_k mean_hw(d score / d A_k) A_k at one layer, with A folded to `[C, h, w]`; a transformer's tokens without its class and
//! register tokens. One forward and one backward pass from the layer's stage on; the model's front is not run again.
//!
//! Output `[h, w]`, signed. The paper ends with a ReLU: that is left to rendering, as in captum (which applies none by default).
//! pytorch-grad-cam scales to [0, 1] after its ReLU; tf-explain uses guided gradients.

use crate::error::Result;
use crate::explainer::Context;
use crate::methods::{Channels, MethodSpec, Need, Output, Sign, Space};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "grad_cam",
    name: "Grad-CAM",
    summary: "Where in the layer's grid would more of what the model found there raise the score?",
    citation: "Selvaraju et al. 2016",
    arxiv: "1610.02391",
    equation: "sum_k mean_hw(d score / d A_k) A_k",
    cost: "1 forward and 1 backward from the layer on",
    space: Space::Layer,
    shape: "[h, w]",
    sign: Sign::Signed,
    channels: Channels::None,
    random: false,
    needs: &[Need::Gradients],
    options: &[],
};

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let (activations, gradients) = context.layer_gradient().await?;
    let [_, _, h, w] = activations.dims();
    let weights = gradients.mean_dims(&[2, 3]);
    let map = (weights * activations).sum_dim(1);
    Ok(Output { values: context.read(map).await?, shape: vec![h, w], completeness: None })
}
