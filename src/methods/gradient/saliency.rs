//! Saliency: the gradient's magnitude. Simonyan et al. 2013, arXiv 1312.6034, section 3.1.
//!
//! |d score / dx|, of the logit and not of the probability, as in the paper. One forward and one
//! backward pass.
//!
//! Output `[C, H, W]`; the paper's map is its maximum over the channels, which is how it is
//! painted. captum's `Saliency` is the same (`abs=True`, its default).

use crate::error::Result;
use crate::methods::Context;
use crate::methods::gradient::GRADIENT;
use crate::methods::{MethodSpec, Output, Sign};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "saliency",
    name: "Saliency",
    summary: "Which pixels change the score most when they change a little?",
    caveat: "It is noisy, and it shows what would change the score, not what produced it: a decisive pixel can have a \
             gradient near 0.",
    citation: "Simonyan et al. 2013",
    arxiv: "1312.6034",
    equation: "|d score / dx|",
    cost: "1 forward and 1 backward pass",
    sign: Sign::Positive,
    ..GRADIENT
};

/// Computes the attribution.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let gradient = context.input_gradient(context.upload(context.input()))?;
    Ok(Output::new(context.read(gradient.abs()).await?, context.spec().input_size))
}
