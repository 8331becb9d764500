//! Convolutional nets as data.
//!
//! A family's file says what its nets are made of: a list of stages, each a list of [`Op`]s under
//! timm's or torchvision's names. What follows from that is here, once: shapes, costs, tensors
//! needed, loading, and running through the [`Pass`].

mod plan;
mod run;

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::layers::{Conv2dSpec, LayerNormSpec, LinearSpec, Pool};
use crate::nn::weights::Param;
use crate::package::Config;

pub use plan::{NetPlan, plan};

/// An operation on maps `[N, C, H, W]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Convolution, with its batch norm folded in.
    Conv(Conv2dSpec),
    /// A batch norm that no convolution precedes.
    BatchNorm {
        name: String,
        /// C
        channels: usize,
        /// Epsilon under the root.
        epsilon: f64,
    },
    /// Elementwise.
    Act(Act),
    /// Maximum in windows.
    MaxPool(Pool),
    /// Mean in windows.
    AvgPool(Pool),
    /// Mean over space, to `[N, C, 1, 1]`.
    GlobalAvgPool,
    /// Means over a grid of this many rows and columns, as in PyTorch's `AdaptiveAvgPool2d`.
    AdaptiveAvgPool([usize; 2]),
    /// Multiplication by a number.
    Times(f64),
    /// Padding by this many rows and columns on each side, mirrored at the edge.
    ReflectPad(usize),
    /// To `[N, C H W, 1, 1]`, channels slowest.
    Flatten,
    /// Operations on the vector of channels at each place.
    Places(Vec<PlaceOp>),
    /// Multiplication by the output of these, `[N, C, 1, 1]` or of the same shape: squeeze and
    /// excitation.
    Gate(Vec<Op>),
    /// The sum of the outputs of these; an empty list is the identity.
    Sum(Vec<Vec<Op>>),
    /// The outputs of these, concatenated along C; an empty list is the identity.
    Concat(Vec<Vec<Op>>),
    /// A named point that methods can read.
    Tap(String),
}

/// An operation on the vectors `[N, H W, C]` at all places.
#[derive(Debug, Clone, PartialEq)]
pub enum PlaceOp {
    /// Layer norm.
    LayerNorm(LayerNormSpec),
    /// Linear layer.
    Linear(LinearSpec),
    /// Elementwise.
    Act(Act),
    /// Global response normalisation (Woo et al. 2023, arXiv 2301.00808, section 3.2): name and
    /// width.
    ResponseNorm(String, usize),
    /// Multiplication by a vector `[C]`: layer scale.
    Scale(Param),
}

/// `x + residual(x)`, or with a shortcut that is not the identity.
pub fn residual(main: Vec<Op>, shortcut: Vec<Op>) -> Op {
    Op::Sum(vec![main, shortcut])
}

/// A convolution and an activation.
pub fn conv_act(conv: Conv2dSpec, act: Act) -> [Op; 2] {
    [Op::Conv(conv), Op::Act(act)]
}

/// The multiple of 8 nearest to `channels`, at least 8; the next where less than the share `least`
/// would be left (timm's `make_divisible`).
pub fn multiple_of_8(channels: f64, least: f64) -> usize {
    let nearest = ((channels + 4.0) as usize / 8 * 8).max(8);
    if (nearest as f64) < least * channels { nearest + 8 } else { nearest }
}

/// Squeeze and excitation (Hu et al. 2017, arXiv 1709.01507): `channels` scaled by a gate from
/// their means over space, through `squeezed` channels. `names` and `acts` are those of its two 1 x
/// 1 convolutions.
pub fn squeeze_excite(names: [String; 2], channels: usize, squeezed: usize, acts: [Act; 2]) -> Op {
    let conv = |name, inputs, outputs| Op::Conv(Conv2dSpec::new(name, inputs, outputs, 1).bias(true));
    let ([reduce, expand], [act, gate]) = (names, acts);
    let (reduce, expand) = (conv(reduce, channels, squeezed), conv(expand, squeezed, channels));
    Op::Gate(vec![Op::GlobalAvgPool, reduce, Op::Act(act), expand, Op::Act(gate)])
}

/// Mean over space and a linear layer.
pub fn classifier(name: &str, inputs: usize, num_classes: usize) -> Vec<Op> {
    vec![Op::GlobalAvgPool, linear(name, inputs, num_classes)]
}

/// A linear layer with a bias, on the channels.
pub fn linear(name: &str, inputs: usize, outputs: usize) -> Op {
    Op::Places(vec![PlaceOp::Linear(LinearSpec { name: name.into(), inputs, outputs, bias: true })])
}

/// Renames tensors and taps; a tap without a new name is removed.
pub fn rename(ops: Vec<Op>, tensors: &dyn Fn(&str) -> String, taps: &dyn Fn(&str) -> Option<String>) -> Vec<Op> {
    let all = |branches: Vec<Vec<Op>>| branches.into_iter().map(|ops| rename(ops, tensors, taps)).collect();
    ops.into_iter()
        .filter_map(|op| {
            Some(match op {
                Op::Conv(mut spec) => {
                    spec.name = tensors(&spec.name);
                    spec.batch_norm = spec.batch_norm.map(|(name, epsilon)| (tensors(&name), epsilon));
                    Op::Conv(spec)
                }
                Op::BatchNorm { name, channels, epsilon } => Op::BatchNorm { name: tensors(&name), channels, epsilon },
                Op::Places(ops) => Op::Places(ops.into_iter().map(|op| rename_place(op, tensors)).collect()),
                Op::Gate(ops) => Op::Gate(rename(ops, tensors, taps)),
                Op::Sum(branches) => Op::Sum(all(branches)),
                Op::Concat(branches) => Op::Concat(all(branches)),
                Op::Tap(id) => Op::Tap(taps(&id)?),
                other => other,
            })
        })
        .collect()
}

fn rename_place(op: PlaceOp, tensors: &dyn Fn(&str) -> String) -> PlaceOp {
    match op {
        PlaceOp::LayerNorm(spec) => PlaceOp::LayerNorm(LayerNormSpec { name: tensors(&spec.name), ..spec }),
        PlaceOp::Linear(spec) => PlaceOp::Linear(LinearSpec { name: tensors(&spec.name), ..spec }),
        PlaceOp::ResponseNorm(name, width) => PlaceOp::ResponseNorm(tensors(&name), width),
        PlaceOp::Scale(param) => PlaceOp::Scale(Param { name: tensors(&param.name), ..param }),
        PlaceOp::Act(act) => PlaceOp::Act(act),
    }
}

/// The name of the input channels' argument and their number, which both the config and the input
/// size give.
///
/// # Errors
/// [`Error::BadModel`](crate::Error::BadModel) where they differ.
pub fn input_channels(config: &Config, args: &mut crate::package::Args) -> Result<usize> {
    let [channels, ..] = config.preprocess.input_size;
    let asked = args.integer("in_chans", channels, 1..=3)?;
    if asked == channels {
        return Ok(channels);
    }
    bad_model(format!("config.json: in_chans is {asked}, but input_size has {channels} channels"))
}
