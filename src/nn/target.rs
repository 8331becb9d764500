//! From logits to the one score that is explained.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use serde_json::{Value, json};

use crate::error::{Error, Result, quote};

/// The question: which class, contrast or group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Why this class?
    Class(usize),
    /// Why the first class and not the second?
    Contrast(usize, usize),
    /// Why any of these classes?
    Group(Vec<usize>),
}

/// The quantity that the score is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// A class: its logit. A contrast: the difference of two logits. A group: logsumexp of its
    /// logits minus logsumexp of the others, the logarithm of its odds.
    #[default]
    Logit,
    /// The logarithm of the class' or the group's probability; of a contrast, the difference of two
    /// of them, which is that of the logits.
    LogProbability,
}

impl Quantity {
    /// The quantities by id.
    pub const CHOICES: [&'static str; 2] = ["logit", "log_probability"];

    /// Reads a request's `output`; absent, the logit.
    ///
    /// # Errors
    /// [`Error::BadOption`] naming the choices.
    pub fn parse(value: Option<&Value>) -> Result<Self> {
        match value {
            None | Some(Value::Null) => Ok(Self::Logit),
            Some(value) => match value.as_str() {
                Some("logit") => Ok(Self::Logit),
                Some("log_probability") => Ok(Self::LogProbability),
                _ => {
                    let choices = Self::CHOICES.join(", ");
                    Err(Error::BadOption(format!("output must be one of {choices}; got {}", quote(value))))
                }
            },
        }
    }

    /// Its id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Logit => "logit",
            Self::LogProbability => "log_probability",
        }
    }
}

/// The score that is explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The question: which class, contrast or group.
    pub question: Question,
    /// The quantity that the score is made of.
    pub quantity: Quantity,
}

impl Target {
    /// Reads a request's `target`: a class index, `{ contrast: [a, b] }`, `{ group: [..] }`, or
    /// `null` for the top class.
    ///
    /// # Errors
    /// [`Error::BadOption`] where it names no class below `logits.len()`, a class twice, or every
    /// class.
    pub fn parse(value: Option<&Value>, quantity: Quantity, logits: &[f32]) -> Result<Self> {
        let count = logits.len();
        let bad = |what: String| {
            Error::BadOption(format!(
                "target: {what}; give a class index from 0 to {}, {{ contrast: [a, b] }} or {{ group: [a, ...] }}",
                count.saturating_sub(1)
            ))
        };
        let class = |value: &Value| {
            // Numbers come from JavaScript, where 3 and 3.0 are one.
            let index = value.as_f64().filter(|k| k.fract() == 0.0 && (0.0..count as f64).contains(k));
            index.map(|k| k as usize).ok_or_else(|| bad(format!("{} is not a class of this model", quote(value))))
        };
        let classes = |value: &Value| {
            let list = value.as_array().filter(|list| list.len() <= count);
            list.ok_or_else(|| bad(format!("{} is not a list of classes", quote(value))))?
                .iter()
                .map(class)
                .collect::<Result<Vec<_>>>()
        };
        let question = match value {
            None | Some(Value::Null) => {
                Question::Class(top(logits, 1).first().copied().ok_or_else(|| bad("the model has no classes".into()))?)
            }
            Some(Value::Object(fields)) => match (fields.len(), fields.get("contrast"), fields.get("group")) {
                (1, Some(pair), None) => match classes(pair)?.as_slice() {
                    &[a, b] if a != b => Question::Contrast(a, b),
                    _ => return Err(bad(format!("a contrast needs two different classes, got {}", quote(pair)))),
                },
                (1, None, Some(list)) => {
                    let mut group = classes(list)?;
                    group.sort_unstable();
                    group.dedup();
                    if group.is_empty() || group.len() == count {
                        return Err(bad(format!(
                            "a group needs at least one class and must leave one out, got {}",
                            quote(list)
                        )));
                    }
                    Question::Group(group)
                }
                _ => return Err(bad("an object must have exactly one field, contrast or group".into())),
            },
            Some(value) => Question::Class(class(value)?),
        };
        Ok(Self { question, quantity })
    }

    /// `[N, K] -> [N]`
    pub fn score(&self, logits: Tensor<2>) -> Tensor<1> {
        let [n, count] = logits.dims();
        let logits = match self.quantity {
            Quantity::Logit => logits,
            Quantity::LogProbability => log_softmax(logits, 1),
        };
        let class = |k: usize| logits.clone().narrow(1, k, 1).reshape([n]);
        match &self.question {
            Question::Class(k) => class(*k),
            Question::Contrast(a, b) => class(*a) - class(*b),
            Question::Group(group) => {
                let sum = |part: Vec<usize>| {
                    let part = Tensor::cat(part.into_iter().map(|k| logits.clone().narrow(1, k, 1)).collect(), 1);
                    let max = part.clone().detach().max_dim(1);
                    ((part - max.clone()).exp().sum_dim(1).log() + max).reshape([n])
                };
                match self.quantity {
                    Quantity::Logit => sum(group.clone()) - sum((0..count).filter(|k| !group.contains(k)).collect()),
                    Quantity::LogProbability => sum(group.clone()),
                }
            }
        }
    }

    /// d score / d logits at each row, `[N, K] -> [N, K]`.
    pub fn gradient(&self, logits: Tensor<2>) -> Tensor<2> {
        let logits = logits.autodiff().require_grad();
        let gradients = self.score(logits.clone()).sum().backward();
        logits.grad(&gradients).unwrap_or_else(|| logits.inner().zeros_like())
    }

    /// The score of one row of logits, in f64.
    pub fn score_of(&self, logits: &[f32]) -> f64 {
        let logit = |k: usize| logits.get(k).copied().map_or(f64::NAN, f64::from);
        let sum = |inside: &dyn Fn(&usize) -> bool| {
            let part: Vec<f64> = (0..logits.len()).filter(inside).map(logit).collect();
            let max = part.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            part.iter().map(|l| (l - max).exp()).sum::<f64>().ln() + max
        };
        let all = |_: &usize| true;
        match (&self.question, self.quantity) {
            (Question::Class(k), Quantity::Logit) => logit(*k),
            (Question::Class(k), Quantity::LogProbability) => logit(*k) - sum(&all),
            (Question::Contrast(a, b), _) => logit(*a) - logit(*b),
            (Question::Group(group), Quantity::Logit) => sum(&|k| group.contains(k)) - sum(&|k| !group.contains(k)),
            (Question::Group(group), Quantity::LogProbability) => sum(&|k| group.contains(k)) - sum(&all),
        }
    }

    /// In the form that results report.
    pub fn to_json(&self) -> Value {
        match &self.question {
            Question::Class(k) => json!(k),
            Question::Contrast(a, b) => json!({ "contrast": [a, b] }),
            Question::Group(group) => json!({ "group": group }),
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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    const LOGITS: [f32; 4] = [1.0, 3.0, -2.0, 0.5];

    fn target(value: Value, quantity: Quantity) -> Result<Target> {
        Target::parse(Some(&value), quantity, &LOGITS)
    }

    #[test]
    fn scores_follow_their_definitions_on_both_sides() {
        let e = LOGITS.map(|l| f64::from(l).exp());
        let all: f64 = e.iter().sum();
        for (value, quantity, expected) in [
            (json!(1), Quantity::Logit, 3.0),
            (json!(1.0), Quantity::LogProbability, (e[1] / all).ln()),
            (json!({ "contrast": [0, 2] }), Quantity::Logit, 3.0),
            (json!({ "contrast": [0, 2] }), Quantity::LogProbability, 3.0),
            (json!({ "group": [0, 3] }), Quantity::Logit, ((e[0] + e[3]) / (e[1] + e[2])).ln()),
            (json!({ "group": [3, 0, 3] }), Quantity::LogProbability, ((e[0] + e[3]) / all).ln()),
        ] {
            let target = target(value, quantity).unwrap();
            assert!((target.score_of(&LOGITS) - expected).abs() < 1e-6, "{target:?}");
            let logits = Tensor::<2>::from_data(TensorData::new(LOGITS.to_vec(), [1, 4]), &Device::flex());
            let score: f32 = target.score(logits).into_scalar();
            assert!((f64::from(score) - expected).abs() < 1e-5, "{target:?}");
        }
        assert_eq!(Target::parse(None, Quantity::Logit, &LOGITS).unwrap().to_json(), json!(1));
    }

    #[test]
    fn targets_that_make_no_sense_are_refused() {
        for value in [
            json!(4),
            json!(-1),
            json!(1.5),
            json!("1"),
            json!([1]),
            json!({}),
            json!({ "class": 1 }),
            json!({ "contrast": [1] }),
            json!({ "contrast": [1, 1] }),
            json!({ "contrast": [1, 9] }),
            json!({ "contrast": 1 }),
            json!({ "group": [] }),
            json!({ "group": [0, 1, 2, 3] }),
            json!({ "group": [0], "contrast": [0, 1] }),
        ] {
            let error = target(value.clone(), Quantity::Logit).unwrap_err();
            assert!(matches!(&error, Error::BadOption(m) if m.starts_with("target:")), "{value}");
        }
        assert!(Quantity::parse(Some(&json!("probability"))).is_err());
    }
}
