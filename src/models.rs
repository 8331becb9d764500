//! What a model is, and the registry of model families.

use std::collections::BTreeSet;
use std::ops::Range;

use burn::tensor::Tensor;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::layers::{Act, Param};
use crate::package::{Config, Weights};
use crate::pass::{Activation, Pass};

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
    /// `[N, prefix + h w, width]`: drop the prefix tokens (class, registers), the rest are the grid's rows.
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

/// A transformer's attention. Block b's maps `[N, heads, T, T]` (rows are queries and sum to 1) are tapped as
/// `blocks.<b>.attn.attn_drop`, its keys `[N, heads, T, d]` as `blocks.<b>.attn.k`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
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

impl Attention {
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
    pub attention: Option<Attention>,
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
    /// Whether a tensor that it does not need may be in the file and is read past, such as a head that only training uses.
    fn ignores(&self, _name: &str) -> bool {
        false
    }
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
    /// snake_case, like the file.
    pub id: &'static str,
    /// As people write it.
    pub title: &'static str,
    /// The architectures' names, alternatives in braces as in a shell.
    pub names: &'static [&'static str],
    /// The default layer of CAM methods, in words.
    pub default_layer: &'static str,
    /// The libraries that its results are compared with.
    pub checked_against: &'static str,
    /// Describes the model that a package's config asks for.
    #[serde(skip)]
    pub plan: fn(&Config) -> Result<Box<dyn Plan>>,
}

impl Family {
    /// Every architecture's name.
    pub fn architectures(&self) -> Vec<String> {
        self.names.iter().flat_map(|pattern| expand(pattern)).collect()
    }
}

/// `a{b,c}d` as `abd`, `acd`.
fn expand(pattern: &str) -> Vec<String> {
    let parts = pattern.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    let Some((head, (choices, tail))) = parts else { return vec![pattern.to_owned()] };
    let tails = expand(tail);
    choices.split(',').flat_map(|choice| tails.iter().map(move |tail| format!("{head}{choice}{tail}"))).collect()
}

macro_rules! models {
    ($($family:ident),* $(,)?) => {
        $(pub mod $family;)*
        /// Every model family.
        pub static FAMILIES: &[Family] = &[$($family::FAMILY),*];
    };
}

// One line per family; where a file without config.json fits several, the earlier is taken.
models! {
    alexnet,
    convnext,
    densenet,
    efficientnet,
    inception_resnet_v2,
    inception_v3,
    mobilenet_v2,
    mobilenet_v3,
    regnety,
    resnet,
    squeezenet,
    vgg,
    vit,
    deit,
    dinov2,
}

mod inverted_residual;

/// The plan for a package.
///
/// # Errors
/// [`Error::UnsupportedArchitecture`] naming the nearest names where no family has this one; [`Error::BadModel`] where the config
/// contradicts itself.
pub fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let asked = config.architecture.as_str();
    match FAMILIES.iter().find(|f| f.architectures().iter().any(|name| name == asked)) {
        Some(family) => (family.plan)(config),
        None => Err(Error::UnsupportedArchitecture(format!(
            "architecture {asked:?} is not supported; the nearest supported ones are {}",
            nearest(asked).join(", ")
        ))),
    }
}

/// The five supported names that are most like `asked`.
fn nearest(asked: &str) -> Vec<String> {
    // Longer names cannot be like one of ours, and comparing them takes time.
    let asked: String = asked.chars().take(64).collect();
    let mut names: Vec<(f64, String)> = FAMILIES
        .iter()
        .flat_map(Family::architectures)
        .map(|name| (strsim::jaro_winkler(&asked, &name), name))
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    names.into_iter().take(5).map(|(_, name)| name).collect()
}

/// How the stages of a net share its stride out.
pub(crate) struct Strides {
    stride: usize,
    dilation: usize,
    most: usize,
}

/// A stage's convolutions.
pub(crate) struct Step {
    /// Of the first block.
    pub stride: usize,
    /// Of the first block.
    pub first_dilation: usize,
    /// Of the others.
    pub dilation: usize,
}

impl Strides {
    /// After a stem with this stride; at most `output_stride` in total.
    pub fn new(stem: usize, output_stride: usize) -> Self {
        Self { stride: stem, dilation: 1, most: output_stride }
    }

    /// The next stage. Beyond the output stride, a stride becomes a dilation; a stage's first block still has the one before.
    pub fn step(&mut self, stride: usize) -> Step {
        let first_dilation = self.dilation;
        let beyond = self.stride >= self.most;
        *(if beyond { &mut self.dilation } else { &mut self.stride }) *= stride;
        Step { stride: if beyond { 1 } else { stride }, first_dilation, dilation: self.dilation }
    }
}
