//! Generic attention explainability. Chefer, Gur and Wolf 2021, arXiv 2103.15679, equations 5 and 6
//! (self-attention).
//!
//! R <- R + mean over heads of ReLU(dA * A) R from the first block to the last, R = 1 at first; A
//! is a block's attention, dA the score's gradient there. The map is R's class-token row; where the
//! classifier reads the mean of the patches, the mean of their rows of R - 1: what they bring along
//! themselves is the same everywhere, 1 / patches.
//!
//! That row alone is computed, r <- r + r ReLU(dA * A), from the last block to the first, as the
//! backward pass goes: one forward and one backward pass in all, one block's graph in memory.
//! Output `[h, w]` over the patches, positive.
//!
//! Not the method of arXiv 2012.09838 by the same authors, which propagates relevance by the rules
//! of LRP.

use burn::tensor::{Tensor, activation};
use serde_json::json;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::attention::ATTENTION;
use crate::methods::attention::{of, row, row_output};
use crate::methods::{MethodSpec, Need, Output};
use crate::nn::model::AttentionSpec;
use crate::nn::pass::{Pass, Tappable};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "chefer",
    name: "Generic attention explainability (Chefer)",
    summary: "Through which patches does attention that raises the score reach the classifier?",
    caveat: "Attention that lowers the score is left out, and so is everything that reaches the score other than \
             through attention.",
    citation: "Chefer et al. 2021",
    arxiv: "2103.15679",
    equation: "row of R that the classifier reads, R <- R + mean_heads ReLU(dA * A) R",
    cost: "1 forward and 1 backward pass through the blocks",
    class_free: false,
    needs: &[Need::Gradients, Need::Attention],
    ..ATTENTION
};

/// Computes the map.
///
/// # Errors
/// [`Error::Aborted`](crate::Error::Aborted) between blocks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let attention = of(context)?;
    let read = row(context, attention.whole());
    let mut weights = read.clone();
    let (mut gradient, _) = context.backward_stage(attention.blocks + 1, None, &mut Pass::new())?;
    for b in (0..attention.blocks).rev() {
        let name = AttentionSpec::maps(b);
        let mut pass = Pass::new().keep_gradient(&name);
        let (before, gradients) = context.backward_stage(b + 1, Some(gradient), &mut pass)?;
        gradient = before;
        let tapped = pass.tapped(&name)?;
        let a = Tensor::<4>::unwrap(tapped.value.clone())?;
        let d = Tensor::<4>::unwrap(tapped.gradient(&gradients)?)?;
        let relevance: Tensor<3> = activation::relu(d * a).mean_dim(1).squeeze_dim(1);
        weights = weights.clone() + weights.matmul(relevance.squeeze_dim(0));
        context.progress(attention.blocks - b, attention.blocks).await?;
    }
    let map = if attention.averaged { weights - read } else { weights };
    row_output(context, map, json!({})).await
}
