//! Convolutional nets as data.
//!
//! A family's file says what its nets are made of: a list of stages, each a list of [`Op`]s under
//! timm's or torchvision's names. What follows from that is here, once: shapes, costs, tensors
//! needed, loading, and running through the [`Pass`].

use std::collections::BTreeSet;
use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;
use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::layers::{
    Conv2d, Conv2dSpec, LayerNorm, LayerNormSpec, Linear, LinearSpec, Pool, batch_norm_params, take_batch_norm,
};
use crate::nn::model::{Feature, Fold, Layer, Model, ModelSpec, Plan, Stage};
use crate::nn::pass::{Activation, Pass, Tappable};
use crate::nn::weights::Param;
use crate::nn::weights::Weights;
use crate::package::Config;

/// An operation on maps `[N, C, H, W]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Convolution, with its batch norm folded in.
    Conv(Conv2dSpec),
    /// A batch norm that no convolution precedes.
    BatchNorm {
        /// Name.
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

/// What a shape goes through.
#[derive(Default)]
struct Trace {
    macs: f64,
    taps: Vec<(String, [usize; 3])>,
    features: BTreeSet<Feature>,
}

fn trace(ops: &[Op], mut shape: [usize; 3], to: &mut Trace) -> Result<[usize; 3]> {
    for op in ops {
        let [c, h, w] = shape;
        shape = match op {
            Op::Conv(spec) => {
                let [h, w] = spec.output([h, w]);
                to.macs += spec.macs(h, w);
                expect(c, spec.inputs, &spec.name)?;
                [spec.outputs, h, w]
            }
            Op::BatchNorm { name, channels, .. } => {
                expect(c, *channels, name)?;
                shape
            }
            Op::Act(act) => {
                to.features.insert(Feature::of(*act));
                shape
            }
            Op::Times(_) => shape,
            Op::MaxPool(pool) | Op::AvgPool(pool) => [c, pool.output(h), pool.output(w)],
            Op::GlobalAvgPool => [c, 1, 1],
            Op::AdaptiveAvgPool([h, w]) => [c, *h, *w],
            Op::ReflectPad(by) if *by < h.min(w) => [c, h + 2 * by, w + 2 * by],
            Op::ReflectPad(_) => [c, 0, 0],
            Op::Flatten => [c * h * w, 1, 1],
            Op::Places(ops) => {
                let mut width = c;
                for op in ops {
                    match op {
                        PlaceOp::Linear(spec) => {
                            expect(width, spec.inputs, &spec.name)?;
                            to.macs += spec.macs() * (h * w) as f64;
                            width = spec.outputs;
                        }
                        PlaceOp::Act(act) => drop(to.features.insert(Feature::of(*act))),
                        PlaceOp::LayerNorm(_) => drop(to.features.insert(Feature::LayerNorm)),
                        PlaceOp::ResponseNorm(..) => drop(to.features.insert(Feature::Gate)),
                        PlaceOp::Scale(_) => (),
                    }
                }
                [width, h, w]
            }
            Op::Gate(ops) => {
                let outside = to.features.clone();
                trace(ops, shape, to)?;
                // What is inside a gate is only a gate's.
                to.features = outside;
                to.features.insert(Feature::Gate);
                shape
            }
            Op::Sum(branches) => {
                let mut out = None;
                for branch in branches {
                    let made = trace(branch, shape, to)?;
                    if *out.get_or_insert(made) != made {
                        return bad_model("config.json: the branches of this architecture do not match each other");
                    }
                }
                out.unwrap_or(shape)
            }
            Op::Concat(branches) => {
                let mut out: Option<[usize; 3]> = None;
                for branch in branches {
                    let [more, h, w] = trace(branch, shape, to)?;
                    match &mut out {
                        Some([channels, height, width]) if [*height, *width] == [h, w] => *channels += more,
                        Some(_) => {
                            return bad_model("config.json: the branches of this architecture do not match each other");
                        }
                        None => out = Some([more, h, w]),
                    }
                }
                out.unwrap_or(shape)
            }
            Op::Tap(id) => {
                to.taps.push((id.clone(), shape));
                shape
            }
        };
        if shape.contains(&0) {
            return bad_model("config.json: input_size is too small for this architecture");
        }
    }
    Ok(shape)
}

fn expect(has: usize, wants: usize, name: &str) -> Result<()> {
    if has == wants { Ok(()) } else { bad_model(format!("config.json: {name} takes {wants} channels, but gets {has}")) }
}

fn params(ops: &[Op], to: &mut Vec<Param>) {
    for op in ops {
        match op {
            Op::Conv(spec) => to.extend(spec.params()),
            Op::BatchNorm { name, channels, .. } => to.extend(batch_norm_params(name, *channels)),
            Op::Places(ops) => {
                for op in ops {
                    match op {
                        PlaceOp::LayerNorm(spec) => to.extend(spec.params()),
                        PlaceOp::Linear(spec) => to.extend(spec.params()),
                        PlaceOp::ResponseNorm(name, width) => {
                            to.extend(["weight", "bias"].map(|leaf| Param::new(name, leaf, &[*width])));
                        }
                        PlaceOp::Scale(param) => to.push(param.clone()),
                        PlaceOp::Act(_) => (),
                    }
                }
            }
            Op::Gate(ops) => params(ops, to),
            Op::Sum(branches) | Op::Concat(branches) => branches.iter().for_each(|branch| params(branch, to)),
            Op::Act(_)
            | Op::Times(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::GlobalAvgPool
            | Op::AdaptiveAvgPool(_)
            | Op::ReflectPad(_)
            | Op::Flatten
            | Op::Tap(_) => (),
        }
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

/// A planned net.
#[derive(Debug, Clone)]
pub struct NetPlan {
    spec: ModelSpec,
    stages: Vec<Vec<Op>>,
    training_only: &'static [&'static str],
}

/// Plans the net whose stages are named lists of operations, the last of which ends in `[N, K, 1,
/// 1]`. Every tap on a grid of more than one place becomes a layer. What a stage has from its first
/// tap on is left to the next, whose boundary then is the very tensor that is tapped: a method that
/// reads it runs nothing before it again.
///
/// # Errors
/// [`Error::BadModel`](crate::Error::BadModel) where the input is too small or widths contradict
/// each other.
pub fn plan(
    config: &Config,
    default_layer: impl Into<String>,
    stages: Vec<(String, Vec<Op>)>,
) -> Result<Box<dyn Plan>> {
    Ok(Box::new(NetPlan::new(config, default_layer, stages)?))
}

impl NetPlan {
    /// [`plan`], unboxed.
    ///
    /// # Errors
    /// Those of [`plan`].
    pub fn new(config: &Config, default_layer: impl Into<String>, stages: Vec<(String, Vec<Op>)>) -> Result<Self> {
        let mut shape = config.preprocess.input_size;
        let mut spec = ModelSpec {
            architecture: config.architecture.clone(),
            input_size: shape,
            num_classes: config.num_classes,
            stages: Vec::new(),
            layers: Vec::new(),
            default_layer: default_layer.into(),
            features: BTreeSet::new(),
            attention: None,
        };
        let mut ops = Vec::new();
        let last = stages.len().saturating_sub(1);
        let mut left = Vec::new();
        for (index, (name, mut own)) in stages.into_iter().enumerate() {
            let tapped = own.iter().position(|op| matches!(op, Op::Tap(_))).filter(|_| index < last);
            let rest = own.split_off(tapped.unwrap_or(own.len()));
            let stage = [std::mem::replace(&mut left, rest), own].concat();
            let mut seen = Trace::default();
            shape = trace(&stage, shape, &mut seen)?;
            spec.stages.push(Stage { name, macs: seen.macs });
            spec.features.extend(seen.features);
            for (id, [channels, h, w]) in seen.taps {
                spec.layers.push(Layer { id, stage: index, fold: Fold::Map { channels, h, w } });
            }
            ops.push(stage);
        }
        if shape != [config.num_classes, 1, 1] {
            return bad_model(format!(
                "config.json: this architecture's output has shape {shape:?}, which does not match {} classes",
                config.num_classes
            ));
        }
        Ok(Self { spec, stages: ops, training_only: &[] })
    }

    /// Reads past tensors whose names begin so: heads that only training uses.
    #[must_use]
    pub fn without(mut self, training_only: &'static [&'static str]) -> Self {
        self.training_only = training_only;
        self
    }
}

impl Plan for NetPlan {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn params(&self) -> Vec<Param> {
        let mut all = Vec::new();
        self.stages.iter().for_each(|stage| params(stage, &mut all));
        all
    }

    fn ignores(&self, name: &str) -> bool {
        self.training_only.iter().any(|prefix| name.starts_with(prefix))
    }

    fn build(&self, weights: &mut Weights) -> Result<Box<dyn Model>> {
        let stages = self.stages.iter().map(|stage| load(stage, weights)).collect::<Result<_>>()?;
        Ok(Box::new(Net { spec: self.spec.clone(), stages }))
    }
}

/// An [`Op`] with its weights.
enum Node {
    Conv(Box<Conv2d>),
    /// Times the first, plus the second.
    Affine(Box<[Tensor<4>; 2]>),
    Places(Vec<PlaceNode>),
    Gate(Vec<Node>),
    Sum(Vec<Vec<Node>>),
    Concat(Vec<Vec<Node>>),
    Plain(Op),
}

enum PlaceNode {
    LayerNorm(LayerNorm),
    Linear(Linear),
    Act(Act),
    ResponseNorm { weight: Tensor<3>, bias: Tensor<3> },
    Scale(Tensor<3>),
}

fn load(ops: &[Op], weights: &mut Weights) -> Result<Vec<Node>> {
    ops.iter()
        .map(|op| {
            Ok(match op {
                Op::Conv(spec) => Node::Conv(Box::new(spec.load(weights)?)),
                Op::BatchNorm { name, channels, epsilon } => {
                    let (scale, mean, beta) = take_batch_norm(name, *channels, *epsilon, weights)?;
                    let shift = beta - mean * scale.clone();
                    let shape = [1, *channels, 1, 1];
                    Node::Affine(Box::new([scale, shift].map(|vector| vector.reshape(shape))))
                }
                Op::Places(ops) => Node::Places(ops.iter().map(|op| load_place(op, weights)).collect::<Result<_>>()?),
                Op::Gate(ops) => Node::Gate(load(ops, weights)?),
                Op::Sum(branches) => Node::Sum(branches.iter().map(|b| load(b, weights)).collect::<Result<_>>()?),
                Op::Concat(branches) => Node::Concat(branches.iter().map(|b| load(b, weights)).collect::<Result<_>>()?),
                plain => Node::Plain(plain.clone()),
            })
        })
        .collect()
}

fn load_place(op: &PlaceOp, weights: &mut Weights) -> Result<PlaceNode> {
    let mut vector = |name: &str, width: usize| weights.take::<1>(name, [width]).map(|v| v.reshape([1, 1, width]));
    Ok(match op {
        PlaceOp::LayerNorm(spec) => PlaceNode::LayerNorm(spec.load(weights)?),
        PlaceOp::Linear(spec) => PlaceNode::Linear(spec.load(weights)?),
        PlaceOp::Act(act) => PlaceNode::Act(*act),
        PlaceOp::ResponseNorm(name, width) => PlaceNode::ResponseNorm {
            weight: vector(&format!("{name}.weight"), *width)?,
            bias: vector(&format!("{name}.bias"), *width)?,
        },
        PlaceOp::Scale(param) => PlaceNode::Scale(vector(&param.name, param.shape.iter().product())?),
    })
}

struct Net {
    spec: ModelSpec,
    stages: Vec<Vec<Node>>,
}

fn run(nodes: &[Node], mut x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<4>> {
    let mut left = nodes.iter();
    while let Some(node) = left.next() {
        x = match node {
            Node::Conv(conv) => match left.as_slice() {
                [Node::Plain(Op::Act(act)), ..] => {
                    left.next();
                    pass.conv2d_act(conv, *act, x)
                }
                _ => pass.conv2d(conv, x),
            },
            Node::Affine(affine) => {
                let [scale, shift] = affine.as_ref();
                pass.affine(x.clone(), x * scale.clone() + shift.clone())
            }
            Node::Places(ops) => {
                let [n, c, h, w] = x.dims();
                let mut places = x.reshape([n, c, h * w]).swap_dims(1, 2);
                let mut left = ops.iter();
                while let Some(op) = left.next() {
                    places = match (op, left.as_slice()) {
                        (PlaceNode::Linear(linear), [PlaceNode::Act(act), ..]) => {
                            left.next();
                            pass.linear_act(linear, *act, places)
                        }
                        _ => run_place(op, places, pass),
                    };
                }
                let [_, _, c] = places.dims();
                places.swap_dims(1, 2).reshape([n, c, h, w])
            }
            Node::Gate(ops) => {
                let gate = run(ops, x.clone(), pass)?;
                x * gate
            }
            Node::Sum(branches) => {
                let mut parts = branches.iter().map(|b| run(b, x.clone(), pass)).collect::<Result<Vec<_>>>()?;
                let rest = parts.split_off(parts.len().min(1));
                match parts.pop() {
                    Some(first) => pass.sum(first, rest),
                    None => x,
                }
            }
            Node::Concat(branches) => {
                let parts = branches.iter().map(|b| run(b, x.clone(), pass)).collect::<Result<Vec<_>>>()?;
                Tensor::cat(parts, 1)
            }
            Node::Plain(op) => run_plain(op, x, pass)?,
        };
    }
    Ok(x)
}

fn run_plain(op: &Op, x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<4>> {
    let [n, c, h, w] = x.dims();
    Ok(match op {
        Op::Act(act) => pass.act(*act, x),
        Op::MaxPool(pool) => pass.max_pool(pool, x),
        Op::AvgPool(pool) => pass.avg_pool(pool, x),
        Op::GlobalAvgPool => pass.global_avg_pool(x).reshape([n, c, 1, 1]),
        Op::AdaptiveAvgPool(size) if [h, w] == *size => x,
        Op::AdaptiveAvgPool(size) => pass.adaptive_avg_pool(*size, x),
        Op::ReflectPad(by) => x.pad((*by, *by, *by, *by), PadMode::Reflect),
        Op::Times(factor) => pass.affine(x.clone(), x * *factor),
        Op::Flatten => x.reshape([n, c * h * w, 1, 1]),
        Op::Tap(id) => pass.tap(id, x)?,
        // Everything with weights has a node of its own.
        _ => x,
    })
}

fn run_place(op: &PlaceNode, x: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
    match op {
        PlaceNode::LayerNorm(norm) => pass.layer_norm(norm, x),
        PlaceNode::Linear(linear) => pass.linear(linear, x),
        PlaceNode::Act(act) => pass.act(*act, x),
        PlaceNode::ResponseNorm { weight, bias } => {
            let length = x.clone().square().sum_dim(1).sqrt();
            let relative = length.clone() / (length.mean_dim(2) + 1e-6);
            x.clone() + x * relative * weight.clone() + bias.clone()
        }
        PlaceNode::Scale(scale) => x * scale.clone(),
    }
}

impl Model for Net {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn run(&self, stages: Range<usize>, mut state: Activation, pass: &mut Pass) -> Result<Activation> {
        for stage in stages {
            let Some(nodes) = self.stages.get(stage) else { break };
            let x = run(nodes, Tappable::unwrap(state)?, pass)?;
            state = if stage + 1 == self.stages.len() {
                let [n, k, _, _] = x.dims();
                x.reshape([n, k]).wrap()
            } else {
                x.wrap()
            };
        }
        Ok(state)
    }
}
