//! Activation functions and their derivatives, one launch each, in any layout of the tensor, which
//! they keep.

#![allow(unsafe_code, reason = "launches without bounds checks: the kernels check their position themselves")]

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::std::tensor::layout::linear::{LinearView, LinearViewLaunch, LinearViewMut};
use burn_cubecl::cubecl::{calculate_cube_count_elemwise, tensor_vector_size_parallel};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::permute;
use burn_cubecl::tensor::CubeTensor;
use sightline_kernels::Act;

use super::autodiff::Operations;

/// An activation function, same shape and layout.
pub fn act<const D: usize>(x: Tensor<D>, act: Act) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Operations>::gpu_act(x.into_dispatch(), act))
}

pub(super) fn launch_act(x: CubeTensor, act: Act) -> CubeTensor {
    elementwise([x], |client, count, dim, width, [x], y| {
        // SAFETY: the kernel checks its position against the output, whose shape the input has.
        unsafe { act_kernel::launch_unchecked(client, count, dim, width, x, y, act) }
    })
}

pub(super) fn launch_act_backward(x: CubeTensor, gradient: CubeTensor, act: Act) -> CubeTensor {
    elementwise([x, gradient], |client, count, dim, width, [x, gradient], y| {
        // SAFETY: the kernel checks its position against the output, whose shape both inputs have.
        unsafe { act_backward_kernel::launch_unchecked(client, count, dim, width, x, gradient, y, act) }
    })
}

/// Launches an elementwise kernel over tensors of one shape in the order in which the first lies in
/// memory; the result lies likewise.
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
pub(super) fn value<N: Size>(x: Vector<f32, N>, #[comptime] act: Act) -> Vector<f32, N> {
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
