//! NormGrad. Rebuffi et al. 2020, arXiv 2004.02866, for the identity at the layer seen as a 1 x 1
//! convolution.
//!
//! |A_u| |g_u| at each place u, the norms over channels, g = d score / d A: the norm of the place's
//! share, A_u g_u^T, in the gradient of that convolution's weights. One forward and
//! one backward pass from the first layer's stage on.
//!
//! Output `[h, w]`, not negative.

use burn::tensor::Tensor;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::{MethodSpec, Output, Sign};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "norm_grad",
    name: "NormGrad",
    summary: "Which places would change this layer's weights most if the model were trained on this image?",
    caveat: "It has no sign: evidence against the class looks as bright as evidence for it.",
    citation: "Rebuffi et al. 2020",
    arxiv: "2004.02866",
    equation: "sqrt(sum_k A_k^2) sqrt(sum_k (d score / d A_k)^2)",
    cost: "1 forward and 1 backward pass from the layer on",
    sign: Sign::Positive,
    ..CAM
};

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let norm = |x: Tensor<4>| x.square().sum_dim(1).sqrt();
    context.cam(|activations, gradients| norm(activations) * norm(gradients)).await
}
