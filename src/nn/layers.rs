//! The layers that models are made of, and the names and shapes of their weights in a package.
//!
//! A `*Spec` says what a layer needs before anything is read; `load` takes it from the [`Weights`]
//! and lays it out for the device.

use burn::tensor::Tensor;
use sightline_kernels::Act;

use crate::device::{self, ConvShape, PreparedConv, PreparedLinear};
use crate::error::Result;
use crate::nn::weights::{Param, Weights};

/// How a convolution pads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// `((stride - 1) + dilation (k - 1)) / 2` on every side, as PyTorch's and timm's default.
    Symmetric,
    /// TensorFlow's SAME: the output has ceil(n / stride) pixels; an odd pixel of padding goes at
    /// the end.
    Same,
    /// This padding on each side.
    Fixed(usize),
}

/// Padding (begin, end) of an axis of length `n` for a window whose last element lies `reach` after
/// its first.
fn pads(padding: Option<Padding>, n: usize, stride: usize, reach: usize) -> (usize, usize) {
    match padding {
        None => (0, 0),
        Some(Padding::Fixed(p)) => (p, p),
        Some(Padding::Symmetric) => {
            let p = (stride - 1 + reach) / 2;
            (p, p)
        }
        Some(Padding::Same) => {
            let total = ((n.div_ceil(stride).max(1) - 1) * stride + reach + 1).saturating_sub(n);
            (total / 2, total - total / 2)
        }
    }
}

/// A convolution, optionally followed by a batch norm that is folded into it at load.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dSpec {
    /// The convolution's name.
    pub name: String,
    /// The batch norm's name and epsilon.
    pub batch_norm: Option<(String, f64)>,
    pub inputs: usize,
    pub outputs: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    pub stride: usize,
    pub dilation: usize,
    /// Groups; `inputs` for a depthwise convolution.
    pub groups: usize,
    /// Padding rule; `None` for none.
    pub padding: Option<Padding>,
    /// Whether the convolution has its own bias.
    pub bias: bool,
}

impl Conv2dSpec {
    /// A `kernel` x `kernel` convolution of stride 1 with symmetric padding, without bias and norm.
    pub fn new(name: impl Into<String>, inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self {
            name: name.into(),
            batch_norm: None,
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride: 1,
            dilation: 1,
            groups: 1,
            padding: Some(Padding::Symmetric),
            bias: false,
        }
    }

    /// Adds a batch norm after it.
    #[must_use]
    pub fn norm(mut self, name: impl Into<String>, epsilon: f64) -> Self {
        self.batch_norm = Some((name.into(), epsilon));
        self
    }
    /// Sets the stride.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }
    /// Sets the dilation.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = dilation;
        self
    }
    /// Sets the number of groups.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
    /// Sets the padding rule.
    #[must_use]
    pub fn padding(mut self, padding: Option<Padding>) -> Self {
        self.padding = padding;
        self
    }
    /// Gives it its own bias.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
    /// Sets a kernel that is not square.
    #[must_use]
    pub fn kernel(mut self, kernel: [usize; 2]) -> Self {
        self.kernel = kernel;
        self
    }

    fn weight_shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs / self.groups, self.kernel[0], self.kernel[1]]
    }

    /// The tensors it needs.
    pub fn params(&self) -> Vec<Param> {
        let mut params = vec![Param::new(&self.name, "weight", &self.weight_shape())];
        if self.bias {
            params.push(Param::new(&self.name, "bias", &[self.outputs]));
        }
        if let Some((name, _)) = &self.batch_norm {
            params.extend(batch_norm_params(name, self.outputs));
        }
        params
    }

    /// Padding (begin, end) of `axis` (0 for rows) of length `n`.
    pub fn pads(&self, axis: usize, n: usize) -> (usize, usize) {
        pads(self.padding, n, self.stride, self.dilation * (self.kernel[axis] - 1))
    }

    /// Output height and width for an input of `h` x `w`; 0 if the kernel does not fit.
    pub fn output(&self, size: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| {
            let (begin, end) = self.pads(axis, size[axis]);
            let reach = self.dilation * (self.kernel[axis] - 1) + 1;
            (size[axis] + begin + end).checked_sub(reach).map_or(0, |rest| rest / self.stride + 1)
        })
    }

    /// Multiply-accumulates for an output of `h` x `w`.
    pub fn macs(&self, h: usize, w: usize) -> f64 {
        self.weight_shape().iter().product::<usize>() as f64 * (h * w) as f64
    }

    /// For an input of height and width `size`.
    pub fn shape(&self, size: [usize; 2]) -> ConvShape {
        ConvShape {
            inputs: self.inputs,
            outputs: self.outputs,
            groups: self.groups,
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            padding: [0, 1].map(|axis| self.pads(axis, size[axis])),
            input: size,
            output: self.output(size),
        }
    }

    /// Takes its tensors out of `weights`.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) for a missing or misshaped tensor.
    pub fn load(&self, weights: &mut Weights) -> Result<Conv2d> {
        let mut weight = weights.take::<4>(&format!("{}.weight", self.name), self.weight_shape())?;
        let mut bias = match self.bias {
            true => Some(weights.take::<1>(&format!("{}.bias", self.name), [self.outputs])?),
            false => None,
        };
        if let Some((name, epsilon)) = &self.batch_norm {
            let (scale, mean, beta) = take_batch_norm(name, self.outputs, *epsilon, weights)?;
            weight = weight * scale.clone().reshape([self.outputs, 1, 1, 1]);
            let shifted = match bias {
                Some(bias) => bias - mean,
                None => -mean,
            };
            bias = Some(beta + shifted * scale);
        }
        let (weight, bias, prepared) = device::prepare_conv2d(weight, bias, self.groups);
        Ok(Conv2d { spec: self.clone(), weight, bias, prepared })
    }
}

/// The tensors of a batch norm.
pub(crate) fn batch_norm_params(name: &str, channels: usize) -> [Param; 4] {
    ["weight", "bias", "running_mean", "running_var"].map(|leaf| Param::new(name, leaf, &[channels]))
}

/// A batch norm's (gamma / sqrt(var + epsilon), mean, beta), each `[channels]`.
pub(crate) fn take_batch_norm(
    name: &str,
    channels: usize,
    epsilon: f64,
    weights: &mut Weights,
) -> Result<(Tensor<1>, Tensor<1>, Tensor<1>)> {
    let mut take = |leaf: &str| weights.take::<1>(&format!("{name}.{leaf}"), [channels]);
    let (gamma, beta, mean, var) = (take("weight")?, take("bias")?, take("running_mean")?, take("running_var")?);
    Ok((gamma / (var + epsilon).sqrt(), mean, beta))
}

/// A convolution with its batch norm folded in.
#[derive(Debug, Clone)]
pub struct Conv2d {
    /// Geometry.
    pub spec: Conv2dSpec,
    /// `[O, I / groups, k, k]`
    pub weight: Tensor<4>,
    /// `[O]`
    pub bias: Option<Tensor<1>>,
    prepared: PreparedConv,
}

impl Conv2d {
    /// For weights that are used once.
    pub fn new(spec: Conv2dSpec, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Self {
        Self { spec, weight, bias, prepared: PreparedConv::default() }
    }

    /// `[N, I, H, W] -> [N, O, h, w]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, None)
    }

    /// [`Conv2d::forward`] and an activation function.
    pub fn forward_act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Some(act))
    }

    fn run(&self, x: Tensor<4>, act: Option<Act>) -> Tensor<4> {
        let [_, _, h, w] = x.dims();
        device::conv2d(x, &self.weight, self.bias.as_ref(), &self.prepared, &self.spec.shape([h, w]), act)
    }
}

/// A square pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Side.
    pub kernel: usize,
    pub stride: usize,
    /// Padding rule; zeros for averages, minus infinity for maxima.
    pub padding: Padding,
    /// Whether a last window that reaches beyond the padded input counts (PyTorch's `ceil_mode`).
    pub ceil: bool,
    /// Whether averages count padded zeros.
    pub count_padding: bool,
}

impl Pool {
    /// A window that counts padded zeros and drops incomplete windows.
    pub const fn new(kernel: usize, stride: usize, padding: usize) -> Self {
        Self { kernel, stride, padding: Padding::Fixed(padding), ceil: false, count_padding: true }
    }

    /// Padding (begin, end) of an axis of length `n`.
    fn pads(&self, n: usize) -> (usize, usize) {
        pads(Some(self.padding), n, self.stride, self.kernel - 1)
    }

    /// Output length of an axis of length `n`; 0 if the window does not fit.
    pub fn output(&self, n: usize) -> usize {
        let (begin, end) = self.pads(n);
        let Some(rest) = (n + begin + end).checked_sub(self.kernel) else { return usize::from(self.ceil && n > 0) };
        if !self.ceil {
            return rest / self.stride + 1;
        }
        let windows = rest.div_ceil(self.stride) + 1;
        // PyTorch drops a last window that would start in the padding.
        if (windows - 1) * self.stride >= n + begin { windows - 1 } else { windows }
    }

    fn shape(&self, channels: usize, size: [usize; 2]) -> ConvShape {
        ConvShape {
            inputs: channels,
            outputs: channels,
            groups: channels,
            kernel: [self.kernel; 2],
            stride: self.stride,
            dilation: 1,
            padding: size.map(|n| self.pads(n)),
            input: size,
            output: size.map(|n| self.output(n)),
        }
    }

    /// Maximum in each window, `[N, C, H, W] -> [N, C, h, w]`; the gradient of a tie goes to the
    /// first.
    pub fn max(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, channels, h, w] = x.dims();
        device::max_pool(x, &self.shape(channels, [h, w]), self.ceil)
    }

    /// Mean of each window, `[N, C, H, W] -> [N, C, h, w]`.
    pub fn avg(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, channels, h, w] = x.dims();
        device::avg_pool(x, &self.shape(channels, [h, w]), self.ceil, self.count_padding)
    }
}

/// A linear layer on the last axis.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearSpec {
    pub name: String,
    /// Input width.
    pub inputs: usize,
    /// Output width.
    pub outputs: usize,
    /// Whether it has a bias.
    pub bias: bool,
}

impl LinearSpec {
    /// The tensors it needs.
    pub fn params(&self) -> Vec<Param> {
        let mut params = vec![Param::new(&self.name, "weight", &[self.outputs, self.inputs])];
        if self.bias {
            params.push(Param::new(&self.name, "bias", &[self.outputs]));
        }
        params
    }

    /// Multiply-accumulates for one row.
    pub fn macs(&self) -> f64 {
        self.inputs as f64 * self.outputs as f64
    }

    /// Takes its tensors out of `weights`.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) for a missing or misshaped tensor.
    pub fn load(&self, weights: &mut Weights) -> Result<Linear> {
        let weight = weights.take::<2>(&format!("{}.weight", self.name), [self.outputs, self.inputs])?;
        let bias = match self.bias {
            true => Some(weights.take::<1>(&format!("{}.bias", self.name), [self.outputs])?),
            false => None,
        };
        let (weight, bias, prepared) = device::prepare_linear(weight, bias);
        Ok(Linear { weight, bias, prepared })
    }
}

/// A linear layer on the last axis.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Tensor<2>,
    /// `[out]`
    pub bias: Option<Tensor<1>>,
    prepared: PreparedLinear,
}

impl Linear {
    /// For weights `[in, out]` that are used once.
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self { weight, bias, prepared: PreparedLinear::default() }
    }

    /// `[N, T, in] -> [N, T, out]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.run(x, None)
    }

    /// [`Linear::forward`] and an activation function.
    pub fn forward_act(&self, act: Act, x: Tensor<3>) -> Tensor<3> {
        self.run(x, Some(act))
    }

    fn run(&self, x: Tensor<3>, act: Option<Act>) -> Tensor<3> {
        device::linear(x, &self.weight, self.bias.as_ref(), &self.prepared, act)
    }
}

/// Layer norm over the last axis.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormSpec {
    pub name: String,
    pub width: usize,
    /// Epsilon under the root.
    pub epsilon: f64,
}

impl LayerNormSpec {
    /// The tensors it needs.
    pub fn params(&self) -> Vec<Param> {
        ["weight", "bias"].map(|leaf| Param::new(&self.name, leaf, &[self.width])).to_vec()
    }

    /// Takes its tensors out of `weights`.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) for a missing or misshaped tensor.
    pub fn load(&self, weights: &mut Weights) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: weights.take::<1>(&format!("{}.weight", self.name), [self.width])?,
            bias: weights.take::<1>(&format!("{}.bias", self.name), [self.width])?,
            epsilon: self.epsilon,
        })
    }
}

/// Layer norm over the last axis.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// `[D]`
    pub weight: Tensor<1>,
    /// `[D]`
    pub bias: Tensor<1>,
    /// Epsilon under the root.
    pub epsilon: f64,
}

impl LayerNorm {
    /// Same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        device::layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}
