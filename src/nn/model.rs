//! What a model is: stages with a single tensor between them, layers that can be read, and the plan
//! that knows both before a byte of the weights is there.

use std::collections::BTreeSet;
use std::ops::Range;

use burn::tensor::Tensor;
use serde::Serialize;
use sightline_kernels::Act;

use crate::error::{Error, Result, quote, quote_list};
use crate::nn::pass::{Activation, Pass};
use crate::nn::weights::{Param, Weights};

/// A part of a model that can be resumed: one tensor goes in, one comes out.
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
    /// `[N, prefix + h w, width]`: drop the prefix tokens (class, registers), the rest are the
    /// grid's rows.
    Tokens {
        /// Class and register tokens before the patches.
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

    /// The grid's rows and columns.
    pub fn grid_shape(&self) -> [usize; 2] {
        match *self {
            Self::Map { h, w, .. } | Self::Tokens { h, w, .. } => [h, w],
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

/// What a model contains, as far as methods depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// ReLU or ReLU6.
    Rectifier,
    /// Another activation function outside gates.
    SmoothActivation,
    /// Factors computed from the activations: squeeze and excitation, response norms.
    Gate,
    /// Layer norm.
    LayerNorm,
    /// Attention between tokens.
    Attention,
}

impl Feature {
    /// That of an activation function.
    pub fn of(act: Act) -> Self {
        match act {
            Act::Relu | Act::Relu6 => Self::Rectifier,
            _ => Self::SmoothActivation,
        }
    }
}

/// A transformer's attention. Block b's maps `[N, heads, T, T]` (rows are queries and sum to 1) are
/// tapped as `blocks.<b>.attn.attn_drop`, its keys `[N, heads, T, d]` as `blocks.<b>.attn.k`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttentionSpec {
    /// Blocks; block b is computed by stage b + 1.
    pub blocks: usize,
    /// Heads of each.
    pub heads: usize,
    /// Tokens before the patches, in order: `class`, `distillation`, `register`.
    pub special: Vec<&'static str>,
    /// Whether the classifier reads the mean of the patches instead of the class token.
    pub averaged: bool,
    /// Patch grid, rows and columns.
    pub grid: [usize; 2],
    /// Side of a patch, input pixels.
    pub patch: usize,
}

impl AttentionSpec {
    /// T
    pub fn tokens(&self) -> usize {
        self.special.len() + self.grid.iter().product::<usize>()
    }

    /// The name under which block `b`'s attention is tapped.
    pub fn maps(b: usize) -> String {
        format!("blocks.{b}.attn.attn_drop")
    }

    /// The name under which block `b`'s keys are tapped.
    pub fn keys(b: usize) -> String {
        format!("blocks.{b}.attn.k")
    }
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
    /// The layer that CAM methods read by default.
    pub default_layer: String,
    /// What it is made of.
    pub features: BTreeSet<Feature>,
    /// Its attention, if it has any.
    pub attention: Option<AttentionSpec>,
}

impl ModelSpec {
    /// Multiply-accumulates of a range of stages as a share of the whole forward pass.
    pub fn share(&self, stages: Range<usize>) -> f64 {
        let sum = |stages: &[Stage]| stages.iter().map(|s| s.macs).sum::<f64>();
        let total = sum(&self.stages);
        let part = self.stages.get(stages).map_or(total, sum);
        if total > 0.0 { part / total } else { 1.0 }
    }

    /// The layer with this name.
    ///
    /// # Errors
    /// [`Error::BadOption`] naming the layers that exist.
    pub fn layer(&self, id: &str) -> Result<&Layer> {
        self.layers.iter().find(|l| l.id == id).ok_or_else(|| {
            Error::BadOption(format!(
                "layer: {} has no layer \"{}\"; choose one of {}",
                self.architecture,
                quote(id),
                quote_list(self.layers.iter().map(|l| &l.id), 600)
            ))
        })
    }
}

/// A classifier in stages.
pub trait Model {
    /// Its description.
    fn spec(&self) -> &ModelSpec;

    /// Runs a range of stages on the state at the first one's boundary: images `[N, C, H, W]`
    /// before stage 0, logits `[N, K]` after the last.
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
    /// Whether a tensor that it does not need may be in the file and is read past, such as a head
    /// that only training uses.
    fn ignores(&self, _name: &str) -> bool {
        false
    }
    /// Takes its tensors; they are all there and have the planned shapes.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a missing or misshaped tensor.
    fn build(&self, weights: &mut Weights) -> Result<Box<dyn Model>>;
}
