//! Layer-wise relevance propagation as the backward pass of other rules.
//!
//! Under [`Composite`] every operation still computes its plain value, but what its backward pass
//! hands on is relevance itself, not a gradient. The way to write it: the value, outside the graph,
//! plus a term that is 0 and whose derivative is the rule. With u = x - x.detach(), a linear part s
//! of x (1 + u), x outside the graph, and z = s.detach(), the term (s - z) / z hands x_i sum_j w_ij
//! R_j / z_j to input i.

use std::cell::Cell;

use burn::tensor::Tensor;
use sightline_kernels::Act;

use crate::device;
use crate::nn::layers::{Conv2d, Linear, Pool};
use crate::nn::pass::Rules;

/// Added to the magnitude of every denominator but those of dense layers, as zennit 0.5.1.
const STABILISER: f64 = 1e-6;

/// The rules that zennit 0.5.1 calls `EpsilonPlusFlat`, and without the flat first layer
/// `EpsilonPlus`.
#[derive(Debug)]
pub struct Composite {
    epsilon: f64,
    /// Whether the next layer with weights is the first, and its rule is flat.
    flat: Cell<bool>,
}

impl Composite {
    /// For one pass. `epsilon`: added to the magnitude of the denominators of dense layers; `flat`:
    /// the first layer spreads its relevance evenly over what it sees.
    pub fn new(epsilon: f64, flat: bool) -> Self {
        Self { epsilon, flat: Cell::new(flat) }
    }
}

/// Zeros whose derivative by `x` is the identity.
fn live<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    x.clone() - x.clone().detach()
}

/// x outside the graph, times ones whose derivative by `x` is the identity.
fn weighed<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    x.clone().detach() * (live(x) + 1.0)
}

/// `z` moved away from 0 by `by`.
fn stabilised<const D: usize>(z: Tensor<D>, by: f64) -> Tensor<D> {
    let negative = z.clone().lower_elem(0.0);
    (z.clone() + by).mask_where(negative, z - by)
}

/// `value`, with relevance shared out as `parts` of their own value.
fn shared<const D: usize>(value: Tensor<D>, parts: Tensor<D>) -> Tensor<D> {
    let whole = parts.clone().detach();
    value.detach() + (parts - whole.clone()) / stabilised(whole, STABILISER)
}

/// [`shared`] where the value is the parts' own: zennit's `Norm`.
fn normed<const D: usize>(parts: Tensor<D>) -> Tensor<D> {
    shared(parts.clone(), parts)
}

/// A convolution of the same geometry.
fn convolution(layer: &Conv2d, weight: Tensor<4>, bias: Option<Tensor<1>>, x: Tensor<4>) -> Tensor<4> {
    Conv2d::new(layer.spec.clone(), weight, bias).forward(x)
}

impl Rules for Composite {
    /// z+ with inputs of either sign (alpha 1, beta 0): parts max(x, 0) max(w, 0) + min(x, 0)
    /// min(w, 0), and max(bias, 0) in the denominator. First: parts of 1 each.
    fn conv2d(&self, layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        let value = layer.forward(x.clone().detach());
        if self.flat.take() {
            return shared(value, convolution(layer, layer.weight.ones_like(), None, live(&x) + 1.0));
        }
        let ones = live(&x) + 1.0;
        let x = x.detach();
        let (more, less) = (x.clone().clamp_min(0.0) * ones.clone(), x.clamp_max(0.0) * ones);
        let bias = layer.bias.clone().map(|bias| bias.clamp_min(0.0));
        let weight = &layer.weight;
        let parts = convolution(layer, weight.clone().clamp_min(0.0), bias, more)
            + convolution(layer, weight.clone().clamp_max(0.0), None, less);
        shared(value, parts)
    }

    /// Epsilon: parts x w, the value in the denominator. First: parts of 1 each.
    fn linear(&self, layer: &Linear, x: Tensor<3>) -> Tensor<3> {
        if self.flat.take() {
            let value = layer.forward(x.clone().detach());
            return shared(value, Linear::new(layer.weight.ones_like(), None).forward(live(&x) + 1.0));
        }
        let parts = Linear::new(layer.weight.clone(), None).forward(weighed(&x));
        let whole = parts.clone().detach();
        let value = match &layer.bias {
            Some(bias) => whole.clone() + bias.clone().unsqueeze(),
            None => whole.clone(),
        };
        value.clone() + (parts - whole) / stabilised(value, self.epsilon)
    }

    /// All of it passes.
    fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        device::act(x.clone().detach(), act) + live(&x)
    }

    fn avg_pool(&self, pool: &Pool, x: Tensor<4>) -> Tensor<4> {
        normed(pool.avg(weighed(&x)))
    }

    fn global_avg_pool(&self, x: Tensor<4>) -> Tensor<2> {
        normed(crate::nn::pass::Plain.global_avg_pool(weighed(&x)))
    }

    fn adaptive_avg_pool(&self, size: [usize; 2], x: Tensor<4>) -> Tensor<4> {
        normed(crate::nn::pass::Plain.adaptive_avg_pool(size, weighed(&x)))
    }

    fn sum(&self, first: Tensor<4>, rest: Vec<Tensor<4>>) -> Tensor<4> {
        normed(rest.iter().fold(weighed(&first), |sum, part| sum + weighed(part)))
    }

    /// All of it passes, as through zennit's batch norms.
    fn affine(&self, x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
        y.detach() + live(&x)
    }
}
