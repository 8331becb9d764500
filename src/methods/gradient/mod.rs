//! Gradients at the input, and their means.

pub mod guided_backprop;
pub mod guided_grad_cam;
pub mod input_x_gradient;
pub mod noisy;
pub mod saliency;
pub mod smooth_grad;
pub mod smooth_grad_sq;
pub mod var_grad;

use crate::methods::{ChannelReduction, Group, MethodSpec, Space};

/// Defaults for the SPEC of a gradient method.
pub const GRADIENT: MethodSpec =
    MethodSpec { channels: ChannelReduction::MaxAbs, ..MethodSpec::base(Group::Gradient, Space::Input, "[C, H, W]") };
