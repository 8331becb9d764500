//! HiResCAM. Draelos and Carin 2020, arXiv 2011.08891.
//!
//! L = sum_k g_k A_k with g = d score / d A, element by element: Grad-CAM without the mean over
//! space. One forward and one backward pass from the first layer's stage on.
//!
//! Output `[h, w]`, signed. Where only a mean over space and linear layers follow, it equals
//! Grad-CAM, and its sum is the logit without biases. Where a layer norm alone reads a layer (the
//! output of a transformer's block before the last), the products of a place sum to 0, for a norm
//! does not see an input's size: what rounding leaves is set to 0. pytorch-grad-cam, and captum's
//! LayerGradientXActivation summed over channels, are the same but for that.

use burn::tensor::Tensor;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::{MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "hires_cam",
    name: "HiResCAM",
    summary: "How much does each place in this layer add to the score, to first order?",
    caveat: "The grid is coarse, and a gradient is only a local view: contributions that later layers saturate are \
             missed.",
    citation: "Draelos and Carin 2020",
    arxiv: "2011.08891",
    equation: "sum_k (d score / d A_k) A_k",
    cost: "1 forward and 1 backward pass from the layer on",
    ..CAM
};

/// A sum that is smaller than this share of the magnitudes in it is rounding.
const ROUNDING: f64 = 1e-5;

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let map = |activations: Tensor<4>, gradients: Tensor<4>| {
        let products = activations * gradients;
        let sum = products.clone().sum_dim(1);
        let rounding = products.abs().sum_dim(1) * ROUNDING;
        sum.clone().mask_fill(sum.abs().lower_equal(rounding), 0.0)
    };
    context.cam(map).await
}
