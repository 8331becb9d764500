//! Where tensors are computed: the one place that chooses between the CPU's kernels ([`cpu`]),
//! WebGPU's ([`webgpu`]) and burn's own operations.
//!
//! A tensor's device decides. Burn's operations take what the kernels do not: constants that are
//! differentiated themselves, and on WebGPU the shapes that [`webgpu`] lists.

pub mod cpu;
mod positive_gradient;
#[cfg(feature = "webgpu")]
pub mod webgpu;

use std::sync::Arc;

use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, activation, module};
use sightline_kernels::Act;
use sightline_kernels::conv::{self, Prepared};
use sightline_kernels::gemm::NR;
use sightline_kernels::geometry::Geometry;

use crate::device::cpu::Constant;

pub use positive_gradient::positive_gradient;

/// Whether a device is the CPU.
pub fn is_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Whether `x` is on the CPU.
fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    is_cpu(&x.device())
}

/// The sizes and steps of a convolution or a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    pub inputs: usize,
    pub outputs: usize,
    /// Groups; the number of channels for a depthwise convolution and for a pooling.
    pub groups: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    pub stride: usize,
    pub dilation: usize,
    /// Padding (begin, end) of rows and columns.
    pub padding: [(usize, usize); 2],
    /// Input height and width.
    pub input: [usize; 2],
    /// Output height and width.
    pub output: [usize; 2],
}

impl ConvShape {
    /// Whether every channel has a kernel of its own.
    pub fn depthwise(&self) -> bool {
        self.groups > 1
    }

    fn geometry(&self) -> Geometry {
        let Self { inputs, outputs, groups, kernel, stride, dilation, padding, input, output } = *self;
        Geometry { inputs, outputs, groups, kernel, stride, dilation, before: padding.map(|(b, _)| b), input, output }
    }
}

/// What the CPU's kernels make of a convolution's weights, once.
#[derive(Debug, Clone, Default)]
pub struct PreparedConv(Option<Arc<Prepared>>);

/// Lays a convolution's weights `[O, I / groups, kh, kw]` and its bias out for their device, which
/// is to use them many times.
pub fn prepare_conv2d(
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    groups: usize,
) -> (Tensor<4>, Option<Tensor<1>>, PreparedConv) {
    #[cfg(not(feature = "webgpu"))]
    let _ = groups;
    #[cfg(feature = "webgpu")]
    if !on_cpu(&weight) && webgpu::conv::supports(weight.dims(), groups) {
        let weight = webgpu::conv::lay_out(weight, groups > 1);
        let bias = bias.unwrap_or_else(|| Tensor::zeros([weight.dims()[0]], &weight.device()));
        return (weight, Some(bias), PreparedConv::default());
    }
    (weight, bias, PreparedConv(Some(Arc::default())))
}

/// The most values that the CPU's kernels keep of a weight `[out, in]` or `[O, I / groups, kh, kw]`
/// in a layout of their own, beside the weight itself: what [`prepare_linear`] makes, and what a
/// convolution makes of its weights when it first runs forward and backward.
pub fn kept_beside(shape: &[usize]) -> usize {
    let product = |axes: &[usize]| axes.iter().fold(1usize, |size, &axis| size.saturating_mul(axis));
    match *shape {
        [outputs, inputs] => product(&[outputs.checked_next_multiple_of(NR).unwrap_or(usize::MAX), inputs]),
        [_, 1, ..] => 0,
        [_, _, _, _] => conv::kept(product(shape), [shape[0], shape[1]], [shape[2], shape[3]]),
        _ => 0,
    }
}

/// A convolution `[N, I, H, W] -> [N, O, h, w]`, then an activation function. `prepared` is that of
/// [`prepare_conv2d`], or empty for weights that are used once.
pub fn conv2d(
    x: Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    prepared: &PreparedConv,
    shape: &ConvShape,
    act: Option<Act>,
) -> Tensor<4> {
    fused(x, act, |x, act| {
        if let (true, Some(weights)) = (on_cpu(&x), Constant::of(weight)) {
            let (geometry, prepared) = (shape.geometry(), prepared.0.clone());
            let bias = bias.and_then(Constant::of);
            return cpu::run(cpu::Convolution { geometry, weights, prepared, bias, act }, x);
        }
        #[cfg(feature = "webgpu")]
        if let Some(bias) = bias
            && !on_cpu(&x)
            && webgpu::conv::supports(weight.dims(), shape.groups)
        {
            return webgpu::conv::conv2d(x, weight.clone(), bias.clone(), *shape, act);
        }
        let options = ConvOptions {
            stride: [shape.stride; 2],
            padding: shape.padding,
            dilation: [shape.dilation; 2],
            groups: shape.groups,
        };
        activated(module::conv2d(x, weight.clone(), bias.cloned(), options), act)
    })
}

/// Maximum in each window, `[N, C, H, W] -> [N, C, h, w]`; the gradient of a tie goes to the first.
/// `ceil`: whether a last window may reach beyond the padded input, as `shape.output` counts it.
pub fn max_pool(x: Tensor<4>, shape: &ConvShape, ceil: bool) -> Tensor<4> {
    if on_cpu(&x) {
        return cpu::run(cpu::MaxPool(shape.geometry()), x);
    }
    let options = MaxPoolOptions::new(shape.kernel)
        .with_stride([shape.stride; 2])
        .with_padding_pairs(shape.padding)
        .with_ceil_mode(ceil);
    module::max_pool2d(x, options)
}

/// Mean of each window, `[N, C, H, W] -> [N, C, h, w]`. `count_padding`: whether padded zeros
/// count.
pub fn avg_pool(x: Tensor<4>, shape: &ConvShape, ceil: bool, count_padding: bool) -> Tensor<4> {
    let options = AvgPoolOptions::new(shape.kernel)
        .with_stride([shape.stride; 2])
        .with_padding_pairs(shape.padding)
        .with_count_include_pad(count_padding)
        .with_ceil_mode(ceil);
    module::avg_pool2d(x, options)
}

/// What the CPU's kernels make of a linear layer's weights, once.
#[derive(Debug, Clone, Default)]
pub struct PreparedLinear(Option<Arc<[f32]>>);

/// Lays a linear layer's weights `[out, in]` and its bias out for their device, which is to use
/// them many times; the weights become `[in, out]`.
pub fn prepare_linear(weight: Tensor<2>, bias: Option<Tensor<1>>) -> (Tensor<2>, Option<Tensor<1>>, PreparedLinear) {
    let [outputs, _] = weight.dims();
    let packed = Constant::of(&weight).map(|weight| cpu::pack_dense(weight.values(), outputs).into());
    #[cfg(feature = "webgpu")]
    let bias = bias.or_else(|| (!on_cpu(&weight)).then(|| Tensor::zeros([outputs], &weight.device())));
    (weight.transpose(), bias, PreparedLinear(packed))
}

/// A linear layer on the last axis, `[N, T, in] -> [N, T, out]`, of weights `[in, out]`, then an
/// activation function. `prepared` is that of [`prepare_linear`], or empty for weights that are
/// used once.
pub fn linear(
    x: Tensor<3>,
    weight: &Tensor<2>,
    bias: Option<&Tensor<1>>,
    prepared: &PreparedLinear,
    act: Option<Act>,
) -> Tensor<3> {
    fused(x, act, |x, act| {
        if let (true, Some(weights)) = (on_cpu(&x), Constant::of(&weight.clone().transpose())) {
            let [_, outputs] = weight.dims();
            let (packed, bias) = (prepared.0.clone(), bias.and_then(Constant::of));
            return cpu::run(cpu::Dense { outputs, weights, packed, bias, act }, x);
        }
        #[cfg(feature = "webgpu")]
        if let Some(bias) = bias
            && !on_cpu(&x)
            && webgpu::matmul::supports_linear(bias)
        {
            return webgpu::matmul::linear(x, weight.clone().transpose(), bias.clone(), act);
        }
        activated(module::linear(x, weight.clone(), bias.cloned()), act)
    })
}

/// Layer norm over the last axis; `weight` and `bias` `[D]`.
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: &Tensor<1>, bias: &Tensor<1>, epsilon: f64) -> Tensor<D> {
    if let (true, Some(weight), Some(bias)) = (on_cpu(&x), Constant::of(weight), Constant::of(bias)) {
        return cpu::run(cpu::Norm { weight, bias, epsilon: epsilon as f32 }, x);
    }
    #[cfg(feature = "webgpu")]
    if !on_cpu(&x) {
        return webgpu::norm::layer_norm(x, weight.clone(), bias.clone(), epsilon);
    }
    module::layer_norm(x, weight.clone(), Some(bias.clone()), epsilon)
}

/// An activation function of every value.
pub fn act<const D: usize>(x: Tensor<D>, act: Act) -> Tensor<D> {
    #[cfg(feature = "webgpu")]
    if !on_cpu(&x) {
        return webgpu::elementwise::act(x, act);
    }
    cpu::run(act, x)
}

/// Softmax over the last axis.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "webgpu")]
    if !on_cpu(&x) {
        return webgpu::norm::softmax(x);
    }
    activation::softmax(x, D - 1)
}

/// Softmax attention in one operation, `[N, T, 3 D]` (queries, keys, values) to `[N, T, D]`, which
/// keeps no attention matrix; `None` where the device has no kernel for it.
pub fn attention(qkv: &Tensor<3>, heads: usize) -> Option<Tensor<3>> {
    on_cpu(qkv).then(|| cpu::run(cpu::Attention { heads }, qkv.clone()))
}

/// Attention's scores: `scale` times the products of the rows of `q` and `k`, both
/// `[N, heads, T, d]`: `[N, heads, T, T]`.
pub fn attention_scores(q: Tensor<4>, k: Tensor<4>, scale: f64) -> Tensor<4> {
    #[cfg(feature = "webgpu")]
    if !on_cpu(&q) {
        return webgpu::matmul::scores(q, k, scale);
    }
    (q * scale).matmul(k.swap_dims(2, 3))
}

/// The rows of `v` `[N, heads, T, d]`, weighted by `attention` `[N, heads, T, T]`.
pub fn attention_mix(attention: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "webgpu")]
    if !on_cpu(&v) {
        return webgpu::matmul::mix(attention, v);
    }
    attention.matmul(v)
}

/// A layer and an activation function: one operation where the derivative can be computed from the
/// value that is there then, or where none is needed.
fn fused<const D: usize>(
    x: Tensor<D>,
    act: Option<Act>,
    layer: impl FnOnce(Tensor<D>, Option<Act>) -> Tensor<D>,
) -> Tensor<D> {
    match act {
        Some(act) if x.is_tracked() && !act.slope_from_value() => self::act(layer(x, None), act),
        act => layer(x, act),
    }
}

fn activated<const D: usize>(x: Tensor<D>, act: Option<Act>) -> Tensor<D> {
    match act {
        Some(act) => self::act(x, act),
        None => x,
    }
}
