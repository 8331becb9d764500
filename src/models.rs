//! What a model is, and the registry of model families.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::layers::Param;
use crate::package::{Config, Weights};
use crate::pass::{Activation, Pass};

/// A part of a model that can be resumed: a single tensor goes in, a single tensor comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// A readable name.
    pub name: String,
    /// Multiply-accumulates for one input.
    pub macs: f64,
}

/// How an activation folds to a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// `[N, channels, h, w]` already is one.
    Map {
        /// C
        channels: usize,
        /// Grid height.
        h: usize,
        /// Grid width.
        w: usize,
    },
    /// `[N, prefix + h w, width]`: drop the prefix tokens (class, registers), the rest are the grid's rows.
    Tokens {
        /// Class and register tokens in front.
        prefix: usize,
        /// Grid height.
        h: usize,
        /// Grid width.
        w: usize,
        /// D
        width: usize,
    },
}

impl Fold {
    /// The activation's shape without N.
    pub fn shape(&self) -> Vec<usize> {
        match *self {
            Self::Map { channels, h, w } => vec![channels, h, w],
            Self::Tokens { prefix, h, w, width } => vec![prefix + h * w, width],
        }
    }

    /// Folds an activation, or its gradient, to `[N, C, h, w]`.
    ///
    /// # Errors
    /// [`Error::Internal`] where the activation is not of this kind.
    pub fn grid(&self, activation: Activation) -> Result<Tensor<4>> {
        match (*self, activation) {
            (Self::Map { .. }, Activation::Map(x)) => Ok(x),
            (Self::Tokens { prefix, h, w, .. }, Activation::Tokens(x)) => {
                let [n, tokens, width] = x.dims();
                let patches = x.narrow(1, prefix, tokens - prefix);
                Ok(patches.swap_dims(1, 2).reshape([n, width, h, w]))
            }
            (fold, other) => {
                Err(Error::Internal(format!("{fold:?} cannot fold an activation of shape {:?}", other.shape())))
            }
        }
    }
}

/// A layer that methods can read.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// timm's module name.
    pub id: String,
    /// The stage that computes it.
    pub stage: usize,
    /// How it folds to a grid.
    pub fold: Fold,
}

/// What the explainer needs to know of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpec {
    /// The architecture's name as the package gives it.
    pub architecture: String,
    /// Input shape `[C, H, W]`.
    pub input_size: [usize; 3],
    /// K
    pub num_classes: usize,
    /// In order.
    pub stages: Vec<Stage>,
    /// From shallow to deep.
    pub layers: Vec<Layer>,
    /// The layer that CAM methods read unless told otherwise.
    pub default_layer: String,
}

impl ModelSpec {
    /// Multiply-accumulates of a range of stages as a share of the whole forward pass.
    pub fn share(&self, stages: Range<usize>) -> f64 {
        let sum = |stages: &[Stage]| stages.iter().map(|s| s.macs).sum::<f64>();
        let total = sum(&self.stages);
        let part = self.stages.get(stages).map_or(total, sum);
        if total > 0.0 { part / total } else { 1.0 }
    }

    /// The layer of that name.
    ///
    /// # Errors
    /// [`Error::BadOption`] naming the layers that exist.
    pub fn layer(&self, id: &str) -> Result<&Layer> {
        self.layers.iter().find(|l| l.id == id).ok_or_else(|| {
            let known: Vec<&str> = self.layers.iter().map(|l| l.id.as_str()).collect();
            Error::BadOption(format!(
                "layer: {} has no layer {id:?}; choose one of {}",
                self.architecture,
                known.join(", ")
            ))
        })
    }
}

/// A classifier in stages.
pub trait Model {
    /// Its description.
    fn spec(&self) -> &ModelSpec;

    /// Runs a range of stages on the state at the first one's boundary: images `[N, C, H, W]` before stage 0, logits `[N, K]` after
    /// the last.
    ///
    /// # Errors
    /// [`Error::Internal`] where the state does not fit the stage; those of the pass.
    fn run(&self, stages: Range<usize>, state: Activation, pass: &mut Pass) -> Result<Activation>;
}

/// A model that is fully described and has no weights yet.
pub trait Plan {
    /// Its description.
    fn spec(&self) -> &ModelSpec;
    /// Every tensor that it needs.
    fn params(&self) -> Vec<Param>;
    /// Takes its tensors; they are all there and have the planned shapes.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a missing or misshaped tensor.
    fn build(&self, weights: &mut Weights) -> Result<Box<dyn Model>>;
}

/// A family of architectures.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Family {
    /// snake_case, as the file.
    pub id: &'static str,
    /// As people write it.
    pub title: &'static str,
    /// Patterns of the architecture names, for people.
    pub names: &'static [&'static str],
    /// The default layer of CAM methods, in words.
    pub default_layer: &'static str,
    /// What its results are compared with.
    pub checked_against: &'static str,
    /// Whether an architecture's name belongs to this family.
    #[serde(skip)]
    pub owns: fn(&str) -> bool,
    /// Describes the model that a package's config asks for.
    #[serde(skip)]
    pub plan: fn(&Config) -> Result<Box<dyn Plan>>,
}

macro_rules! models {
    ($($family:ident),* $(,)?) => {
        $(pub mod $family;)*
        /// Every model family.
        pub static FAMILIES: &[Family] = &[$($family::FAMILY),*];
    };
}

// One line per family.
models! {
    mobilenet_v2,
    vit,
}

/// The plan for a package.
///
/// # Errors
/// [`Error::UnsupportedArchitecture`] where no family owns the name; [`Error::BadModel`] where the config contradicts itself.
pub fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let Some(family) = FAMILIES.iter().find(|f| (f.owns)(&config.architecture)) else {
        let known: Vec<&str> = FAMILIES.iter().flat_map(|f| f.names).copied().collect();
        return Err(Error::UnsupportedArchitecture(format!(
            "architecture {:?} is not supported; supported are {}",
            config.architecture,
            known.join(", ")
        )));
    };
    (family.plan)(config)
}
