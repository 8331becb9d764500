//! Grad-CAM++. Chattopadhyay et al. 2017, arXiv 1710.11063, equation 19: the class score is the
//! exponential of the logit.
//!
//! L = sum_k w_k A_k, w_k = sum_hw alpha_k ReLU(g_k), with g = d score / d A and alpha_k = g_k^2 /
//! (2 g_k^2 + g_k^3 sum_hw A_k + epsilon). Without epsilon, the default, alpha is 1 / (2 + g_k
//! sum_hw A_k) where g is not 0. 0 at its pole, where |2 + g sum A| < 1e-6. One forward and one
//! backward pass from the first layer's stage on.
//!
//! Output `[h, w]`, signed where activations are. pytorch-grad-cam has an epsilon of 1e-6, which
//! decides the map where squared gradients are as small; torch-cam's alpha is the squared gradient;
//! xplique sums another denominator.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::{Kind, MethodSpec, OptionSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "grad_cam_plus_plus",
    name: "Grad-CAM++",
    summary: "Which regions of this layer push the score up, counting every occurrence, however small?",
    caveat: "Its weights are derived for the exponential of the score, so the map does not measure contributions to \
             the score itself.",
    citation: "Chattopadhyay et al. 2017",
    arxiv: "1710.11063",
    equation: "sum_k w_k A_k, w_k = sum_hw ReLU(g_k) / (2 + g_k sum_hw A_k), g_k = d score / d A_k",
    cost: "1 forward and 1 backward pass from the layer on",
    options: &[OptionSpec {
        id: "epsilon",
        kind: Kind::Number { default: 0.0, min: 0.0, max: 1e6 },
        unit: Some("squared gradient"),
        help: "added to the denominator of the weights; pytorch-grad-cam uses 1e-6, torch-cam in effect a large value",
    }],
    ..CAM
};

/// Denominators below this are a pole.
const POLE: f64 = 1e-6;

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let epsilon = context.options().number("epsilon")?;
    let map = |activations: Tensor<4>, gradients: Tensor<4>| {
        let mut denominator = gradients.clone() * activations.clone().sum_dims(&[2, 3]) + 2.0;
        let mut numerator = relu(gradients.clone());
        let mut undefined = denominator.clone().abs().lower_elem(POLE);
        if epsilon > 0.0 {
            let squared = gradients.square();
            denominator = denominator * squared.clone() + epsilon;
            numerator = numerator * squared;
            undefined = denominator.clone().equal_elem(0.0);
        }
        let weights = (numerator / denominator).mask_fill(undefined, 0.0).sum_dims(&[2, 3]);
        (weights * activations).sum_dim(1)
    };
    context.cam(map).await
}
