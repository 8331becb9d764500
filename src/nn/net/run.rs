//! A net with its weights, and the way through it.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;
use sightline_kernels::Act;

use crate::error::Result;
use crate::nn::layers::{Conv2d, LayerNorm, Linear, take_batch_norm};
use crate::nn::model::{Model, ModelSpec};
use crate::nn::net::{Op, PlaceOp};
use crate::nn::pass::{Activation, Pass, Tappable};
use crate::nn::weights::Weights;

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

pub(super) struct Net {
    spec: ModelSpec,
    stages: Vec<Vec<Node>>,
}

impl Net {
    /// Takes the tensors of every stage.
    pub(super) fn load(spec: ModelSpec, stages: &[Vec<Op>], weights: &mut Weights) -> Result<Self> {
        let stages = stages.iter().map(|stage| load(stage, weights)).collect::<Result<_>>()?;
        Ok(Self { spec, stages })
    }
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
