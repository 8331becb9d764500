//! Eigen-CAM. Muhammad and Yeasin 2020, arXiv 2008.00299.
//!
//! A as a matrix of places and channels, projected on its first right singular vector. One forward
//! pass between the boundaries around the layers; no target, no gradients. The decomposition runs
//! in f64 off the device.
//!
//! Output `[h, w]`, signed. A singular vector's sign is free: here the map correlates positively
//! with the mean activation. `centre` takes each channel's mean away first, as pytorch-grad-cam
//! does; the paper does not.

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::cam::principal::{CENTRE, project};
use crate::methods::{MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "eigen_cam",
    name: "Eigen-CAM",
    summary: "Where is the dominant pattern in this layer's activations?",
    caveat: "It ignores the class: the map is the same whatever you ask about.",
    citation: "Muhammad and Yeasin 2020",
    arxiv: "2008.00299",
    equation: "A v, v the first right singular vector of A as [h w, k]",
    cost: "1 forward pass up to the layer",
    class_free: true,
    needs: &[],
    options: &[CENTRE],
    ..CAM
};

/// Computes the map.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let centre = context.options().boolean(CENTRE.id)?;
    project(context, context.layer_activations()?, centre).await
}
