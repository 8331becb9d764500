//! The layers that models are made of, and the names and shapes of their weights in a package.
//!
//! A `*Spec` says what a layer needs before anything is read; `load` takes it from the [`Weights`] and lays it out for the device.

use burn::tensor::{Device, Tensor, activation, module, ops::ConvOptions};

use crate::error::{Error, Result};
use crate::package::Weights;

/// A tensor that a model needs: its name in the package and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// timm's key, for example `blocks.0.attn.qkv.weight`.
    pub name: String,
    /// timm's shape: convolutions `[O, I / groups, kh, kw]`, linear layers `[out, in]`.
    pub shape: Vec<usize>,
}

impl Param {
    /// A parameter of the name `prefix` + `.` + `leaf`.
    pub fn new(prefix: &str, leaf: &str, shape: &[usize]) -> Self {
        let name = if prefix.is_empty() { leaf.to_owned() } else { format!("{prefix}.{leaf}") };
        Self { name, shape: shape.to_vec() }
    }
}

/// How a convolution pads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// `((stride - 1) + dilation (k - 1)) / 2` on every side, as PyTorch's and timm's default.
    Symmetric,
    /// TensorFlow's SAME: output ceil(n / stride), the odd pixel at the end.
    Same,
}

/// A square convolution, optionally followed by a batch norm that is folded into it at load.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dSpec {
    /// The convolution's name.
    pub name: String,
    /// The batch norm's name and epsilon.
    pub batch_norm: Option<(String, f64)>,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Kernel side.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Dilation.
    pub dilation: usize,
    /// Groups; `inputs` for a depthwise convolution.
    pub groups: usize,
    /// Padding rule; `None` for none.
    pub padding: Option<Padding>,
    /// Whether the convolution has a bias of its own.
    pub bias: bool,
}

impl Conv2dSpec {
    /// The tensors that it needs.
    pub fn params(&self) -> Vec<Param> {
        let weight = [self.outputs, self.inputs / self.groups, self.kernel, self.kernel];
        let mut params = vec![Param::new(&self.name, "weight", &weight)];
        if self.bias {
            params.push(Param::new(&self.name, "bias", &[self.outputs]));
        }
        if let Some((name, _)) = &self.batch_norm {
            for leaf in ["weight", "bias", "running_mean", "running_var"] {
                params.push(Param::new(name, leaf, &[self.outputs]));
            }
        }
        params
    }

    /// Padding (begin, end) of an axis of length `n`.
    pub fn pads(&self, n: usize) -> (usize, usize) {
        let reach = self.dilation * (self.kernel - 1);
        match self.padding {
            None => (0, 0),
            Some(Padding::Symmetric) => {
                let p = (self.stride - 1 + reach) / 2;
                (p, p)
            }
            Some(Padding::Same) => {
                let total = ((n.div_ceil(self.stride) - 1) * self.stride + reach + 1).saturating_sub(n);
                (total / 2, total - total / 2)
            }
        }
    }

    /// Output length of an axis of length `n`; 0 where the kernel does not fit.
    pub fn output(&self, n: usize) -> usize {
        let (begin, end) = self.pads(n);
        let reach = self.dilation * (self.kernel - 1) + 1;
        (n + begin + end).checked_sub(reach).map_or(0, |rest| rest / self.stride + 1)
    }

    /// Multiply-accumulates for an output of `h` x `w`.
    pub fn macs(&self, h: usize, w: usize) -> f64 {
        (self.outputs * (self.inputs / self.groups) * self.kernel * self.kernel) as f64 * (h * w) as f64
    }

    /// Takes its tensors out of `weights`.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a missing or misshaped tensor.
    pub fn load(&self, weights: &mut Weights) -> Result<Conv2d> {
        let shape = [self.outputs, self.inputs / self.groups, self.kernel, self.kernel];
        let mut weight = weights.take::<4>(&format!("{}.weight", self.name), shape)?;
        let mut bias = match self.bias {
            true => Some(weights.take::<1>(&format!("{}.bias", self.name), [self.outputs])?),
            false => None,
        };
        if let Some((name, epsilon)) = &self.batch_norm {
            let mut take = |leaf: &str| weights.take::<1>(&format!("{name}.{leaf}"), [self.outputs]);
            let (gamma, beta, mean, var) =
                (take("weight")?, take("bias")?, take("running_mean")?, take("running_var")?);
            let scale = gamma / (var + *epsilon).sqrt();
            weight = weight * scale.clone().reshape([self.outputs, 1, 1, 1]);
            let shifted = match bias {
                Some(bias) => bias - mean,
                None => -mean,
            };
            bias = Some(beta + shifted * scale);
        }
        Ok(Conv2d { spec: self.clone(), weight, bias })
    }
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
}

impl Conv2d {
    /// `[N, I, H, W] -> [N, O, h, w]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, h, w] = x.dims();
        let spec = &self.spec;
        let options = ConvOptions {
            stride: [spec.stride; 2],
            padding: [spec.pads(h), spec.pads(w)],
            dilation: [spec.dilation; 2],
            groups: spec.groups,
        };
        module::conv2d(x, self.weight.clone(), self.bias.clone(), options)
    }
}

/// A linear layer on the last axis.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearSpec {
    /// Name.
    pub name: String,
    /// Input width.
    pub inputs: usize,
    /// Output width.
    pub outputs: usize,
    /// Whether it has a bias.
    pub bias: bool,
}

impl LinearSpec {
    /// The tensors that it needs.
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
    /// [`Error::BadModel`] for a missing or misshaped tensor.
    pub fn load(&self, weights: &mut Weights) -> Result<Linear> {
        let weight = weights.take::<2>(&format!("{}.weight", self.name), [self.outputs, self.inputs])?;
        let bias = match self.bias {
            true => Some(weights.take::<1>(&format!("{}.bias", self.name), [self.outputs])?),
            false => None,
        };
        Ok(Linear { weight: weight.transpose(), bias })
    }
}

/// A linear layer on the last axis.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[in, out]`
    pub weight: Tensor<2>,
    /// `[out]`
    pub bias: Option<Tensor<1>>,
}

impl Linear {
    /// `[N, T, in] -> [N, T, out]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        module::linear(x, self.weight.clone(), self.bias.clone())
    }
}

/// Layer norm over the last axis.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormSpec {
    /// Name.
    pub name: String,
    /// Width.
    pub width: usize,
    /// Epsilon under the root.
    pub epsilon: f64,
}

impl LayerNormSpec {
    /// The tensors that it needs.
    pub fn params(&self) -> Vec<Param> {
        ["weight", "bias"].map(|leaf| Param::new(&self.name, leaf, &[self.width])).to_vec()
    }

    /// Takes its tensors out of `weights`.
    ///
    /// # Errors
    /// [`Error::BadModel`] for a missing or misshaped tensor.
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
        module::layer_norm(x, self.weight.clone(), Some(self.bias.clone()), self.epsilon)
    }
}

/// Exact GELU, x (1 + erf(x / sqrt 2)) / 2, with its exact derivative on every device.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // Flex has the exact derivative; other devices of burn 0.22 use the tanh approximation's.
    if !x.is_tracked() || x.device().without_autodiff() == Device::flex() {
        return activation::gelu(x);
    }
    let gate = (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    x * gate * 0.5
}

/// Turns a shape problem inside a plan into an error that names the model.
pub(crate) fn bad_model<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::BadModel(message.into()))
}
