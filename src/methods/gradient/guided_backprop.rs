//! Guided backpropagation. Springenberg et al. 2014, arXiv 1412.6806, section 3.4. Deconvolution:
//! Zeiler and Fergus 2013, arXiv 1311.2901.
//!
//! The gradient with another backward pass through ReLUs: of a gradient g at a unit with input a,
//! `guided` passes g [a > 0] [g > 0] and `deconvolution` g [g > 0]. Through ReLU6 `guided` passes g
//! [0 < a < 6] [g > 0]. Every ReLU follows the rule, those inside gates too; a gate's own sigmoid
//! has its plain derivative. One forward and one backward pass; the score is unchanged.
//!
//! Output `[C, H, W]`, signed. The same as captum's `GuidedBackprop` and `Deconvolution` on nets of
//! ReLUs; captum hooks `nn.ReLU` alone, so that on nets of ReLU6 it returns the plain gradient. For
//! other activation functions the rule is not defined: unsupported.

use burn::tensor::Tensor;
use sightline_kernels::Act;

use crate::device::{self, positive_gradient};
use crate::error::Result;
use crate::methods::Context;
use crate::methods::gradient::GRADIENT;
use crate::methods::{Kind, MethodSpec, Need, OptionSpec, Output};
use crate::nn::pass::{Pass, Rules};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "guided_backprop",
    name: "Guided backpropagation",
    summary: "Which fine structures activate the units that support the score?",
    caveat: "It mostly redraws the image's edges, whatever the class: the map is sharp but explains little.",
    citation: "Springenberg et al. 2014",
    arxiv: "1412.6806",
    equation: "d score / dx with g [a > 0] [g > 0] passed through every ReLU",
    cost: "1 forward and 1 backward pass",
    needs: &[Need::Gradients, Need::Rectifiers],
    options: &[OptionSpec {
        id: "rule",
        kind: Kind::Choice { default: "guided", choices: &["guided", "deconvolution"] },
        unit: None,
        help: "what a ReLU passes back: positive gradients of its active units only, or all positive gradients",
    }],
    ..GRADIENT
};

/// What ReLU and ReLU6 pass back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rectified {
    /// Positive gradients where the unit follows its input.
    Guided,
    /// Positive gradients.
    Deconvolution,
}

impl Rules for Rectified {
    fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        let y = device::act(x.clone().detach(), act);
        let flat = match act {
            Act::Relu => y.clone().lower_equal_elem(0.0),
            Act::Relu6 => y.clone().lower_equal_elem(0.0).bool_or(y.clone().greater_equal_elem(6.0)),
            _ => return device::act(x, act),
        };
        let source = match self {
            Self::Guided => x.mask_fill(flat, 0.0),
            Self::Deconvolution => x,
        };
        positive_gradient(source, y)
    }
}

/// The gradient at the input by a rule, `[1, C, H, W]`.
///
/// # Errors
/// Those of the model.
pub fn gradient(context: &Context<'_>, rule: Rectified) -> Result<Tensor<4>> {
    context.input_gradient_by(context.upload(context.input()), &mut Pass::new().with_rules(&rule))
}

/// Computes the attribution.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let rule = match context.options().choice("rule")? {
        "deconvolution" => Rectified::Deconvolution,
        _ => Rectified::Guided,
    };
    Ok(Output::new(context.read(gradient(context, rule)?).await?, context.spec().input_size))
}
