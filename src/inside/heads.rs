//! The head table: what each attention head of a transformer is worth to one score, and where it
//! looks.
//!
//! * **importance**: the score minus the score with the head's attention set to 0, so that what it
//!   hands to the projection is 0 (Michel et al. 2019, arXiv 1905.10650, ablate heads so).
//!   Positive: the head speaks for the target.
//! * **distance**: the mean attention distance (Dosovitskiy et al. 2020, arXiv 2010.11929, figure
//!   7): between a patch and the patches that it looks at, weighted by its attention to patches
//!   (which then sums to 1), mean over all patches; in patches and in input pixels.
//! * **entropy**: -sum a ln a over all tokens looked at, in nats, mean over all tokens that look: 0
//!   for one token, ln T for all alike.
//! * **specialShare**: the part of the attention that lies on class, distillation and register
//!   tokens, mean over all tokens that look.
//!
//! Each block runs once for its attention; its heads are then switched off one by one, several
//! inputs in a pass, resumed at the block. In all at most 1 + heads * (blocks + 1) / 2 forward
//! passes.

use burn::tensor::{Tensor, TensorData};
use serde::Serialize;
use serde_json::Value;

use crate::ask::control::Passes;
use crate::error::{Error, Result};
use crate::methods::Context;
use crate::methods::attention::{maps, of};
use crate::nn::model::AttentionSpec;
use crate::nn::pass::{Pass, Tappable};

/// One head.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// From 0.
    pub block: usize,
    /// From 0.
    pub head: usize,
    /// Score minus the score without this head.
    pub importance: f64,
    /// Mean attention distance, patches.
    pub distance: f32,
    /// Mean attention distance, input pixels.
    pub distance_pixels: f32,
    /// Nats.
    pub entropy: f32,
    /// 0 to 1.
    pub special_share: f32,
}

/// Every head, block by block.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Heads {
    /// The target whose importance was measured.
    pub target: Value,
    /// The score's quantity: `logit` or `log_probability`.
    pub output: &'static str,
    pub score: f64,
    /// In the order of blocks and heads.
    pub heads: Vec<Head>,
    /// The passes it took, including the prediction if that was not there yet.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
}

/// The head table of the context's model and target.
///
/// # Errors
/// [`Error::Aborted`] between chunks; those of the model and the device.
pub(crate) async fn table(context: &Context<'_>) -> Result<Vec<Head>> {
    let attention = of(context)?;
    let between = distances(context, attention);
    let total = attention.blocks * attention.heads;
    let mut heads = Vec::with_capacity(total);
    for block in 0..attention.blocks {
        let found = context.read(statistics(attention, maps(context, block)?, between.clone())).await?;
        let statistic =
            |kind: usize, head: usize| found.get(kind * attention.heads + head).copied().unwrap_or_default();
        for chunk in context.chunks(attention.heads)? {
            let scores = context.read(without(context, block, chunk.clone().collect())?).await?;
            heads.extend(chunk.zip(scores).map(|(head, score)| Head {
                block,
                head,
                importance: context.score() - f64::from(score),
                distance: statistic(0, head),
                distance_pixels: statistic(0, head) * attention.patch as f32,
                entropy: statistic(1, head),
                special_share: statistic(2, head),
            }));
            context.progress(heads.len(), total).await?;
        }
    }
    Ok(heads)
}

/// The scores `[N]` with one of N heads of a block switched off in each.
fn without(context: &Context<'_>, block: usize, heads: Vec<usize>) -> Result<Tensor<1>> {
    let (n, all) = (heads.len(), of(context)?.heads);
    let mask: Vec<f32> =
        heads.iter().flat_map(|off| (0..all).map(move |h| if h == *off { 0.0 } else { 1.0 })).collect();
    let mask = Tensor::<4>::from_data(TensorData::new(mask, [n, all, 1, 1]), context.device());
    let mut pass =
        Pass::new().replace(&AttentionSpec::maps(block), |a| Ok((Tensor::<4>::unwrap(a)? * mask.clone()).wrap()));
    let state = Tensor::<3>::unwrap(context.state(block + 1)?)?.repeat_dim(0, n);
    Ok(context.target().score(context.resume(block + 1, state.wrap(), &mut pass)?))
}

/// Distance, entropy and special share of each head, `[3 heads]`, from a block's attention `[heads,
/// T, T]`.
fn statistics(attention: &AttentionSpec, maps: Tensor<3>, between: Tensor<3>) -> Tensor<1> {
    let (prefix, tokens) = (attention.special.len(), attention.tokens());
    let patches = maps.clone().narrow(1, prefix, tokens - prefix).narrow(2, prefix, tokens - prefix);
    let mean = |rows: Tensor<3>| rows.mean_dim(1).flatten::<1>(0, 2);
    // Attention to patches may round to 0 where all of it is on special tokens.
    let distance = mean((patches.clone() * between).sum_dim(2) / patches.sum_dim(2).clamp_min(1e-30));
    let entropy = mean((maps.clone() * maps.clone().clamp_min(1e-30).log()).sum_dim(2)) * -1.0;
    let special = match prefix {
        0 => entropy.zeros_like(),
        _ => mean(maps.narrow(2, 0, prefix).sum_dim(2)),
    };
    Tensor::cat(vec![distance, entropy, special], 0)
}

/// Distances between the patches' centres, `[1, P, P]`, in patches.
fn distances(context: &Context<'_>, attention: &AttentionSpec) -> Tensor<3> {
    let [h, w] = attention.grid;
    let places: Vec<(f32, f32)> = (0..h).flat_map(|y| (0..w).map(move |x| (y as f32, x as f32))).collect();
    let all: Vec<f32> =
        places.iter().flat_map(|(y, x)| places.iter().map(move |(v, u)| (y - v).hypot(x - u))).collect();
    Tensor::from_data(TensorData::new(all, [1, h * w, h * w]), context.device())
}

/// What a model without attention is told.
pub(crate) fn unsupported(architecture: &str) -> Error {
    Error::Unsupported(format!(
        "the head table needs attention, which only transformers such as a ViT have; {architecture} has none"
    ))
}
