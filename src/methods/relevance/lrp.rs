//! Layer-wise relevance propagation. Bach et al. 2015, DOI 10.1371/journal.pone.0130140; the z+
//! rule: Montavon et al. 2017, arXiv 1512.02479, equation 12; the flat rule: Lapuschkin et al.
//! 2019, arXiv 1902.10178; rules by layer: Montavon et al. 2019, DOI 10.1007/978-3-030-28954-6_10.
//!
//! The score is handed back from each unit j to its inputs i in shares, R_i = sum_j (z_ij / z_j)
//! R_j, by the composite `EpsilonPlusFlat` of zennit 0.5.1:
//! * first layer, flat: every input in the window has the same share (padding has none);
//! * convolutions, z+: z_ij = max(x_i, 0) max(w_ij, 0) + min(x_i, 0) min(w_ij, 0), z_j = sum_i z_ij
//!   + max(b_j, 0), batch norms merged first;
//! * dense layers, epsilon: z_ij = x_i w_ij, z_j = sum_i z_ij + b_j, its magnitude plus `epsilon`;
//! * residual sums and means, the same with z_ij = x_i and x_i / n; max pooling: all to the
//!   largest; activations, and batch norms that no convolution precedes (DenseNet's): all of it
//!   passes. Every denominator but the dense layers' has 1e-6 added to its magnitude.
//!
//! The seed is logit * d score / d logit at every logit, so that for a logit it is the score. What
//! biases take is lost: sum(R) is the score only where there are none.
//!
//! Output `[C, H, W]`, signed; under the flat rule the channels are equal. Families: convolutional
//! nets without gates and layer norms (AlexNet, DenseNet, EfficientNet-Lite, both Inceptions,
//! MobileNetV2, the minimal MobileNetV3, ResNet without SE, SqueezeNet, VGG).
//!
//! zennit has this composite for the modules it knows: residual sums and means written as functions
//! it differentiates (which loses relevance) unless a canoniser turns them into modules; there is
//! one for torchvision's VGG and ResNet. Its callers mostly seed with 1 in place of the logit,
//! which scales the map and, for a negative logit, turns its sign.

use burn::tensor::Tensor;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::relevance::RELEVANCE;
use crate::methods::relevance::rules::Composite;
use crate::methods::{Kind, MethodSpec, OptionSpec, Output};
use crate::nn::pass::Pass;

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "lrp",
    name: "LRP",
    summary: "How is the score divided when every unit passes its share back to its inputs?",
    caveat: "The map follows from the chosen rules, not from the model's function alone: another composite gives \
             another map, and the z+ rule hardly tells classes apart.",
    citation: "Bach et al. 2015",
    arxiv: "10.1371/journal.pone.0130140",
    equation: "R_i = sum_j z_ij / z_j R_j, from R = logit * d score / d logit",
    cost: "1 forward and 1 backward pass, each two to three times as long as a plain one",
    options: &[EPSILON, COMPOSITE],
    ..RELEVANCE
};

/// The stabiliser of dense layers.
pub const EPSILON: OptionSpec = OptionSpec {
    id: "epsilon",
    kind: Kind::Number { default: 1e-6, min: 1e-12, max: 1.0 },
    unit: None,
    help: "added to the magnitude of the denominators in dense layers",
};

/// Which rules.
pub const COMPOSITE: OptionSpec = OptionSpec {
    id: "composite",
    kind: Kind::Choice { default: "epsilon_plus_flat", choices: &["epsilon_plus_flat", "epsilon_plus"] },
    unit: None,
    help: "the set of rules: with the flat rule or the z+ rule at the first layer",
};

/// Computes the relevance.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    Ok(Output::new(relevance(context).await?, context.spec().input_size))
}

/// The relevance `[C, H, W]` by the options [`EPSILON`] and [`COMPOSITE`].
///
/// # Errors
/// Those of the model and the device.
pub async fn relevance(context: &Context<'_>) -> Result<Vec<f32>> {
    let options = context.options();
    let rules = Composite::new(options.number("epsilon")?, options.choice("composite")? == "epsilon_plus_flat");
    let mut pass = Pass::new().with_rules(&rules);
    let seed = |logits: Tensor<2>| context.target().gradient(logits.clone()) * logits;
    context.read(context.pull_back(context.upload(context.input()), &mut pass, seed)?).await
}
