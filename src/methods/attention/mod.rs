//! What methods that read attention share: blocks and maps, the row that the classifier reads,
//! special tokens, and outlier tokens.
//!
//! Darcet et al. 2023, arXiv 2309.16588, found a few patches of large transformers with norms about
//! ten times those of the others at the last block's output; the model keeps global facts there,
//! they draw attention from everywhere, and say nothing about their own place. There a norm above
//! 150 counts (of one model); here, for any model, one that is above both the patches' median + 10
//! median absolute deviations (nearly 7 standard deviations of a normal distribution) and twice
//! their median (where all others are alike, any difference is many deviations).

pub mod attention_rollout;
pub mod chefer;
pub mod normalised_cut;
pub mod raw_attention;
pub mod token_cut;

use burn::tensor::{Tensor, TensorData};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ask::warning::{ATTENTION_SINK, Warning};
use crate::error::{Error, Result};
use crate::methods::Context;
use crate::methods::{Group, Kind, MethodSpec, Need, OptionSpec, Output, Sign, Space};
use crate::nn::model::AttentionSpec;
use crate::nn::pass::{Pass, Tappable};

/// Defaults for the SPEC of a method that reads attention.
pub const ATTENTION: MethodSpec = MethodSpec {
    sign: Sign::Positive,
    class_free: true,
    needs: &[Need::Attention],
    ..MethodSpec::base(Group::Transformer, Space::Layer, "[h, w]")
};

/// Deviations from the median above which a norm is an outlier.
const DEVIATIONS: f32 = 10.0;
/// Part of a map's magnitude on outlier patches from which on a reader is told, where it is also
/// more than twice their part of the patches.
const MUCH: f64 = 0.1;

/// The option that names a block.
pub const BLOCK: OptionSpec = OptionSpec {
    id: "block",
    kind: Kind::Integer { default: None, min: 0, max: 63 },
    unit: None,
    help: "the block to read, counted from 0; the last by default",
};

/// A token whose norm at the last block's output stands out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlier {
    /// Its place in the sequence.
    pub token: usize,
    /// `patch`, `class`, `distillation` or `register`.
    pub kind: &'static str,
    /// Of a patch.
    pub row: Option<usize>,
    /// Of a patch.
    pub column: Option<usize>,
    /// Euclidean, of the residual stream.
    pub norm: f32,
}

impl AttentionSpec {
    /// What a token is: `patch`, `class`, `distillation` or `register`.
    pub fn kind(&self, token: usize) -> &'static str {
        self.special.get(token).copied().unwrap_or("patch")
    }

    /// A patch's row and column; `None` for a special token.
    pub fn place(&self, token: usize) -> Option<(usize, usize)> {
        let [_, columns] = self.grid;
        token.checked_sub(self.special.len()).map(|patch| (patch / columns, patch % columns))
    }

    /// Weights `[T]` of the rows that stand for the whole image, those that the classifier reads:
    /// the class token's only, or all patches' equally.
    pub fn whole(&self) -> Vec<f32> {
        let (tokens, special) = (self.tokens(), self.special.len());
        let read = if self.averaged { special..tokens } else { 0..1 };
        let weight = 1.0 / read.len() as f32;
        (0..tokens).map(|t| if read.contains(&t) { weight } else { 0.0 }).collect()
    }

    /// The tokens whose norms stand out among `[T]`; none if the norms are not of this model.
    pub fn outliers(&self, norms: &[f32]) -> Vec<Outlier> {
        let patches = norms.get(self.special.len()..).unwrap_or_default();
        let middle = median(patches.to_vec());
        let deviation = median(patches.iter().map(|n| (n - middle).abs()).collect());
        let bound = (middle + DEVIATIONS * deviation).max(2.0 * middle);
        let outlier = |(token, &norm): (usize, &f32)| {
            let place = self.place(token);
            let (row, column) = (place.map(|p| p.0), place.map(|p| p.1));
            (norm > bound).then(|| Outlier { token, kind: self.kind(token), row, column, norm })
        };
        norms.iter().enumerate().filter_map(outlier).collect()
    }
}

/// Zero of nothing; of an even number the upper one of the two in the middle.
fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f32::total_cmp).1 }
}

/// What is said of a patch map `[h w]` that lies on outlier patches for a large part.
fn sink(map: &[f32], prefix: usize, outliers: &[Outlier]) -> Option<Warning> {
    let total: f64 = map.iter().map(|v| f64::from(v.abs())).sum();
    let on: Vec<f64> =
        outliers.iter().filter_map(|o| map.get(o.token.checked_sub(prefix)?).map(|v| f64::from(v.abs()))).collect();
    let share = on.iter().sum::<f64>() / total;
    (share > MUCH && share > 2.0 * on.len() as f64 / map.len() as f64).then(|| {
        ATTENTION_SINK.with([
            ("percent", (100.0 * share).round()),
            ("count", on.len() as f64),
            ("patches", map.len() as f64),
        ])
    })
}

/// The model's attention.
///
/// # Errors
/// [`Error::Internal`] where it has none, which [`crate::methods::Need::Attention`] rules out.
pub fn of<'a>(context: &'a Context<'_>) -> Result<&'a AttentionSpec> {
    context.spec().attention.as_ref().ok_or_else(|| Error::Internal("the model has no attention".into()))
}

/// An option that counts from 0 to below `count`; `None` if it is absent.
///
/// # Errors
/// [`Error::BadOption`] naming the model's range.
pub fn index(context: &Context<'_>, id: &str, count: usize) -> Result<Option<usize>> {
    match context.options().integer(id)? {
        Some(given) if given >= count => Err(Error::BadOption(format!(
            "{id}: {} has {count}; give a whole number from 0 to {}, not {given}",
            context.spec().architecture,
            count.saturating_sub(1)
        ))),
        given => Ok(given),
    }
}

/// The request's [`BLOCK`].
///
/// # Errors
/// [`Error::BadOption`] where the model has no such block.
pub fn block(context: &Context<'_>) -> Result<usize> {
    let count = of(context)?.blocks;
    Ok(index(context, "block", count)?.unwrap_or(count.saturating_sub(1)))
}

/// The attention of block `b`, `[heads, T, T]`; that block alone runs again.
///
/// # Errors
/// Those of the model.
pub fn maps(context: &Context<'_>, b: usize) -> Result<Tensor<3>> {
    let name = AttentionSpec::maps(b);
    let mut pass = Pass::new().keep(&name);
    context.rerun(b + 1, &mut pass)?;
    Ok(Tensor::<4>::unwrap(pass.tapped(&name)?.value.clone())?.squeeze_dim(0))
}

/// A row `[1, T]` of weights, on the device.
pub fn row(context: &Context<'_>, weights: Vec<f32>) -> Tensor<2> {
    let count = weights.len();
    Tensor::from_data(TensorData::new(weights, [1, count]), context.device())
}

/// The norms `[T]` of the tokens at the last block's output.
///
/// # Errors
/// Those of the model.
pub fn norms(context: &Context<'_>) -> Result<Tensor<1>> {
    let tokens = Tensor::<3>::unwrap(context.state(of(context)?.blocks + 1)?)?;
    Ok((tokens.clone() * tokens).sum_dim(2).sqrt().flatten(0, 2))
}

/// The output of a method with a number `[1, T]` for each token: those of the patches as a map `[h,
/// w]`; in `details` (an object) `specialShare`, the share of the row on special tokens, and
/// `outlierTokens`.
///
/// # Errors
/// Those of the model and the device.
pub async fn row_output(context: &Context<'_>, row: Tensor<2>, details: Value) -> Result<Output> {
    let attention = of(context)?;
    let (tokens, prefix) = (attention.tokens(), attention.special.len());
    let read = context.read(Tensor::cat(vec![row.flatten(0, 1), norms(context)?], 0)).await?;
    let (row, norms) = read.split_at_checked(tokens).unwrap_or_default();
    let (special, patches) = row.split_at_checked(prefix).unwrap_or_default();
    let [special_sum, sum] = [special, row].map(|part| part.iter().map(|v| f64::from(*v)).sum::<f64>());
    let mut output = output(attention, patches.to_vec(), norms, details);
    if let Some(Value::Object(details)) = &mut output.details {
        details.insert("specialShare".into(), json!(if sum > 0.0 { special_sum / sum } else { 0.0 }));
    }
    Ok(output)
}

/// The output of a method with a number for each patch, `[h w]`; `norms` are those of [`norms`].
pub fn output(attention: &AttentionSpec, map: Vec<f32>, norms: &[f32], mut details: Value) -> Output {
    let outliers = attention.outliers(norms);
    let warnings = sink(&map, attention.special.len(), &outliers).into_iter().collect();
    if let Value::Object(details) = &mut details {
        details.insert("outlierTokens".into(), json!(outliers));
    }
    Output { warnings, details: Some(details), ..Output::new(map, attention.grid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_few_and_far() {
        let special = vec!["class", "register"];
        let attention = AttentionSpec { blocks: 1, heads: 1, special, averaged: false, grid: [3, 4], patch: 8 };
        let mut norms = vec![40.0, 90.0, 9.0, 10.0, 11.0, 10.0, 9.5, 10.5, 10.0, 9.0, 11.0, 10.0, 10.0, 10.2];
        let places = |norms: &[f32]| -> Vec<_> {
            attention.outliers(norms).into_iter().map(|o| (o.token, o.kind, o.row, o.column)).collect()
        };
        assert_eq!(places(&norms), [(0, "class", None, None), (1, "register", None, None)]);
        norms[2 + 7] = 100.0;
        assert_eq!(places(&norms)[2], (9, "patch", Some(1), Some(3)));
        // Of many deviations, but not of twice the norm.
        assert!(places(&[vec![10.0; 13], vec![19.0]].concat()).is_empty());
        // Of twice the norm, but among norms of every size.
        assert!(places(&(0..14u8).map(f32::from).collect::<Vec<_>>()).is_empty());
        assert!(places(&[]).is_empty());

        let outliers = attention.outliers(&norms);
        let mut map = [1.0; 12];
        assert_eq!(sink(&map, 2, &outliers), None);
        map[7] = -2.0;
        assert_eq!(sink(&map, 2, &outliers), None, "15 % of the map on 8 % of the patches");
        map[7] = 4.0;
        let warning = sink(&map, 2, &outliers).unwrap();
        assert_eq!(warning.code, "attention-sink");
        assert!(warning.message.starts_with("27 % of the map lies on 1 of 12 patches"), "{}", warning.message);
        assert_eq!(sink(&[0.0; 12], 2, &outliers), None);
    }
}
