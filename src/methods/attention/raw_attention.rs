//! Attention as it is: one row of one block's softmax(q k / sqrt d), of one head or their mean.
//! Dosovitskiy et al. 2020, arXiv 2010.11929, equation 6.
//!
//! The row is that of `query`, a patch; left out, the class token's, or where the classifier reads
//! the mean of the patches, the mean of theirs. The block alone is run again on the state before
//! it. Output `[h, w]` over the patches, positive; the row sums to 1 together with
//! `details.specialShare`, what it leaves on special tokens. `details` also says what was read:
//! `block`, `head` (`null`: the mean), and `query`: `{ token, kind, row, column }`, `null` where it
//! is the mean over all.

use burn::tensor::Tensor;
use serde_json::{Value, json};

use crate::error::Result;
use crate::methods::Context;
use crate::methods::attention::ATTENTION;
use crate::methods::attention::{BLOCK, block, index, maps, of, row, row_output};
use crate::methods::{Kind, MethodSpec, OptionSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "raw_attention",
    name: "Attention",
    summary: "Which patches does a token attend to in one block, by one head or averaged over heads?",
    caveat: "The map is the same for every class, and a patch that gets attention need not affect the score.",
    citation: "Dosovitskiy et al. 2020",
    arxiv: "2010.11929",
    equation: "softmax(q k / sqrt d), the query's row",
    cost: "1 forward pass through one block",
    options: &[
        BLOCK,
        OptionSpec {
            id: "head",
            kind: Kind::Integer { default: None, min: 0, max: 63 },
            unit: None,
            help: "the head to read, counted from 0; the mean over all by default",
        },
        OptionSpec {
            id: "query",
            kind: Kind::Integer { default: None, min: 0, max: 32767 },
            unit: None,
            help: "the patch whose attention is read, counted row by row from 0; by default what the classifier reads: \
                   the class token, or the mean of the patches",
        },
    ],
    ..ATTENTION
};

/// Computes the map.
///
/// # Errors
/// [`Error::BadOption`](crate::Error::BadOption) where the model has no such block, head or patch;
/// those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let attention = of(context)?;
    let b = block(context)?;
    let head = index(context, "head", attention.heads)?;
    let patch = index(context, "query", attention.grid.iter().product())?;
    let query = match patch {
        Some(patch) => Some(attention.special.len() + patch),
        None => (!attention.averaged).then_some(0),
    };
    let heads = maps(context, b)?;
    let fused: Tensor<2> = match head {
        Some(head) => heads.narrow(0, head, 1),
        None => heads.mean_dim(0),
    }
    .squeeze_dim(0);
    let read = match query {
        Some(query) => fused.narrow(0, query, 1),
        None => row(context, attention.whole()).matmul(fused),
    };
    let described = query.map_or(Value::Null, |token| {
        let place = attention.place(token);
        json!({
            "token": token, "kind": attention.kind(token), "row": place.map(|p| p.0), "column": place.map(|p| p.1)
        })
    });
    row_output(context, read, json!({ "block": b, "head": head, "query": described })).await
}
