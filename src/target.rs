//! From logits to the one score that is explained.

use burn::tensor::Tensor;
use serde_json::Value;

use crate::error::{Error, Result};

/// What is explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The logit of a class.
    Class(usize),
}

impl Target {
    /// Reads a request's `target`: a class index, or `null` for the top class.
    ///
    /// # Errors
    /// [`Error::BadOption`] where it is no class index below `logits.len()`.
    pub fn parse(value: Option<&Value>, logits: &[f32]) -> Result<Self> {
        let class = match value {
            None | Some(Value::Null) => top(logits, 1).first().copied(),
            Some(value) => value.as_u64().and_then(|k| usize::try_from(k).ok()).filter(|&k| k < logits.len()),
        };
        class.map(Self::Class).ok_or_else(|| {
            let given = value.map(Value::to_string).unwrap_or_default();
            Error::BadOption(format!(
                "target: {given} is no class of this model; give a whole number from 0 to {}",
                logits.len().saturating_sub(1)
            ))
        })
    }

    /// `[N, K] -> [N]`
    pub fn score(&self, logits: Tensor<2>) -> Tensor<1> {
        let [n, _] = logits.dims();
        match *self {
            Self::Class(k) => logits.narrow(1, k, 1).reshape([n]),
        }
    }

    /// The score of one row of logits.
    pub fn score_of(&self, logits: &[f32]) -> f32 {
        match *self {
            Self::Class(k) => logits.get(k).copied().unwrap_or(f32::NAN),
        }
    }

    /// As results report it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Class(k) => Value::from(*k),
        }
    }
}

/// The indices of the `count` largest values, largest first, ties by index.
pub fn top(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<(usize, f32)> = values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    order.into_iter().take(count).map(|(k, _)| k).collect()
}

/// Softmax of one row divided by `temperature` (Guo et al. 2017, arXiv 1706.04599), in f64.
pub fn softmax(logits: &[f32], temperature: f64) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f64> = logits.iter().map(|&l| (f64::from(l - max) / temperature).exp()).collect();
    let sum: f64 = exp.iter().sum();
    exp.into_iter().map(|e| (e / sum) as f32).collect()
}
