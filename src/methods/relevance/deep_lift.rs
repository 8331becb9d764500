//! DeepLIFT, rescale rule. Shrikumar et al. 2017, arXiv 1704.02685, equations 3 and 5 and section
//! 3.5.2; as captum 0.9.0 computes it.
//!
//! Every activation hands back the multiplier (f(a) - f(a')) / (a - a'), a' its input for the
//! baseline; linear layers their weights; attribution = (x - x') * multiplier at the input. Max
//! pooling, as captum: of the output's difference o - o', the rise to max(o, o') above o' belongs
//! to the input that wins for x and the fall from it to o to the one that wins for x', each divided
//! by its own difference. Where |a - a'| is under 1e-10 the derivative stands for the multiplier;
//! for smooth activations already under 1e-3, where the quotient's rounding would be the larger
//! error.
//!
//! So sum(attribution) = F(x) - F(x') but for rounding, max pooling included. A score that is not
//! linear in the logits (a group, a log-probability; captum explains logits alone) starts from its
//! mean gradient on the straight line between the two rows of logits, which has that property too.
//!
//! Output `[C, H, W]`, signed, with the completeness residual. Families: convolutional nets without
//! gates and layer norms (AlexNet, DenseNet, EfficientNet-Lite, both Inceptions, MobileNetV2, the
//! minimal MobileNetV3, ResNet without SE, SqueezeNet, VGG): a product of two activations has no
//! rescale rule.
//!
//! captum differentiates what it has no rule for, products and ReLU6 among them, which breaks
//! completeness. So do two faults of its pooling rule that ours does not share: directly behind a
//! ReLU its hooks miss the rule and the plain gradient passes (`pooling: "gradient"` does the
//! same), and where windows overlap only one window's share stays (`max_unpool2d` overwrites).

use std::cell::RefCell;
use std::collections::VecDeque;

use burn::tensor::{Tensor, TensorData};
use sightline_kernels::Act;

use crate::device;
use crate::error::{Error, Result};
use crate::math::quadrature::Rule;
use crate::methods::Context;
use crate::methods::relevance::RELEVANCE;
use crate::methods::{BASELINE, BLUR_SIGMA, Completeness, Kind, MethodSpec, OptionSpec, Output, SEED};
use crate::nn::layers::Pool;
use crate::nn::model::Feature;
use crate::nn::pass::{Pass, Plain, Rules, Tappable};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "deep_lift",
    name: "DeepLIFT",
    summary: "How much of the score difference from a baseline image does each pixel account for, traced unit by unit?",
    caveat: "The answer is relative to the baseline, and two networks that compute the same function can get different \
             maps.",
    citation: "Shrikumar et al. 2017",
    arxiv: "1704.02685",
    equation: "(x - x') * product of weights and of (f(a) - f(a')) / (a - a')",
    cost: "2 forward passes and 1 backward pass",
    options: &[
        BASELINE,
        BLUR_SIGMA,
        SEED,
        OptionSpec {
            id: "pooling",
            kind: Kind::Choice { default: "rescale", choices: &["rescale", "gradient"] },
            unit: None,
            help: "what max pooling passes back: shares that add up, or the plain gradient, as captum does after a \
                   ReLU",
        },
    ],
    ..RELEVANCE
};

/// What fed every operation that is not linear, in the order of the pass.
type Inputs = RefCell<VecDeque<Tensor<4>>>;

/// The plain computation, noting what feeds every operation that is not linear.
#[derive(Default)]
struct BaselinePass(Inputs);

impl Rules for BaselinePass {
    fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        self.0.borrow_mut().push_back(x.clone());
        Plain.act(act, x)
    }
    fn max_pool(&self, pool: &Pool, x: Tensor<4>) -> Tensor<4> {
        self.0.borrow_mut().push_back(x.clone());
        Plain.max_pool(pool, x)
    }
}

/// The rescale rule against what [`BaselinePass`] noted.
struct Rescale {
    inputs: Inputs,
    /// Whether max pooling has a rule, or its gradient.
    pooling: bool,
}

impl Rescale {
    /// (x outside the graph, x', zeros whose derivative by x is the identity).
    fn next(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let here = x.clone().detach();
        // An operation that the baseline's pass did not meet would have no difference.
        let there = self.inputs.borrow_mut().pop_front().map_or_else(|| here.clone(), Tensor::autodiff);
        let live = x - here.clone();
        (here, there, live)
    }
}

/// Zeros whose derivative is that of `y`.
fn slope(y: Tensor<4>) -> Tensor<4> {
    y.clone() - y.detach()
}

impl Rules for Rescale {
    fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        let derivative = slope(device::act(x.clone(), act));
        let (here, there, live) = self.next(x);
        let value = device::act(here.clone(), act);
        let difference = here - there.clone();
        let threshold = if Feature::of(act) == Feature::Rectifier { 1e-10 } else { 1e-3 };
        let near = difference.clone().abs().lower_elem(threshold);
        let multiplier = (value.clone() - device::act(there, act)) / difference.mask_fill(near.clone(), 1.0);
        value + (live * multiplier).mask_where(near, derivative)
    }

    fn max_pool(&self, pool: &Pool, x: Tensor<4>) -> Tensor<4> {
        let (here, there, live) = self.next(x.clone());
        if !self.pooling {
            return pool.max(x);
        }
        let (value, reference) = (pool.max(here.clone()), pool.max(there.clone()));
        let difference = here.clone() - there.clone();
        let near = difference.clone().abs().lower_elem(1e-10);
        let divided = (live.clone() / difference.mask_fill(near.clone(), 1.0)).mask_fill(near.clone(), 0.0);
        let top = value.clone().max_pair(reference.clone());
        // The winners are found by the values, what they hand back goes to the live zeros added to
        // them.
        let rise = slope(pool.max(here.clone() + divided.clone())) * (top.clone() - reference);
        let fall = slope(pool.max(there + divided)) * (value.clone() - top);
        let same = slope(pool.max(here + live.mask_fill(near.bool_not(), 0.0)));
        value + rise + fall + same
    }
}

/// Points on the line between two rows of logits; a difference of many logits makes log-sum-exp
/// bend sharply.
const POINTS: usize = 256;

/// Computes the attribution.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let references = context.references().await?;
    let reference = references.first().ok_or_else(|| Error::Internal("there is no baseline".into()))?;
    let target = context.target();
    let (x, origin) = (context.upload(context.input()), context.upload(reference));
    let noted = BaselinePass::default();
    let baseline_logits = context.resume(0, origin.clone().wrap(), &mut Pass::new().with_rules(&noted))?;
    let rescale = Rescale { inputs: noted.0, pooling: context.options().choice("pooling")? == "rescale" };
    let multipliers = context.pull_back(x.clone(), &mut Pass::new().with_rules(&rescale), |logits| {
        let nodes = Rule::GaussLegendre.nodes(POINTS);
        let column = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [POINTS, 1]), context.device());
        let at = column(nodes.iter().map(|(a, _)| *a as f32).collect());
        let weights = column(nodes.iter().map(|(_, w)| *w as f32).collect());
        let line = baseline_logits.clone() + (logits - baseline_logits.clone()) * at;
        (target.gradient(line) * weights).sum_dim(0)
    })?;
    if !rescale.inputs.borrow().is_empty() {
        return Err(Error::Internal("the two passes did not meet the same operations".into()));
    }
    let values = context.read(multipliers * (x - origin)).await?;
    let baseline_score = target.score_of(&context.read(baseline_logits).await?);
    let score = context.score();
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    let completeness = Some(Completeness { baseline_score, score, sum, delta: sum - (score - baseline_score) });
    Ok(Output { completeness, ..Output::new(values, context.spec().input_size) })
}
