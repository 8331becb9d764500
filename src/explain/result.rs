//! What an explainer returns.

use serde::Serialize;
use serde_json::Value;

use crate::ask::control::Passes;
use crate::ask::warning::Warning;
use crate::error::Result;
use crate::methods::context::Context;
use crate::methods::output::{Completeness, LayerMap, Space};
use crate::nn::pass::Activation;
use crate::photo::preprocess::Crop;

/// A class and the model's confidence in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Class index.
    pub index: usize,
    /// Class name.
    pub label: String,
    /// Logit.
    pub logit: f32,
    /// Softmax over all classes, at the package's temperature.
    pub probability: f32,
}

/// A model's predictions for an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Classification {
    /// The most likely classes, best first.
    pub predictions: Vec<Prediction>,
    /// All K.
    #[serde(skip)]
    pub logits: Vec<f32>,
    /// The part of the photo that the model saw; `None` for a tensor.
    pub crop: Option<Crop>,
    /// The passes it took.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
}

/// Raw signed scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// Method id.
    pub method: &'static str,
    /// What is explained.
    pub target: Value,
    /// The score's quantity: `logit` or `log_probability`.
    pub output: &'static str,
    /// The layer that was read, if it was a single one.
    pub layer: Option<String>,
    /// If several layers were read, the map of each.
    pub layers: Vec<LayerMap>,
    /// Row-major, finite.
    #[serde(skip)]
    pub values: Vec<f32>,
    pub shape: Vec<usize>,
    /// Where they live.
    pub space: Space,
    pub score: f64,
    /// For methods with that axiom.
    pub completeness: Option<Completeness>,
    /// Further findings; the method's documentation describes them.
    pub details: Option<Value>,
    /// The part of the photo that the model saw; `None` for a tensor.
    pub crop: Option<Crop>,
    /// The passes it took, including the prediction if that was not there yet.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
}

/// A model's raw numbers for one input.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tensors {
    /// The layer; `None` for the input.
    pub layer: Option<String>,
    /// Row-major.
    #[serde(skip)]
    pub values: Vec<f32>,
    /// The layer's shape as listed, or `[C, H, W]`.
    pub shape: Vec<usize>,
    /// For gradients: what was differentiated.
    #[serde(flatten)]
    pub of: Option<Differentiated>,
    /// The part of the photo that the model saw; `None` for a tensor.
    pub crop: Option<Crop>,
    /// The passes it took, including the prediction if that was not there yet.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
}

/// The score that was differentiated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differentiated {
    /// The target.
    pub target: Value,
    /// The score's quantity: `logit` or `log_probability`.
    pub output: &'static str,
    /// Its value.
    pub score: f64,
}

impl Context<'_> {
    /// Reads a state `[1, ..]` of the request's layer or of the input.
    pub(crate) async fn tensors(&self, state: Activation, of: Option<Differentiated>) -> Result<Tensors> {
        let shape = state.shape().split_off(1);
        let values = match state {
            Activation::Map(x) => self.read(x).await?,
            Activation::Tokens(x) => self.read(x).await?,
            Activation::Logits(x) => self.read(x).await?,
        };
        self.run.check()?;
        Ok(Tensors {
            layer: self.layers.first().map(|layer| layer.id.clone()),
            values,
            shape,
            of,
            crop: self.predicted.crop,
            passes: self.run.passes.get(),
            elapsed_ms: self.run.elapsed(),
        })
    }
}
