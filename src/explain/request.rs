//! What a request asks about.

use serde_json::{Map, Value};

use crate::error::{Error, Result, quote};
use crate::explain::Explainer;
use crate::methods::spec::{MethodSpec, Reads};
use crate::nn::model::Layer;
use crate::nn::target::Quantity;

/// What a request asks about: its `target` and `output`.
#[derive(Default)]
pub(crate) struct ScoreRequest {
    pub target: Option<Value>,
    pub quantity: Quantity,
}

impl ScoreRequest {
    pub(crate) fn take(request: &mut Map<String, Value>) -> Result<Self> {
        let target = request.remove("target");
        Ok(Self { target, quantity: Quantity::parse(request.remove("output").as_ref())? })
    }
}

impl Explainer {
    /// The layer with this name.
    pub(crate) fn layer(&self, asked: &Value) -> Result<Layer> {
        match asked.as_str() {
            Some(id) => self.spec().layer(id).cloned(),
            None => Err(Error::BadOption(format!("layer: {} is not the name of a layer", quote(asked)))),
        }
    }

    /// The layers that a request means.
    pub(crate) fn layers(&self, method: &MethodSpec, asked: Option<Value>) -> Result<Vec<Layer>> {
        match (method.reads, asked.filter(|asked| !asked.is_null())) {
            (Reads::Input, None) => Ok(Vec::new()),
            (Reads::Input, Some(_)) => {
                Err(Error::BadOption(format!("layer: {} does not read a layer; leave it out", method.id)))
            }
            (_, None) => Ok(vec![self.spec().layer(&self.spec().default_layer)?.clone()]),
            (Reads::Layers, Some(Value::String(all))) if all == "all" => Ok(self.spec().layers.clone()),
            (Reads::Layers, Some(Value::Array(ids))) if !ids.is_empty() && ids.len() <= self.spec().layers.len() => {
                let mut layers = ids.iter().map(|id| self.layer(id)).collect::<Result<Vec<_>>>()?;
                layers.sort_by_key(|layer| self.spec().layers.iter().position(|l| l.id == layer.id));
                layers.dedup_by(|a, b| a.id == b.id);
                Ok(layers)
            }
            (_, Some(asked)) => Ok(vec![self.layer(&asked)?]),
        }
    }
}
