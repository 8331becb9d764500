//! Eigen-Grad-CAM: Eigen-CAM (Muhammad and Yeasin 2020, arXiv 2008.00299) of activations times
//! gradients, as pytorch-grad-cam introduced it.
//!
//! g A, g = d score / d A, as a matrix of places and channels, projected on its first right
//! singular vector. One forward and one backward pass from the first layer's stage on; the
//! decomposition runs in f64 off the device.
//!
//! Output `[h, w]`, signed: a singular vector's sign is free, here the map correlates positively
//! with the mean of g A over channels. `centre` takes each channel's mean away first, as
//! pytorch-grad-cam does.

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::cam::principal::{CENTRE, project};
use crate::methods::{MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "eigen_grad_cam",
    name: "Eigen-Grad-CAM",
    summary: "Where is the dominant pattern in this layer's evidence for the class?",
    caveat: "It keeps a single direction among the channels: other evidence is lost, and the map need not add up to \
             the score.",
    citation: "after Muhammad and Yeasin 2020",
    arxiv: "2008.00299",
    equation: "(g A) v, v the first right singular vector of g A as [h w, k], g = d score / d A",
    cost: "1 forward and 1 backward pass from the layer on",
    options: &[CENTRE],
    ..CAM
};

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let centre = context.options().boolean(CENTRE.id)?;
    let products = context.layer_gradients()?.into_iter().map(|(activations, gradients)| activations * gradients);
    project(context, products.collect(), centre).await
}
