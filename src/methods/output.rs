//! What a method computes.

use serde::Serialize;
use serde_json::Value;

use crate::ask::warning::Warning;

/// Where an attribution lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// On a layer's grid.
    Layer,
    /// On the input's pixels.
    Input,
}

/// One layer's map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerMap {
    /// The layer.
    pub id: String,
    /// `[h, w]`
    pub shape: [usize; 2],
    /// Row-major, raw.
    #[serde(skip)]
    pub values: Vec<f32>,
}

/// What a method computes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// Row-major.
    pub values: Vec<f32>,
    pub shape: Vec<usize>,
    /// For methods with that axiom.
    pub completeness: Option<Completeness>,
    /// If several layers were requested, the map of each.
    pub layers: Vec<LayerMap>,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
    /// Further findings; the method's documentation describes them.
    pub details: Option<Value>,
}

impl Output {
    /// A map and nothing else.
    pub fn new(values: Vec<f32>, shape: impl Into<Vec<usize>>) -> Self {
        Self { values, shape: shape.into(), ..Self::default() }
    }
}

/// How well an attribution adds up to the score difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completeness {
    /// F(x')
    pub baseline_score: f64,
    /// F(x)
    pub score: f64,
    /// Sum of the attribution.
    pub sum: f64,
    /// sum - (F(x) - F(x')).
    pub delta: f64,
}
