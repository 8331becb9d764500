//! Stacks of inverted residual blocks, as timm's EfficientNet builder makes them: what MobileNetV2,
//! MobileNetV3 and EfficientNet share.

use sightline_kernels::Act;

use crate::error::{Result, bad_model, quote};
use crate::nn::layers::{Conv2dSpec, Padding};
use crate::nn::net::{Op, multiple_of_8, residual, squeeze_excite};
use crate::package::Args;

/// A run of equal blocks; the first may stride.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Number of blocks.
    pub repeats: usize,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the first block.
    pub stride: usize,
    /// Width inside a block, as a multiple of its input; 1 for a block without expansion (depthwise
    /// separable).
    pub expansion: f64,
    /// Output channels.
    pub channels: usize,
    /// Activation.
    pub act: Act,
    /// Squeeze and excitation (Hu et al. 2017, arXiv 1709.01507).
    pub squeeze: Option<Squeeze>,
}

/// How a block weights its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Squeeze {
    /// EfficientNet: to a quarter of the block's input; the block's activation, sigmoid.
    OfInput,
    /// MobileNetV3: to a quarter of the expanded width, rounded; ReLU, hard sigmoid.
    OfMiddle,
}

/// Scales the depth of a stack: the total is rounded up and shared out from the last run to the
/// first in proportion, at least one block each (timm's `_scale_stage_depth`).
pub fn deepen(stack: &mut [Run], depth: f64) {
    let mut left: usize = stack.iter().map(|run| run.repeats).sum();
    let mut scaled = (left as f64 * depth).ceil() as usize;
    for run in stack.iter_mut().rev() {
        let share = run.repeats as f64 / left as f64 * scaled as f64;
        left -= run.repeats;
        run.repeats = (share.round_ties_even() as usize).max(1);
        scaled = scaled.saturating_sub(run.repeats);
    }
}

/// What the convolutions of a network have in common.
#[derive(Debug, Clone, Copy)]
pub struct Common {
    /// Padding rule.
    pub padding: Padding,
    /// Epsilon of the batch norms.
    pub epsilon: f64,
    /// Beyond this, a stride becomes a dilation of the blocks after it.
    pub output_stride: usize,
}

impl Common {
    /// Takes `pad_type` and `bn_eps`; `tensorflow` says which defaults they have. Strides stay
    /// strides.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) naming the argument.
    pub fn take(args: &mut Args, tensorflow: bool) -> Result<Self> {
        let (padding, epsilon) = if tensorflow { (Padding::Same, 1e-3) } else { (Padding::Symmetric, 1e-5) };
        let padding = match args.string("pad_type")?.as_deref() {
            None => padding,
            Some("") => Padding::Symmetric,
            Some("same") => Padding::Same,
            Some(other) => {
                return bad_model(format!("config.json: pad_type must be \"\" or \"same\"; got \"{}\"", quote(other)));
            }
        };
        args.read_null_as("bn_eps", 1e-5);
        Ok(Self { padding, epsilon: args.number("bn_eps", epsilon, 1e-12..=1.0)?, output_stride: 32 })
    }

    /// Takes `output_stride`, which MobileNetV3 does not have.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) naming the argument.
    pub fn take_output_stride(mut self, args: &mut Args) -> Result<Self> {
        self.output_stride = args.integer("output_stride", self.output_stride, 2..=32)?;
        Ok(self)
    }

    /// A convolution of the net, named, with its norm.
    pub fn conv(&self, name: String, norm: String, inputs: usize, outputs: usize, kernel: usize) -> Conv2dSpec {
        Conv2dSpec::new(name, inputs, outputs, kernel).norm(norm, self.epsilon).padding(Some(self.padding))
    }
}

/// Channels scaled and rounded to a multiple of 8, never below 90 % (timm's `round_channels`).
pub fn rounded(channels: usize, multiplier: f64) -> usize {
    divisible(channels as f64 * multiplier)
}

/// The nearest multiple of 8 that is not below 90 %.
fn divisible(channels: f64) -> usize {
    multiple_of_8(channels, 0.9)
}

/// The stages `blocks.<stack>.<block>`, one per block, after a stem of stride 2 with `inputs`
/// channels; and the channels that come out. The last block of a stack is also tapped as
/// `blocks.<stack>`.
pub fn stages(stacks: &[Vec<Run>], mut inputs: usize, common: &Common) -> (Vec<(String, Vec<Op>)>, usize) {
    let mut stages = Vec::new();
    let (mut current_stride, mut dilation) = (2, 1);
    for (i, stack) in stacks.iter().enumerate() {
        let mut block = 0;
        for run in stack {
            for repeat in 0..run.repeats {
                let mut stride = if repeat == 0 { run.stride } else { 1 };
                let mut next_dilation = dilation;
                if stride > 1 {
                    if current_stride * stride > common.output_stride {
                        next_dilation = dilation * stride;
                        stride = 1;
                    } else {
                        current_stride *= stride;
                    }
                }
                let name = format!("blocks.{i}.{block}");
                stages.push((name.clone(), block_ops(&name, run, inputs, stride, dilation, common)));
                inputs = run.channels;
                dilation = next_dilation;
                block += 1;
            }
        }
        if let Some((_, last)) = stages.last_mut() {
            last.push(Op::Tap(format!("blocks.{i}")));
        }
    }
    (stages, inputs)
}

fn block_ops(name: &str, run: &Run, inputs: usize, stride: usize, dilation: usize, common: &Common) -> Vec<Op> {
    let at = |leaf: &str| format!("{name}.{leaf}");
    let expands = run.expansion != 1.0;
    let middle = if expands { divisible(inputs as f64 * run.expansion) } else { inputs };
    // Without expansion the norms are numbered from the depthwise convolution on.
    let [dw_norm, project, project_norm] = if expands { ["bn2", "conv_pwl", "bn3"] } else { ["bn1", "conv_pw", "bn2"] };
    let mut ops = Vec::new();
    if expands {
        ops.extend([Op::Conv(common.conv(at("conv_pw"), at("bn1"), inputs, middle, 1)), Op::Act(run.act)]);
    }
    let depthwise = common.conv(at("conv_dw"), at(dw_norm), middle, middle, run.kernel);
    ops.extend([Op::Conv(depthwise.stride(stride).dilation(dilation).groups(middle)), Op::Act(run.act)]);
    if let Some(squeeze) = run.squeeze {
        let (reduced, act, gate) = match squeeze {
            Squeeze::OfInput => ((inputs as f64 * 0.25).round_ties_even() as usize, run.act, Act::Sigmoid),
            Squeeze::OfMiddle => (divisible(middle as f64 * 0.25), Act::Relu, Act::HardSigmoid),
        };
        ops.push(squeeze_excite(["se.conv_reduce", "se.conv_expand"].map(at), middle, reduced, [act, gate]));
    }
    ops.push(Op::Conv(common.conv(at(project), at(project_norm), middle, run.channels, 1)));
    if stride == 1 && inputs == run.channels {
        ops = vec![residual(ops, vec![])];
    }
    ops.push(Op::Tap(name.to_owned()));
    ops
}
