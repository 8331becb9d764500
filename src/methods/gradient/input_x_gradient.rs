//! Input times gradient. Shrikumar et al. 2016, arXiv 1605.01713, section 2.
//!
//! x * d score / dx with x as fed to the model, so that the data set's mean colour is what a pixel
//! is measured against. One forward and one backward pass.
//!
//! Output `[C, H, W]`, signed; on a net of ReLUs without biases it adds up to the score. captum's
//! `InputXGradient` is the same.

use crate::error::Result;
use crate::methods::Context;
use crate::methods::gradient::GRADIENT;
use crate::methods::{ChannelReduction, MethodSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "input_x_gradient",
    name: "Input times gradient",
    summary: "How much does each pixel contribute to the score if the model is treated as linear around this image?",
    caveat: "The model is not linear, so contributions need not add up to the score, and pixels of the mean colour get \
             0.",
    citation: "Shrikumar et al. 2016",
    arxiv: "1605.01713",
    equation: "x * d score / dx",
    cost: "1 forward and 1 backward pass",
    channels: ChannelReduction::Sum,
    ..GRADIENT
};

/// Computes the attribution.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let x = context.upload(context.input());
    let gradient = context.input_gradient(x.clone())?;
    Ok(Output::new(context.read(x * gradient).await?, context.spec().input_size))
}
