//! Stacks of inverted residual blocks, as timm's EfficientNet builder makes them: what MobileNetV2, MobileNetV3 and EfficientNet share.

use crate::error::Result;
use crate::layers::{Act, Conv2dSpec, Padding, bad_model};
use crate::net::{Op, residual};
use crate::package::Args;

/// A stack of equal blocks; the first may stride.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    /// Number of blocks.
    pub repeats: usize,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the first block.
    pub stride: usize,
    /// Width inside a block, as a multiple of its input; 1 for a block without expansion (depthwise separable).
    pub expansion: f64,
    /// Output channels.
    pub channels: usize,
    /// Activation.
    pub act: Act,
}

/// What the convolutions of a net have in common.
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
    /// Takes `pad_type`, `output_stride` and `bn_eps`.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) naming the argument.
    pub fn take(args: &mut Args, padding: Padding, epsilon: f64) -> Result<Self> {
        let padding = match args.string("pad_type")?.as_deref() {
            None => padding,
            Some("") => Padding::Symmetric,
            Some("same") => Padding::Same,
            Some(other) => {
                return bad_model(format!("config.json: pad_type {other:?} is neither \"\" nor \"same\""));
            }
        };
        let output_stride = args.integer("output_stride", 32, 2..=32)?;
        Ok(Self { padding, epsilon: args.number("bn_eps", epsilon, 1e-12..=1.0)?, output_stride })
    }

    /// A convolution of the net, named, with its norm.
    pub fn conv(&self, name: String, norm: String, inputs: usize, outputs: usize, kernel: usize) -> Conv2dSpec {
        Conv2dSpec::new(name, inputs, outputs, kernel).norm(norm, self.epsilon).padding(Some(self.padding))
    }
}

/// Channels scaled and rounded to a multiple of 8, never below 90 % (timm's `round_channels`).
pub fn rounded(channels: usize, multiplier: f64) -> usize {
    let scaled = channels as f64 * multiplier;
    let nearest = ((scaled + 4.0) as usize / 8 * 8).max(8);
    if (nearest as f64) < 0.9 * scaled { nearest + 8 } else { nearest }
}

/// The stages `blocks.<stack>.<block>`, one per block, after a stem of stride 2 with `inputs` channels; and the channels that come out. The last block of a stack is also
/// tapped as `blocks.<stack>`.
pub fn stages(stacks: &[Stack], mut inputs: usize, common: &Common) -> (Vec<(String, Vec<Op>)>, usize) {
    let mut stages = Vec::new();
    let (mut current_stride, mut dilation) = (2, 1);
    for (i, stack) in stacks.iter().enumerate() {
        for repeat in 0..stack.repeats {
            let mut stride = if repeat == 0 { stack.stride } else { 1 };
            let mut next_dilation = dilation;
            if stride > 1 {
                if current_stride * stride > common.output_stride {
                    next_dilation = dilation * stride;
                    stride = 1;
                } else {
                    current_stride *= stride;
                }
            }
            let name = format!("blocks.{i}.{repeat}");
            let mut ops = block(&name, stack, inputs, stride, dilation, common);
            if repeat + 1 == stack.repeats {
                ops.push(Op::Tap(format!("blocks.{i}")));
            }
            stages.push((name, ops));
            inputs = stack.channels;
            dilation = next_dilation;
        }
    }
    (stages, inputs)
}

fn block(name: &str, stack: &Stack, inputs: usize, stride: usize, dilation: usize, common: &Common) -> Vec<Op> {
    let at = |leaf: &str| format!("{name}.{leaf}");
    let middle = rounded_middle(inputs, stack.expansion);
    let expands = stack.expansion != 1.0;
    // Without expansion the norms are numbered from the depthwise convolution on.
    let [dw_norm, project, project_norm] = if expands { ["bn2", "conv_pwl", "bn3"] } else { ["bn1", "conv_pw", "bn2"] };
    let mut ops = Vec::new();
    if expands {
        ops.extend([Op::Conv(common.conv(at("conv_pw"), at("bn1"), inputs, middle, 1)), Op::Act(stack.act)]);
    }
    let depthwise = common.conv(at("conv_dw"), at(dw_norm), middle, middle, stack.kernel);
    ops.extend([Op::Conv(depthwise.stride(stride).dilation(dilation).groups(middle)), Op::Act(stack.act)]);
    ops.push(Op::Conv(common.conv(at(project), at(project_norm), middle, stack.channels, 1)));
    if stride == 1 && inputs == stack.channels {
        ops = vec![residual(ops, vec![])];
    }
    ops.push(Op::Tap(name.to_owned()));
    ops
}

/// Channels inside a block.
fn rounded_middle(inputs: usize, expansion: f64) -> usize {
    if expansion == 1.0 { inputs } else { rounded(inputs, expansion) }
}
