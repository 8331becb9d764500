//! TokenCut. Wang et al. 2022, arXiv 2202.11539, section 3: the normalised cut (Shi and Malik 2000)
//! of the graph of patches.
//!
//! Two patches are joined by an edge of weight 1 where the cosine of their keys in a block (heads
//! concatenated) is above `tau`, else of 1e-5. The map is the eigenvector of the second smallest
//! eigenvalue of (D - W) x = l D x, D the rows' sums, with x' D x = 1. It needs no target, and is
//! the same for each. The block alone is run again; the eigenvector is found on the host in f64.
//!
//! Output `[h, w]`, signed so that the largest magnitude, which the paper takes for the foreground,
//! is positive. The paper's mask are the patches above the vector's mean, `details.threshold`;
//! `details` also has `block`, `eigenvalue` and `foreground`, the number of those patches.

use burn::tensor::Tensor;
use serde_json::json;

use crate::ask::warning::ALIKE;
use crate::error::Result;
use crate::methods::Context;
use crate::methods::attention::ATTENTION;
use crate::methods::attention::normalised_cut::second_eigenvector;
use crate::methods::attention::{BLOCK, block, norms, of, output};
use crate::methods::{Group, Kind, MethodSpec, OptionSpec, Output, Sign};
use crate::nn::model::AttentionSpec;
use crate::nn::pass::{Pass, Tappable};

/// The weight of an edge between patches that are unlike.
const UNLIKE: f64 = 1e-5;

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "token_cut",
    name: "TokenCut",
    group: Group::Discovery,
    summary: "Which patches stand out when all patches are split into two groups by similarity?",
    caveat: "It ignores the class, and it always finds two groups, even if the image shows one object or none.",
    citation: "Wang et al. 2022",
    arxiv: "2202.11539",
    equation: "second smallest x of (D - W) x = l D x, W = 1 where cos(k_i, k_j) > tau, else 1e-5",
    cost: "1 forward pass through one block",
    sign: Sign::Signed,
    options: &[
        OptionSpec {
            id: "tau",
            kind: Kind::Number { default: 0.2, min: -1.0, max: 1.0 },
            unit: None,
            help: "cosine similarity above which two patches count as alike",
        },
        BLOCK,
    ],
    ..ATTENTION
};

/// Computes the map.
///
/// # Errors
/// [`Error::BadOption`](crate::Error::BadOption) where the model has no such block;
/// [`Error::Aborted`](crate::Error::Aborted) between steps; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let attention = of(context)?;
    let (b, tau) = (block(context)?, context.options().number("tau")?);
    let name = AttentionSpec::keys(b);
    let mut pass = Pass::new().keep(&name);
    context.rerun(b + 1, &mut pass)?;
    let keys = Tensor::<4>::unwrap(pass.tapped(&name)?.value.clone())?;
    let [_, heads, tokens, d] = keys.dims();
    let prefix = attention.special.len();
    let n = tokens - prefix;
    let keys: Tensor<2> = keys.narrow(2, prefix, n).swap_dims(1, 2).reshape([n, heads * d]);
    let lengths = (keys.clone() * keys.clone()).sum_dim(1).sqrt().clamp_min(1e-12);
    let unit = keys / lengths;
    let cosines = unit.clone().matmul(unit.transpose());
    let mut read = context.read(Tensor::cat(vec![cosines.flatten(0, 1), norms(context)?], 0)).await?;
    let norms = read.split_off(read.len().min(n * n));
    let weights: Vec<f64> = read.into_iter().map(|c| if f64::from(c) > tau { 1.0 } else { UNLIKE }).collect();
    let found = second_eigenvector(&weights, n, &async || context.breathe().await).await?;
    let Some((eigenvalue, mut x)) = found else {
        let mut output = output(attention, vec![0.0; n], &norms, json!({ "block": b }));
        output.warnings.push(ALIKE.with([]));
        return Ok(output);
    };
    let largest = x.iter().copied().fold(0f64, |l, v| if v.abs() > l.abs() { v } else { l });
    x.iter_mut().for_each(|v| *v *= largest.signum());
    let threshold = x.iter().sum::<f64>() / n as f64;
    let foreground = x.iter().filter(|v| **v > threshold).count();
    let details = json!({ "block": b, "eigenvalue": eigenvalue, "threshold": threshold, "foreground": foreground });
    Ok(output(attention, x.into_iter().map(|v| v as f32).collect(), &norms, details))
}
