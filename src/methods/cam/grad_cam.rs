//! Grad-CAM. Selvaraju et al. 2016, arXiv 1610.02391, equations 1 and 2.
//!
//! L = sum_k mean_hw(d score / d A_k) A_k at each layer, with A folded to `[C, h, w]`; a
//! transformer's tokens without its class, distillation and register tokens. One forward and one
//! backward pass from the first layer's stage on; the model's front is not run again.
//!
//! Output `[h, w]`, signed. The paper ends with a ReLU: that is left to rendering, as in captum
//! (which applies none by default). pytorch-grad-cam scales to [0, 1] after its ReLU; tf-explain
//! uses guided gradients.

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::{MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "grad_cam",
    name: "Grad-CAM",
    summary: "Which regions of this layer push the score up?",
    caveat: "The grid is coarse, and averaging a channel's gradient hides channels that support the class in one place \
             and oppose it in another.",
    citation: "Selvaraju et al. 2016",
    arxiv: "1610.02391",
    equation: "sum_k mean_hw(d score / d A_k) A_k",
    cost: "1 forward and 1 backward pass from the layer on",
    ..CAM
};

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    context.cam(|activations, gradients| (gradients.mean_dims(&[2, 3]) * activations).sum_dim(1)).await
}
