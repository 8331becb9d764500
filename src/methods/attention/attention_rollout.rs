//! Attention rollout. Abnar and Zuidema 2020, arXiv 2005.00928, section 3.
//!
//! R = A^_L ... A^_1 with A^_b = A_b + 1, rows divided by their sums, where A_b is block b's
//! attention fused over its heads and 1 the residual connection. The map is R's class-token row;
//! where the classifier reads the mean of the patches, the mean of their rows. It needs no target,
//! and is the same for each.
//!
//! That row alone is computed, from the last block to the first, each block run again on the state
//! before it: one forward pass in all, one block's attention in memory. Output `[h, w]` over the
//! patches, positive; `details.specialShare` is what the row leaves on special tokens.
//!
//! The paper averages heads; `headFusion` max and min and `discard` (the smallest entries of each
//! fused matrix become 0) are those of vit-explain, which divides by the sums of the wrong axis and
//! keeps the class token's own entry.

use burn::tensor::{Tensor, TensorData};
use serde_json::json;

use crate::error::{Error, Result};
use crate::methods::Context;
use crate::methods::attention::ATTENTION;
use crate::methods::attention::{maps, of, row, row_output};
use crate::methods::{Kind, MethodSpec, OptionSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "attention_rollout",
    name: "Attention rollout",
    summary: "From which patches can information reach the classifier through the attention of all blocks?",
    caveat: "The map is the same for every class: it follows attention alone, not what the tokens carry or how the \
             classifier uses it.",
    citation: "Abnar and Zuidema 2020",
    arxiv: "2005.00928",
    equation: "row of A^_L ... A^_1 that the classifier reads, A^ = row-normalised (A + 1)",
    cost: "1 forward pass through the blocks",
    options: &[
        OptionSpec {
            id: "headFusion",
            kind: Kind::Choice { default: "mean", choices: &["mean", "max", "min"] },
            unit: None,
            help: "how the heads of a block are combined",
        },
        OptionSpec {
            id: "discard",
            kind: Kind::Number { default: 0.0, min: 0.0, max: 1.0 },
            unit: None,
            help: "share of each block's attention weights, the smallest ones, to set to 0",
        },
    ],
    ..ATTENTION
};

/// Computes the map.
///
/// # Errors
/// [`Error::Aborted`] between blocks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let attention = of(context)?;
    let (fusion, discard) = (context.options().choice("headFusion")?, context.options().number("discard")?);
    let mut weights = row(context, attention.whole());
    for b in (0..attention.blocks).rev() {
        let heads = maps(context, b)?;
        let mut fused: Tensor<2> = match fusion {
            "max" => heads.max_dim(0),
            "min" => heads.min_dim(0),
            "mean" => heads.mean_dim(0),
            _ => return Err(Error::Internal("the fusion's choice has no meaning".into())),
        }
        .squeeze_dim(0);
        if discard > 0.0 {
            let shape = fused.dims();
            let mut values = context.read(fused).await?;
            drop_smallest(&mut values, discard);
            fused = Tensor::from_data(TensorData::new(values, shape), context.device());
        }
        // w A^ = (w / row sums) (A + 1)
        weights = weights / (fused.clone().sum_dim(1).transpose() + 1.0);
        weights = weights.clone().matmul(fused) + weights;
        context.progress(attention.blocks - b, attention.blocks).await?;
    }
    row_output(context, weights, json!({})).await
}

/// Of `values`, that share which is smallest becomes 0; of equal ones the earlier.
fn drop_smallest(values: &mut [f32], share: f64) {
    let count = (share * values.len() as f64) as usize;
    let mut order: Vec<usize> = (0..values.len()).collect();
    let value = |i: &usize| values.get(*i).copied().unwrap_or_default();
    if count < order.len() {
        order.select_nth_unstable_by(count, |a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
    }
    for i in order.into_iter().take(count) {
        if let Some(value) = values.get_mut(i) {
            *value = 0.0;
        }
    }
}
