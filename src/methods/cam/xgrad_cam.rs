//! XGrad-CAM. Fu et al. 2020, arXiv 2008.02312.
//!
//! L = sum_k w_k A_k, w_k = sum_hw(g_k A_k) / sum_hw A_k with g = d score / d A: a channel's weight
//! is the mean gradient where the channel is active. 0 where a channel's activations sum to 0. One
//! forward and one backward pass from the first layer's stage on.
//!
//! Output `[h, w]`, signed. pytorch-grad-cam adds 1e-7 to the denominator. Of layers with negative
//! activations (transformers) the denominator may be near 0 by chance, and a single channel then
//! decides the map.

use burn::tensor::Tensor;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::{MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "xgrad_cam",
    name: "XGrad-CAM",
    summary: "Which regions push the score up, with each channel weighted by its gradient where it is active?",
    caveat: "The grid is coarse, and if activations have both signs, a channel that sums to nearly 0 can drown out the \
             others.",
    citation: "Fu et al. 2020",
    arxiv: "2008.02312",
    equation: "sum_k (sum_hw(g_k A_k) / sum_hw A_k) A_k, g_k = d score / d A_k",
    cost: "1 forward and 1 backward pass from the layer on",
    ..CAM
};

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let map = |activations: Tensor<4>, gradients: Tensor<4>| {
        let total = activations.clone().sum_dims(&[2, 3]);
        let none = total.clone().equal_elem(0.0);
        let weights = ((gradients * activations.clone()).sum_dims(&[2, 3]) / total).mask_fill(none, 0.0);
        (weights * activations).sum_dim(1)
    };
    context.cam(map).await
}
