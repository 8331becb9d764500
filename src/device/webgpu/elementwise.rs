//! Operations that burn makes of several kernels each on WebGPU, as one kernel forward and one backward.
//!
//! Why they are here and not burn's: burn 0.22.1's GPU backend has no kernel of its own for activation functions, layer norm and softmax
//! and composes them (sigmoid of 6 launches, layer norm of 9, the gradient of a clamp of 6 that also leave the channels-last layout of
//! convolutions); its fusion would merge these launches, but takes more to download than it saves (docs/webgpu.md). Every launch costs
//! about 40 µs of wasm time and a trip through the GPU's memory. The operations go through burn's extension point
//! ([`backend_extension`]). The CPU's are in `cpu.rs`, but for softmax, which is burn's there.
//!
//! All of f32. Activation functions take any layout and keep it; the operations on rows want the last axis contiguous.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, backend_extension};
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::std::tensor::layout::linear::{LinearView, LinearViewLaunch, LinearViewMut};
use burn_cubecl::cubecl::{calculate_cube_count_elemwise, tensor_vector_size_parallel};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::permute;
use burn_cubecl::tensor::CubeTensor;

use crate::layers::Act;

/// An activation function, same shape and layout.
pub fn act<const D: usize>(x: Tensor<D>, act: Act) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Fused>::fused_act(x.into_dispatch(), act))
}

/// Softmax over the last axis.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Fused>::fused_softmax(x.into_dispatch()))
}

/// Layer norm over the last axis; `weight` and `bias` `[D]` receive no gradient.
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let [weight, bias] = [weight, bias].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as Fused>::fused_layer_norm(x.into_dispatch(), weight, bias, epsilon as f32))
}

#[backend_extension(Cube, Autodiff)]
trait Fused: Backend {
    fn fused_act(x: FloatTensor<Self>, act: Act) -> FloatTensor<Self>;
    fn fused_softmax(x: FloatTensor<Self>) -> FloatTensor<Self>;
    fn fused_layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

/// What the gradients are made of.
pub(crate) trait Backwards: Backend {
    /// `gradient` times the derivative at `x`.
    fn act_backward(x: FloatTensor<Self>, gradient: FloatTensor<Self>, act: Act) -> FloatTensor<Self>;
    /// From softmax' value.
    fn softmax_backward(y: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
    fn layer_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

impl Fused for Cube {
    fn fused_act(x: CubeTensor, act: Act) -> CubeTensor {
        elementwise([x], |client, count, dim, width, [x], y| {
            // SAFETY: the kernel checks its position against the output, whose shape all inputs have.
            unsafe { act_kernel::launch_unchecked(client, count, dim, width, x, y, act) }
        })
    }

    fn fused_softmax(x: CubeTensor) -> CubeTensor {
        rows([x], |client, count, dim, [x], y, shape| {
            softmax_kernel::launch(client, count, dim, x, y, shape.rows, shape.width)
        })
    }

    fn fused_layer_norm(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, epsilon: f32) -> CubeTensor {
        let [weight, bias] = [weight, bias].map(|vector| into_contiguous(vector).into_buffer_arg());
        rows([x], |client, count, dim, [x], y, shape| {
            layer_norm_kernel::launch(client, count, dim, x, weight, bias, y, shape.rows, shape.width, epsilon);
        })
    }
}

impl Backwards for Cube {
    fn act_backward(x: CubeTensor, gradient: CubeTensor, act: Act) -> CubeTensor {
        elementwise([x, gradient], |client, count, dim, width, [x, gradient], y| {
            // SAFETY: as above.
            unsafe { act_backward_kernel::launch_unchecked(client, count, dim, width, x, gradient, y, act) }
        })
    }

    fn softmax_backward(y: CubeTensor, gradient: CubeTensor) -> CubeTensor {
        rows([y, gradient], |client, count, dim, [y, gradient], x, shape| {
            softmax_backward_kernel::launch(client, count, dim, y, gradient, x, shape.rows, shape.width);
        })
    }

    fn layer_norm_backward(x: CubeTensor, weight: CubeTensor, gradient: CubeTensor, epsilon: f32) -> CubeTensor {
        let weight = into_contiguous(weight).into_buffer_arg();
        rows([x, gradient], |client, count, dim, [x, gradient], out, shape| {
            layer_norm_backward_kernel::launch(
                client,
                count,
                dim,
                x,
                weight,
                gradient,
                out,
                shape.rows,
                shape.width,
                epsilon,
            );
        })
    }
}

impl<B: Backwards + Fused, C: CheckpointStrategy> Fused for Autodiff<B, C> {
    fn fused_act(x: FloatTensor<Self>, act: Act) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ActBackward;
        impl<B: Backwards> Backward<B, 1> for ActBackward {
            type State = (FloatTensor<B>, Act);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (x, act) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::act_backward(x, gradient, act));
            }
        }
        match Backward::<B, 1>::prepare::<C>(ActBackward, [x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let x = x.into_primitive();
                prepared.finish((x.clone(), act), B::fused_act(x, act))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::fused_act(x.into_primitive(), act)),
        }
    }

    fn fused_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct SoftmaxBackward;
        impl<B: Backwards> Backward<B, 1> for SoftmaxBackward {
            type State = FloatTensor<B>;
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::softmax_backward(ops.state, gradient));
            }
        }
        match Backward::<B, 1>::prepare::<C>(SoftmaxBackward, [x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let y = B::fused_softmax(x.into_primitive());
                prepared.finish(y.clone(), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::fused_softmax(x.into_primitive())),
        }
    }

    fn fused_layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LayerNormBackward;
        impl<B: Backwards> Backward<B, 1> for LayerNormBackward {
            type State = (FloatTensor<B>, FloatTensor<B>, f32);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (x, weight, epsilon) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                    B::layer_norm_backward(x, weight, gradient, epsilon)
                });
            }
        }
        let prepared = Backward::<B, 1>::prepare::<C>(LayerNormBackward, [x.node()]).compute_bound().stateful();
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let y = B::fused_layer_norm(x.clone(), weight.clone(), bias, epsilon);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, epsilon), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

/// Launches an elementwise kernel over tensors of one shape in the order in which the first lies in memory; the result lies likewise.
fn elementwise<const N: usize>(
    inputs: [CubeTensor; N],
    launch: impl FnOnce(&cubecl::client::Client, CubeCount, CubeDim, usize, [LinearViewLaunch; N], LinearViewLaunch),
) -> CubeTensor {
    let first = &inputs[0];
    let (shape, strides) = (first.meta.shape(), first.meta.strides());
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    axes.sort_by_key(|&axis| (shape[axis] != 1, std::cmp::Reverse(strides[axis])));
    let mut back = vec![0; axes.len()];
    axes.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    let (client, device, dtype) = (first.client.clone(), first.device.clone(), first.dtype);
    let inputs = inputs.map(|tensor| permute(tensor, &axes));
    let shape = inputs[0].meta.shape().clone();
    let y = empty_device_contiguous_dtype(client.clone(), device, shape, dtype);
    let last = axes.len() - 1;
    let width = inputs.iter().chain([&y]).map(|tensor| {
        let widths = client.io_optimized_vector_sizes(dtype.size());
        tensor_vector_size_parallel(widths, tensor.meta.shape(), tensor.meta.strides(), last)
    });
    let width = width.min().unwrap_or(1);
    let units = y.meta.num_elements() / width;
    let dim = CubeDim::new(&client, units);
    let count = calculate_cube_count_elemwise(&client, units, dim);
    launch(&client, count, dim, width, inputs.map(CubeTensor::into_linear_view), y.clone().into_linear_view());
    permute(y, &back)
}

/// Threads that share a row.
const UNITS: usize = 64;

struct Rows {
    rows: usize,
    width: usize,
}

/// Launches a kernel with a workgroup for each row of tensors of one shape.
fn rows<const N: usize>(
    inputs: [CubeTensor; N],
    launch: impl FnOnce(&cubecl::client::Client, CubeCount, CubeDim, [BufferArg; N], BufferArg, Rows),
) -> CubeTensor {
    let inputs = inputs.map(into_contiguous);
    let first = &inputs[0];
    let (client, device, shape, dtype) =
        (first.client.clone(), first.device.clone(), first.meta.shape().clone(), first.dtype);
    let width = shape.last().copied().unwrap_or(1);
    let rows = shape.num_elements() / width.max(1);
    let y = empty_device_contiguous_dtype(client.clone(), device, shape, dtype);
    // A dispatch takes at most 65535 workgroups along an axis.
    let across = rows.clamp(1, 32768);
    let count = CubeCount::Static(across as u32, rows.div_ceil(across) as u32, 1);
    let dim = CubeDim::new_1d(UNITS as u32);
    launch(
        &client,
        count,
        dim,
        inputs.map(CubeTensor::into_buffer_arg),
        y.clone().into_buffer_arg(),
        Rows { rows, width },
    );
    y
}

#[cube]
fn zeros<N: Size>() -> Vector<f32, N> {
    Vector::new(0f32)
}

/// `x` from `low` on, what is no number kept.
#[cube]
fn at_least<N: Size>(x: Vector<f32, N>, low: f32) -> Vector<f32, N> {
    let low = Vector::new(low);
    select_many(x.less_than(&low), low, x)
}

/// min(max(x, 0), 6), what is no number kept.
#[cube]
fn relu6<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let six = Vector::new(6f32);
    let x = at_least::<N>(x, 0f32);
    select_many(x.greater_than(&six), six, x)
}

/// 1 where `low` < x < `high`, else 0.
#[cube]
fn within<N: Size>(x: Vector<f32, N>, low: f32, high: f32) -> Vector<f32, N> {
    let inside = x.greater_than(&Vector::new(low)).vec_and(x.less_than(&Vector::new(high)));
    select_many(inside, Vector::new(1f32), zeros::<N>())
}

#[cube]
fn sigmoid<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let one = Vector::new(1f32);
    // exp(88.8) has no f32.
    one / (one + (-at_least::<N>(x, -80f32)).exp())
}

/// The normal distribution function.
#[cube]
fn normal<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
    let half = Vector::new(0.5f32);
    half + half * (x * Vector::new(std::f32::consts::FRAC_1_SQRT_2)).erf()
}

#[cube]
pub(crate) fn value<N: Size>(x: Vector<f32, N>, #[comptime] act: Act) -> Vector<f32, N> {
    let three = Vector::new(3f32);
    let sixth = Vector::new(1f32 / 6f32);
    match comptime![act] {
        Act::Relu => at_least::<N>(x, 0f32),
        Act::Relu6 => relu6::<N>(x),
        Act::Silu => x * sigmoid::<N>(x),
        Act::Sigmoid => sigmoid::<N>(x),
        Act::HardSigmoid => relu6::<N>(x + three) * sixth,
        Act::HardSwish => x * relu6::<N>(x + three) * sixth,
        Act::Gelu => x * normal::<N>(x),
        Act::QuickGelu => x * sigmoid::<N>(x * Vector::new(1.702f32)),
    }
}

/// At a kink the slope of the flat side, as on the CPU and in PyTorch.
#[cube]
fn derivative<N: Size>(x: Vector<f32, N>, #[comptime] act: Act) -> Vector<f32, N> {
    let one = Vector::new(1f32);
    let three = Vector::new(3f32);
    let sixth = Vector::new(1f32 / 6f32);
    match comptime![act] {
        Act::Relu => select_many(x.greater_than(&zeros::<N>()), one, zeros::<N>()),
        Act::Relu6 => within::<N>(x, 0f32, 6f32),
        Act::Silu => {
            let s = sigmoid::<N>(x);
            s * (one + x * (one - s))
        }
        Act::Sigmoid => {
            let s = sigmoid::<N>(x);
            s * (one - s)
        }
        Act::HardSigmoid => within::<N>(x + three, 0f32, 6f32) * sixth,
        Act::HardSwish => (relu6::<N>(x + three) + x * within::<N>(x + three, 0f32, 6f32)) * sixth,
        Act::Gelu => {
            // The density of the normal distribution, 1 / sqrt(2 pi) exp(-x^2 / 2).
            let density = Vector::new(0.398_942_3f32) * (x * x * Vector::new(-0.5f32)).exp();
            normal::<N>(x) + x * density
        }
        Act::QuickGelu => {
            let k = Vector::new(1.702f32);
            let s = sigmoid::<N>(k * x);
            s * (one + k * x * (one - s))
        }
    }
}

#[cube(launch_unchecked)]
fn act_kernel<N: Size>(
    x: LinearView<'_, Vector<f32, N>>,
    mut y: LinearViewMut<'_, Vector<f32, N>>,
    #[comptime] act: Act,
) {
    if !y.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    y.write(ABSOLUTE_POS, value::<N>(x.read(ABSOLUTE_POS), act));
}

#[cube(launch_unchecked)]
fn act_backward_kernel<N: Size>(
    x: LinearView<'_, Vector<f32, N>>,
    gradient: LinearView<'_, Vector<f32, N>>,
    mut y: LinearViewMut<'_, Vector<f32, N>>,
    #[comptime] act: Act,
) {
    if !y.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    y.write(ABSOLUTE_POS, gradient.read(ABSOLUTE_POS) * derivative::<N>(x.read(ABSOLUTE_POS), act));
}

/// The sum of what the threads of a workgroup have, to each of them. One barrier: summing 64 shared numbers takes less than six rounds.
#[cube]
fn sum_up(part: f32) -> f32 {
    let mut parts = Shared::<[f32]>::new_slice(UNITS);
    parts[UNIT_POS as usize] = part;
    sync_cube();
    let mut sum = 0f32;
    for i in 0..UNITS {
        sum += parts[i];
    }
    sum
}

/// The largest of what the threads of a workgroup have.
#[cube]
fn largest(part: f32) -> f32 {
    let mut parts = Shared::<[f32]>::new_slice(UNITS);
    parts[UNIT_POS as usize] = part;
    sync_cube();
    let mut largest = parts[0];
    for i in 1..UNITS {
        largest = largest.max(parts[i]);
    }
    largest
}

#[cube(launch)]
fn softmax_kernel(x: &[f32], y: &mut [f32], rows: usize, width: usize) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let start = row * width;
    let mut high = x[start];
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        high = high.max(x[start + i]);
    }
    let high = largest(high);
    let mut sum = 0f32;
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        sum += (x[start + i] - high).exp();
    }
    let sum = sum_up(sum);
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        y[start + i] = (x[start + i] - high).exp() / sum;
    }
}

#[cube(launch)]
fn softmax_backward_kernel(y: &[f32], gradient: &[f32], x: &mut [f32], rows: usize, width: usize) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let start = row * width;
    let mut dot = 0f32;
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        dot += y[start + i] * gradient[start + i];
    }
    let dot = sum_up(dot);
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        x[start + i] = y[start + i] * (gradient[start + i] - dot);
    }
}

#[cube(launch)]
fn layer_norm_kernel(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32], rows: usize, width: usize, epsilon: f32) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let start = row * width;
    let mut sum = 0f32;
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        sum += x[start + i];
    }
    let mean = sum_up(sum) / width as f32;
    let mut squares = 0f32;
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        squares += (x[start + i] - mean) * (x[start + i] - mean);
    }
    let scale = 1f32 / (sum_up(squares) / width as f32 + epsilon).sqrt();
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        y[start + i] = (x[start + i] - mean) * scale * weight[i] + bias[i];
    }
}

/// With z the normed x and h = gradient * weight: (h - mean(h) - z mean(h z)) / deviation.
#[cube(launch)]
fn layer_norm_backward_kernel(
    x: &[f32],
    weight: &[f32],
    gradient: &[f32],
    out: &mut [f32],
    rows: usize,
    width: usize,
    epsilon: f32,
) {
    let row = CUBE_POS;
    if row >= rows {
        terminate!();
    }
    let start = row * width;
    let mut sum = 0f32;
    let mut slopes = 0f32;
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        sum += x[start + i];
        slopes += gradient[start + i] * weight[i];
    }
    let mean = sum_up(sum) / width as f32;
    let slope = sum_up(slopes) / width as f32;
    let mut squares = 0f32;
    let mut products = 0f32;
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        let centred = x[start + i] - mean;
        squares += centred * centred;
        products += centred * gradient[start + i] * weight[i];
    }
    let scale = 1f32 / (sum_up(squares) / width as f32 + epsilon).sqrt();
    let product = sum_up(products) / width as f32 * scale;
    for i in range_stepped(UNIT_POS as usize, width, UNITS) {
        out[start + i] = scale * (gradient[start + i] * weight[i] - slope - (x[start + i] - mean) * scale * product);
    }
}
