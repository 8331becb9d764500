//! Two-dimensional convolutions and their derivatives by the input.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::permute;
use burn_cubecl::tensor::CubeTensor;
use sightline_kernels::Act;

use super::autodiff::Operations;
use super::elementwise::value;
use super::{PLACES, WIDTH, dims, empty, vector_width, workgroups};
use crate::device::ConvShape;

mod depthwise;
mod direct;

use depthwise::{depthwise_backward_kernel, depthwise_kernel};
pub(super) use direct::{conv_backward_kernel, conv_kernel};

/// Whether there is a kernel for weights `[O, I / groups, h, w]`.
pub fn supports([outputs, inputs, ..]: [usize; 4], groups: usize) -> bool {
    outputs.is_multiple_of(WIDTH) && (groups == 1 || (groups == outputs && inputs == 1))
}

/// The same weights `[O, I / groups, h, w]`, stored with the inputs last; of a depthwise
/// convolution with the channels last.
pub fn lay_out(weight: Tensor<4>, depthwise: bool) -> Tensor<4> {
    let order: [isize; 4] = if depthwise { [2, 3, 0, 1] } else { [0, 2, 3, 1] };
    let back: [isize; 4] = if depthwise { [2, 3, 0, 1] } else { [0, 3, 1, 2] };
    let ordered = weight.permute(order);
    let dims = ordered.dims();
    // Only a reshape writes a tensor anew.
    ordered.reshape([dims.iter().product::<usize>()]).reshape(dims).permute(back)
}

/// `[N, I, H, W] -> [N, O, h, w]`, then an activation function: of a tracked input one whose value
/// determines its slope. Weights are laid out by [`lay_out`]; like the bias `[O]` they receive no
/// gradient.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, shape: ConvShape, act: Option<Act>) -> Tensor<4> {
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Operations>::gpu_conv2d(x.into_dispatch(), weight, bias, shape, act))
}

pub(super) fn launch_conv2d(
    x: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    shape: &ConvShape,
    act: Option<Act>,
) -> CubeTensor {
    let x = channels_last(x);
    let [outputs, ..] = dims(&weight);
    let [n, _, _, inputs] = dims(&x);
    let [h, w] = shape.output;
    let y = empty(&x, [n, h, w, outputs]);
    let places = n * h * w;
    let arguments = shape.arguments(places, inputs, outputs);
    let (weight, bias) = (stored(weight, shape.depthwise()), into_contiguous(bias));
    let padded = shape.padding != [(0, 0); 2];
    let width = vector_width(inputs);
    let threads = if shape.depthwise() { places } else { places.div_ceil(PLACES) } * (outputs / WIDTH);
    let (client, count, dim) = workgroups(&y, threads);
    let (x, weight, bias) = (x.into_buffer_arg(), weight.into_buffer_arg(), bias.into_buffer_arg());
    let out = y.clone().into_buffer_arg();
    if shape.depthwise() {
        depthwise_kernel::launch(&client, count, dim, WIDTH, x, weight, bias, out, arguments, padded, act);
    } else {
        conv_kernel::launch(&client, count, dim, width, WIDTH, x, weight, bias, out, arguments, padded, act);
    }
    permute(y, &[0, 3, 1, 2])
}

pub(super) fn launch_conv2d_backward(weight: CubeTensor, gradient: CubeTensor, shape: &ConvShape) -> CubeTensor {
    let gradient = channels_last(gradient);
    let [outputs, inputs, ..] = dims(&weight);
    let inputs = if shape.depthwise() { outputs } else { inputs };
    let [n, ..] = dims(&gradient);
    let [h, w] = shape.input;
    let x = empty(&gradient, [n, h, w, inputs]);
    let places = n * h * w;
    let arguments = shape.arguments(places, inputs, outputs);
    let weight = stored(weight, shape.depthwise());
    // Without padding, too, a place near the border is in reach of fewer windows.
    let padded = shape.kernel != [1, 1];
    let width = vector_width(inputs);
    let threads = if shape.depthwise() { places } else { places.div_ceil(PLACES) } * (inputs / width);
    let (client, count, dim) = workgroups(&x, threads);
    let (weight, gradient, out) = (weight.into_buffer_arg(), gradient.into_buffer_arg(), x.clone().into_buffer_arg());
    if shape.depthwise() {
        depthwise_backward_kernel::launch(&client, count, dim, WIDTH, weight, gradient, out, arguments);
    } else {
        conv_backward_kernel::launch(&client, count, dim, width, WIDTH, weight, gradient, out, arguments, padded);
    }
    permute(x, &[0, 3, 1, 2])
}

/// `[N, C, H, W]` to `[N, H, W, C]`, stored so.
fn channels_last(x: CubeTensor) -> CubeTensor {
    into_contiguous(permute(x, &[0, 2, 3, 1]))
}

/// Weights as the kernels read them: no copy of what [`lay_out`] gave.
fn stored(weight: CubeTensor, depthwise: bool) -> CubeTensor {
    into_contiguous(permute(weight, if depthwise { &[2, 3, 0, 1] } else { &[0, 2, 3, 1] }))
}

/// A kernel's arguments: a [`ConvShape`], and how many places and channels there are.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Arguments {
    input_height: u32,
    input_width: u32,
    output_height: u32,
    output_width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride: u32,
    dilation: u32,
    above: u32,
    left: u32,
    /// Of the result, in all images.
    places: u32,
    inputs: u32,
    outputs: u32,
}

impl ConvShape {
    /// That of a linear layer on so many rows: a convolution by 1 x 1 of a column of places.
    pub(super) fn of_rows(rows: usize, inputs: usize, outputs: usize) -> Self {
        let (size, padding) = ([rows, 1], [(0, 0); 2]);
        let (kernel, stride, dilation) = ([1, 1], 1, 1);
        Self { inputs, outputs, groups: 1, kernel, stride, dilation, padding, input: size, output: size }
    }

    pub(super) fn arguments(&self, places: usize, inputs: usize, outputs: usize) -> ArgumentsLaunch {
        let n = |value: usize| value as u32;
        ArgumentsLaunch::new(
            n(self.input[0]),
            n(self.input[1]),
            n(self.output[0]),
            n(self.output[1]),
            n(self.kernel[0]),
            n(self.kernel[1]),
            n(self.stride),
            n(self.dilation),
            n(self.padding[0].0),
            n(self.padding[1].0),
            n(places),
            n(inputs),
            n(outputs),
        )
    }
}

/// `x` through the activation function, where there is one.
#[cube]
fn activated<N: Size>(x: Vector<f32, N>, #[comptime] act: Option<Act>) -> Vector<f32, N> {
    if comptime![act.is_some()] { value::<N>(x, comptime![act.unwrap_or(Act::Relu)]) } else { x }
}
