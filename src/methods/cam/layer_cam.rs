//! LayerCAM. Jiang et al. 2021, doi 10.1109/TIP.2021.3089943.
//!
//! L = sum_k ReLU(g_k) A_k with g = d score / d A: every place has its own weight, and places where
//! more of a channel would lower the score weigh nothing. One forward and one backward pass from
//! the first layer's stage on.
//!
//! Output `[h, w]`, signed where activations are. The paper's last ReLU is left to rendering.
//! pytorch-grad-cam takes max(g A, 0) instead, which differs where activations are negative
//! (transformers, layers before a ReLU); torch-cam has it as here.

use burn::tensor::activation::relu;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::{MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "layer_cam",
    name: "LayerCAM",
    summary: "Which places in this layer support the class, each weighted by its own gradient?",
    caveat: "Evidence against the class is left out, and in shallow layers every edge with a positive gradient lights \
             up.",
    citation: "Jiang et al. 2021",
    arxiv: "10.1109/TIP.2021.3089943",
    equation: "sum_k ReLU(d score / d A_k) A_k",
    cost: "1 forward and 1 backward pass from the layer on",
    ..CAM
};

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    context.cam(|activations, gradients| (relu(gradients) * activations).sum_dim(1)).await
}
