//! Softmax, layer norm and their derivatives, a launch each: a workgroup for each row of the last
//! axis, which they want contiguous.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::autodiff::Operations;

/// Softmax over the last axis.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as Operations>::gpu_softmax(x.into_dispatch()))
}

/// Layer norm over the last axis; `weight` and `bias` `[D]` receive no gradient.
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let [weight, bias] = [weight, bias].map(Tensor::into_dispatch);
    Tensor::from_dispatch(<Dispatch as Operations>::gpu_layer_norm(x.into_dispatch(), weight, bias, epsilon as f32))
}

pub(super) fn launch_softmax(x: CubeTensor) -> CubeTensor {
    rows([x], |client, count, dim, [x], y, shape| {
        softmax_kernel::launch(client, count, dim, x, y, shape.rows, shape.width);
    })
}

pub(super) fn launch_softmax_backward(y: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    rows([y, gradient], |client, count, dim, [y, gradient], x, shape| {
        softmax_backward_kernel::launch(client, count, dim, y, gradient, x, shape.rows, shape.width);
    })
}

pub(super) fn launch_layer_norm(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, epsilon: f32) -> CubeTensor {
    let [weight, bias] = [weight, bias].map(|vector| into_contiguous(vector).into_buffer_arg());
    rows([x], |client, count, dim, [x], y, shape| {
        layer_norm_kernel::launch(client, count, dim, x, weight, bias, y, shape.rows, shape.width, epsilon);
    })
}

pub(super) fn launch_layer_norm_backward(
    x: CubeTensor,
    weight: CubeTensor,
    gradient: CubeTensor,
    epsilon: f32,
) -> CubeTensor {
    let weight = into_contiguous(weight).into_buffer_arg();
    rows([x, gradient], |client, count, dim, [x, gradient], out, shape| {
        let Rows { rows, width } = shape;
        layer_norm_backward_kernel::launch(client, count, dim, x, weight, gradient, out, rows, width, epsilon);
    })
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

/// The sum of what the threads of a workgroup have, to each of them. One barrier: summing 64 shared
/// numbers takes less than six rounds.
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
