//! Convolutions, linear layers and attention's products on WebGPU: kernels that keep a block of results in registers, a layer's bias in the
//! same launch.
//!
//! burn 0.22.1's convolutions without autotune (which cannot run in a browser, docs/webgpu.md) compute one place and four channels per
//! thread and so read five vectors for every sixteen products; depthwise ones read single numbers. Its matrix products go through shared
//! memory with barriers, and their shaders take a second each to compile on a software adapter. Here a thread has four places and four
//! channels: eight vectors for sixty-four products, no barriers. Weights are laid out once, at load ([`lay_out`]); burn's convolutions
//! copied them in every pass. Left to burn: other groups than one or one per channel, the gradients of strided convolutions that are not
//! depthwise, and layers whose outputs are no multiple of four.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, backend_extension};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Shape, Tensor};
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::permute;
use burn_cubecl::tensor::CubeTensor;

use crate::fused;
use crate::layers::Act;

/// Places that a thread computes.
const PLACES: usize = 4;
/// Channels in a vector.
const WIDTH: usize = 4;

/// A convolution's geometry; it has one group, or one per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Input height and width.
    pub input: [usize; 2],
    /// Output height and width.
    pub output: [usize; 2],
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: usize,
    /// Dilation.
    pub dilation: usize,
    /// Padding (begin, end) of rows and columns.
    pub padding: [(usize, usize); 2],
    /// Whether every channel has a kernel of its own.
    pub depthwise: bool,
}

/// Whether there is a kernel for weights `[O, I / groups, h, w]`.
pub fn supports([outputs, inputs, ..]: [usize; 4], groups: usize) -> bool {
    outputs.is_multiple_of(WIDTH) && (groups == 1 || (groups == outputs && inputs == 1))
}

/// The same weights `[O, I / groups, h, w]`, stored with the inputs last; of a depthwise convolution with the channels last.
pub fn lay_out(weight: Tensor<4>, depthwise: bool) -> Tensor<4> {
    let order: [isize; 4] = if depthwise { [2, 3, 0, 1] } else { [0, 2, 3, 1] };
    let back: [isize; 4] = if depthwise { [2, 3, 0, 1] } else { [0, 3, 1, 2] };
    let ordered = weight.permute(order);
    let dims = ordered.dims();
    // Only a reshape writes a tensor anew.
    ordered.reshape([dims.iter().product::<usize>()]).reshape(dims).permute(back)
}

/// `[N, I, H, W] -> [N, O, h, w]` and an activation function, of a tracked input one whose value tells its slope; weights laid out by [`lay_out`], which like the bias `[O]` receive no gradient.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, geometry: Geometry, act: Option<Act>) -> Tensor<4> {
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Products>::blocked_conv2d(x.into_dispatch(), weight, bias, geometry, act))
}

/// Whether there is a kernel for a linear layer with this bias `[out]`.
pub fn supports_linear(bias: &Tensor<1>) -> bool {
    let [outputs] = bias.dims();
    outputs.is_multiple_of(WIDTH)
}

/// A linear layer on the last axis, `[N, T, in] -> [N, T, out]`, and an activation function as that of [`conv2d`]; weights `[out, in]` and bias `[out]` receive no gradient.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>, act: Option<Act>) -> Tensor<3> {
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Products>::blocked_linear(x.into_dispatch(), weight, bias, act))
}

/// `scale` times the products of each row of `q` `[N, heads, T, d]` with each of `k`, likewise: `[N, heads, T, T]`.
pub fn scores(q: Tensor<4>, k: Tensor<4>, scale: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Products>::blocked_scores(q.into_dispatch(), k.into_dispatch(), scale as f32))
}

/// The rows of `v` `[N, heads, T, d]`, weighed by `attention` `[N, heads, T, T]`: `[N, heads, T, d]`.
pub fn mix(attention: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Products>::blocked_mix(attention.into_dispatch(), v.into_dispatch()))
}

#[backend_extension(Cube, Autodiff)]
trait Products: Backend {
    fn blocked_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        act: Option<Act>,
    ) -> FloatTensor<Self>;
    fn blocked_scores(q: FloatTensor<Self>, k: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;
    fn blocked_mix(attention: FloatTensor<Self>, v: FloatTensor<Self>) -> FloatTensor<Self>;
    fn blocked_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        act: Option<Act>,
    ) -> FloatTensor<Self>;
}

trait Backwards: Products + fused::Backwards {
    /// What the input receives of `gradient`; strides only of depthwise convolutions.
    fn blocked_conv2d_backward(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        geometry: Geometry,
    ) -> FloatTensor<Self>;
    /// `gradient` times the weights.
    fn blocked_linear_backward(weight: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
    /// `[.., I, K]` or, `transposed`, `[.., K, I]` times `[.., K, J]`, times `scale`.
    fn blocked_sum(a: FloatTensor<Self>, b: FloatTensor<Self>, transposed: bool, scale: f32) -> FloatTensor<Self>;
}

impl Products for Cube {
    fn blocked_linear(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, act: Option<Act>) -> CubeTensor {
        let (x, weight, bias) = (into_contiguous(x), into_contiguous(weight), into_contiguous(bias));
        let [n, rows, inputs] = x.meta.shape().dims();
        let [outputs, _] = weight.meta.shape().dims();
        let y = empty(&x, [n, rows, outputs]);
        let geometry = Geometry::of_rows(n * rows);
        let arguments = geometry.arguments(n * rows, inputs, outputs);
        let (client, count, dim) = grid(&y, (n * rows).div_ceil(PLACES) * (outputs / WIDTH));
        let (x, weight, bias) = (x.into_buffer_arg(), weight.into_buffer_arg(), bias.into_buffer_arg());
        let out = y.clone().into_buffer_arg();
        conv_kernel::launch(&client, count, dim, width(inputs), WIDTH, x, weight, bias, out, arguments, false, act);
        y
    }

    fn blocked_scores(q: CubeTensor, k: CubeTensor, scale: f32) -> CubeTensor {
        let (q, k) = (into_contiguous(q), into_contiguous(k));
        let [n, heads, rows, depth] = dims(&q);
        let columns = dims(&k)[2];
        let y = empty(&q, [n, heads, rows, columns]);
        let threads = n * heads * rows.div_ceil(PLACES) * columns.div_ceil(WIDTH);
        let (client, count, dim) = grid(&y, threads);
        let (q, k, out) = (q.into_buffer_arg(), k.into_buffer_arg(), y.clone().into_buffer_arg());
        let [n, rows, columns, depth32] = [n * heads, rows, columns, depth].map(|size| size as u32);
        let sizes = SizesLaunch::new(n, rows, columns, depth32);
        rows_by_rows_kernel::launch(&client, count, dim, width(depth), q, k, out, sizes, scale);
        y
    }

    fn blocked_mix(attention: CubeTensor, v: CubeTensor) -> CubeTensor {
        Self::blocked_sum(attention, v, false, 1.0)
    }

    fn blocked_conv2d(
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        geometry: Geometry,
        act: Option<Act>,
    ) -> CubeTensor {
        let x = channels_last(x);
        let [outputs, ..] = dims(&weight);
        let [n, _, _, inputs] = dims(&x);
        let [h, w] = geometry.output;
        let y = empty(&x, [n, h, w, outputs]);
        let places = n * h * w;
        let arguments = geometry.arguments(places, inputs, outputs);
        let (weight, bias) = (stored(weight, geometry.depthwise), into_contiguous(bias));
        let padded = geometry.padding != [(0, 0); 2];
        let width = width(inputs);
        let threads = if geometry.depthwise { places } else { places.div_ceil(PLACES) } * (outputs / WIDTH);
        let (client, count, dim) = grid(&y, threads);
        let (x, weight, bias) = (x.into_buffer_arg(), weight.into_buffer_arg(), bias.into_buffer_arg());
        let out = y.clone().into_buffer_arg();
        if geometry.depthwise {
            depthwise_kernel::launch(&client, count, dim, WIDTH, x, weight, bias, out, arguments, padded, act);
        } else {
            conv_kernel::launch(&client, count, dim, width, WIDTH, x, weight, bias, out, arguments, padded, act);
        }
        permute(y, &[0, 3, 1, 2])
    }
}

impl Backwards for Cube {
    fn blocked_linear_backward(weight: CubeTensor, gradient: CubeTensor) -> CubeTensor {
        let (weight, gradient) = (into_contiguous(weight), into_contiguous(gradient));
        let [n, rows, outputs] = gradient.meta.shape().dims();
        let [_, inputs] = weight.meta.shape().dims();
        let x = empty(&gradient, [n, rows, inputs]);
        let geometry = Geometry::of_rows(n * rows);
        let arguments = geometry.arguments(n * rows, inputs, outputs);
        let width = width(inputs);
        let (client, count, dim) = grid(&x, (n * rows).div_ceil(PLACES) * (inputs / width));
        let (weight, gradient, out) =
            (weight.into_buffer_arg(), gradient.into_buffer_arg(), x.clone().into_buffer_arg());
        conv_backward_kernel::launch(&client, count, dim, width, WIDTH, weight, gradient, out, arguments, false);
        x
    }

    fn blocked_sum(a: CubeTensor, b: CubeTensor, transposed: bool, scale: f32) -> CubeTensor {
        let (a, b) = (into_contiguous(a), into_contiguous(b));
        let [n, heads, depth, columns] = dims(&b);
        let [_, _, first, second] = dims(&a);
        let rows = if transposed { second } else { first };
        let y = empty(&b, [n, heads, rows, columns]);
        let width = width(columns);
        let (client, count, dim) = grid(&y, n * heads * rows.div_ceil(PLACES) * (columns / width));
        let (a, b, out) = (a.into_buffer_arg(), b.into_buffer_arg(), y.clone().into_buffer_arg());
        let [n, rows, columns, depth] = [n * heads, rows, columns, depth].map(|size| size as u32);
        let sizes = SizesLaunch::new(n, rows, columns, depth);
        weighed_rows_kernel::launch(&client, count, dim, width, a, b, out, sizes, scale, transposed);
        y
    }

    fn blocked_conv2d_backward(weight: CubeTensor, gradient: CubeTensor, geometry: Geometry) -> CubeTensor {
        let gradient = channels_last(gradient);
        let [outputs, inputs, ..] = dims(&weight);
        let inputs = if geometry.depthwise { outputs } else { inputs };
        let [n, ..] = dims(&gradient);
        let [h, w] = geometry.input;
        let x = empty(&gradient, [n, h, w, inputs]);
        let places = n * h * w;
        let arguments = geometry.arguments(places, inputs, outputs);
        let weight = stored(weight, geometry.depthwise);
        // Without padding, too, a place near the border is in reach of fewer windows.
        let padded = geometry.kernel != [1, 1];
        let width = width(inputs);
        let threads = if geometry.depthwise { places } else { places.div_ceil(PLACES) } * (inputs / width);
        let (client, count, dim) = grid(&x, threads);
        let (weight, gradient, out) =
            (weight.into_buffer_arg(), gradient.into_buffer_arg(), x.clone().into_buffer_arg());
        if geometry.depthwise {
            depthwise_backward_kernel::launch(&client, count, dim, WIDTH, weight, gradient, out, arguments);
        } else {
            conv_backward_kernel::launch(&client, count, dim, width, WIDTH, weight, gradient, out, arguments, padded);
        }
        permute(x, &[0, 3, 1, 2])
    }
}

impl<B: Backwards, C: CheckpointStrategy> Products for Autodiff<B, C> {
    fn blocked_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        act: Option<Act>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LinearBackward;
        impl<B: Backwards> Backward<B, 1> for LinearBackward {
            type State = (FloatTensor<B>, Option<(FloatTensor<B>, Act)>);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (weight, value) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                    B::blocked_linear_backward(weight, before::<B>(value, gradient))
                });
            }
        }
        let prepared = Backward::<B, 1>::prepare::<C>(LinearBackward, [x.node()]).compute_bound().stateful();
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let y = B::blocked_linear(x, weight.clone(), bias, act);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((weight, act.map(|act| (y.clone(), act))), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn blocked_scores(q: FloatTensor<Self>, k: FloatTensor<Self>, scale: f32) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ScoresBackward;
        impl<B: Backwards> Backward<B, 2> for ScoresBackward {
            type State = (FloatTensor<B>, FloatTensor<B>, f32);
            fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (q, k, scale) = ops.state;
                binary::<B, _, _>(
                    ops.parents,
                    ops.node,
                    gradients,
                    |gradient| B::blocked_sum(gradient, k, false, scale),
                    |gradient| B::blocked_sum(gradient, q, true, scale),
                );
            }
        }
        let prepared = Backward::<B, 2>::prepare::<C>(ScoresBackward, [q.node(), k.node()]).compute_bound().stateful();
        let (q, k) = (q.into_primitive(), k.into_primitive());
        let y = B::blocked_scores(q.clone(), k.clone(), scale);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((q, k, scale), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn blocked_mix(attention: FloatTensor<Self>, v: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct MixBackward;
        impl<B: Backwards> Backward<B, 2> for MixBackward {
            type State = (FloatTensor<B>, FloatTensor<B>);
            fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (attention, v) = ops.state;
                binary::<B, _, _>(
                    ops.parents,
                    ops.node,
                    gradients,
                    |gradient| B::blocked_scores(gradient, v, 1.0),
                    |gradient| B::blocked_sum(attention, gradient, true, 1.0),
                );
            }
        }
        let prepared =
            Backward::<B, 2>::prepare::<C>(MixBackward, [attention.node(), v.node()]).compute_bound().stateful();
        let (attention, v) = (attention.into_primitive(), v.into_primitive());
        let y = B::blocked_mix(attention.clone(), v.clone());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((attention, v), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn blocked_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        geometry: Geometry,
        act: Option<Act>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ConvBackward;
        impl<B: Backwards> Backward<B, 1> for ConvBackward {
            /// The input, where burn needs its shape, the weights, the geometry, the value where an activation function made it.
            type State = (Option<FloatTensor<B>>, FloatTensor<B>, Geometry, Option<(FloatTensor<B>, Act)>);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (x, weight, geometry, value) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                    let gradient = before::<B>(value, gradient);
                    let Some(x) = x else { return B::blocked_conv2d_backward(weight, gradient, geometry) };
                    let Geometry { stride, dilation, padding, .. } = geometry;
                    let options = ConvOptions { stride: [stride; 2], padding, dilation: [dilation; 2], groups: 1 };
                    B::conv2d_x_backward(x, weight, gradient, options)
                });
            }
        }
        let prepared = Backward::<B, 1>::prepare::<C>(ConvBackward, [x.node()]).compute_bound().stateful();
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let kept = (geometry.stride > 1 && !geometry.depthwise).then(|| x.clone());
                let y = B::blocked_conv2d(x, weight.clone(), bias, geometry.clone(), act);
                prepared.finish((kept, weight, geometry, act.map(|act| (y.clone(), act))), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::blocked_conv2d(x, weight, bias, geometry, act)),
        }
    }
}

/// The gradient before an activation function whose slope its value tells.
fn before<B: Backwards>(value: Option<(FloatTensor<B>, Act)>, gradient: FloatTensor<B>) -> FloatTensor<B> {
    match value {
        Some((value, act)) => B::act_backward(value, gradient, act),
        None => gradient,
    }
}

fn dims(tensor: &CubeTensor) -> [usize; 4] {
    tensor.meta.shape().dims()
}

/// `[N, C, H, W]` to `[N, H, W, C]`, stored so.
fn channels_last(x: CubeTensor) -> CubeTensor {
    into_contiguous(permute(x, &[0, 2, 3, 1]))
}

/// Weights as the kernels read them: no copy where [`lay_out`] was there.
fn stored(weight: CubeTensor, depthwise: bool) -> CubeTensor {
    into_contiguous(permute(weight, if depthwise { &[2, 3, 0, 1] } else { &[0, 2, 3, 1] }))
}

fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), Shape::new(shape), like.dtype)
}

/// How many numbers of an axis of so many are read at once.
fn width(size: usize) -> usize {
    if size.is_multiple_of(WIDTH) { WIDTH } else { 1 }
}

fn grid(out: &CubeTensor, threads: usize) -> (cubecl::client::Client, CubeCount, CubeDim) {
    let client = out.client.clone();
    let dim = CubeDim::new(&client, threads);
    let count = calculate_cube_count_elemwise(&client, threads, dim);
    (client, count, dim)
}

/// What a kernel is told: a [`Geometry`] and how much there is.
#[derive(CubeLaunch, CubeType)]
struct Arguments {
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

impl Geometry {
    /// A linear layer's, which is a convolution of a column of places by 1 x 1.
    fn of_rows(rows: usize) -> Self {
        Self {
            input: [rows, 1],
            output: [rows, 1],
            kernel: [1, 1],
            stride: 1,
            dilation: 1,
            padding: [(0, 0); 2],
            depthwise: false,
        }
    }

    fn arguments(&self, places: usize, inputs: usize, outputs: usize) -> ArgumentsLaunch {
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

#[cube]
fn followed<N: Size>(x: Vector<f32, N>, #[comptime] act: Option<Act>) -> Vector<f32, N> {
    if comptime![act.is_some()] { fused::value::<N>(x, comptime![act.unwrap_or(Act::Relu)]) } else { x }
}

/// Each thread: `PLACES` places and `M` outputs; reads `N` inputs at once.
#[cube(launch)]
fn conv_kernel<N: Size, M: Size>(
    x: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, M>],
    y: &mut [Vector<f32, M>],
    a: Arguments,
    #[comptime] padded: bool,
    #[comptime] act: Option<Act>,
) {
    let n = x.vector_size();
    let blocks = a.outputs / WIDTH as u32;
    let block = ABSOLUTE_POS as u32 % blocks;
    let first = ABSOLUTE_POS as u32 / blocks * PLACES as u32;
    if first >= a.places {
        terminate!();
    }
    let mut image = Array::<u32>::new(PLACES);
    let mut top = Array::<i32>::new(PLACES);
    let mut left = Array::<i32>::new(PLACES);
    let mut at = Array::<u32>::new(PLACES);
    let mut inside = Array::<bool>::new(PLACES);
    let mut sums = Array::<Vector<f32, M>>::new(PLACES);
    #[unroll]
    for p in 0..PLACES {
        // Places behind the last are computed as the last and not written.
        let place = (first + p as u32).min(a.places - 1);
        let column = place % a.output_width;
        let rest = place / a.output_width;
        image[p] = rest / a.output_height * a.input_height * a.input_width;
        top[p] = (rest % a.output_height * a.stride) as i32 - a.above as i32;
        left[p] = (column * a.stride) as i32 - a.left as i32;
        inside[p] = true;
        sums[p] = bias[block as usize];
    }
    let channels = a.inputs / n as u32;
    let kernel = a.kernel_height * a.kernel_width * channels;
    for ky in 0..a.kernel_height {
        for kx in 0..a.kernel_width {
            #[unroll]
            for p in 0..PLACES {
                let row = top[p] + (ky * a.dilation) as i32;
                let column = left[p] + (kx * a.dilation) as i32;
                if padded {
                    inside[p] = row >= 0 && row < a.input_height as i32 && column >= 0 && column < a.input_width as i32;
                }
                let place = image[p] + row as u32 * a.input_width + column as u32;
                at[p] = select(inside[p], place * channels, 0u32);
            }
            let here = block * WIDTH as u32 * kernel + (ky * a.kernel_width + kx) * channels;
            for c in 0..channels {
                let mut w = Array::<Vector<f32, N>>::new(WIDTH);
                #[unroll]
                for o in 0..WIDTH {
                    w[o] = weight[(here + o as u32 * kernel + c) as usize];
                }
                #[unroll]
                for p in 0..PLACES {
                    let mut value = x[(at[p] + c) as usize];
                    if padded {
                        value = select(inside[p], value, Vector::new(0f32));
                    }
                    let mut added = sums[p];
                    #[unroll]
                    for o in 0..WIDTH {
                        let product = value * w[o];
                        let mut sum = added.extract(o);
                        #[unroll]
                        for i in 0..n {
                            sum += product.extract(i);
                        }
                        added.insert(o, sum);
                    }
                    sums[p] = added;
                }
            }
        }
    }
    #[unroll]
    for p in 0..PLACES {
        if first + (p as u32) < a.places {
            y[((first + p as u32) * blocks + block) as usize] = followed::<M>(sums[p], act);
        }
    }
}

/// Each thread: `PLACES` places and `N` channels of the input's gradient, of a convolution of stride 1; reads `M` outputs' gradients at once.
#[cube(launch)]
fn conv_backward_kernel<N: Size, M: Size>(
    weight: &[Vector<f32, N>],
    gradient: &[Vector<f32, M>],
    out: &mut [Vector<f32, N>],
    a: Arguments,
    #[comptime] padded: bool,
) {
    let blocks = a.inputs / weight.vector_size() as u32;
    let block = ABSOLUTE_POS as u32 % blocks;
    let first = ABSOLUTE_POS as u32 / blocks * PLACES as u32;
    if first >= a.places {
        terminate!();
    }
    let mut image = Array::<u32>::new(PLACES);
    let mut top = Array::<i32>::new(PLACES);
    let mut left = Array::<i32>::new(PLACES);
    let mut at = Array::<u32>::new(PLACES);
    let mut inside = Array::<bool>::new(PLACES);
    let mut sums = Array::<Vector<f32, N>>::new(PLACES);
    #[unroll]
    for p in 0..PLACES {
        let place = (first + p as u32).min(a.places - 1);
        let column = place % a.input_width;
        let rest = place / a.input_width;
        image[p] = rest / a.input_height * a.output_height * a.output_width;
        top[p] = (rest % a.input_height + a.above) as i32;
        left[p] = (column + a.left) as i32;
        inside[p] = true;
        sums[p] = Vector::new(0f32);
    }
    let vectors = a.outputs / WIDTH as u32;
    let kernel = a.kernel_height * a.kernel_width * blocks;
    for ky in 0..a.kernel_height {
        for kx in 0..a.kernel_width {
            #[unroll]
            for p in 0..PLACES {
                let row = top[p] - (ky * a.dilation) as i32;
                let column = left[p] - (kx * a.dilation) as i32;
                if padded {
                    inside[p] =
                        row >= 0 && row < a.output_height as i32 && column >= 0 && column < a.output_width as i32;
                }
                let place = image[p] + row as u32 * a.output_width + column as u32;
                at[p] = select(inside[p], place * vectors, 0u32);
            }
            let here = (ky * a.kernel_width + kx) * blocks + block;
            for c in 0..vectors {
                let mut w = Array::<Vector<f32, N>>::new(WIDTH);
                #[unroll]
                for o in 0..WIDTH {
                    w[o] = weight[(here + (c * WIDTH as u32 + o as u32) * kernel) as usize];
                }
                #[unroll]
                for p in 0..PLACES {
                    let mut value = gradient[(at[p] + c) as usize];
                    if padded {
                        value = select(inside[p], value, Vector::new(0f32));
                    }
                    #[unroll]
                    for o in 0..WIDTH {
                        sums[p] += Vector::new(value.extract(o)) * w[o];
                    }
                }
            }
        }
    }
    #[unroll]
    for p in 0..PLACES {
        if first + (p as u32) < a.places {
            out[((first + p as u32) * blocks + block) as usize] = sums[p];
        }
    }
}

/// Each thread: a place and `N` channels, each by its own kernel.
#[cube(launch)]
fn depthwise_kernel<N: Size>(
    x: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    a: Arguments,
    #[comptime] padded: bool,
    #[comptime] act: Option<Act>,
) {
    let blocks = a.outputs / WIDTH as u32;
    let block = ABSOLUTE_POS as u32 % blocks;
    let place = ABSOLUTE_POS as u32 / blocks;
    if place >= a.places {
        terminate!();
    }
    let rest = place / a.output_width;
    let image = rest / a.output_height * a.input_height;
    let top = (rest % a.output_height * a.stride) as i32 - a.above as i32;
    let left = (place % a.output_width * a.stride) as i32 - a.left as i32;
    let mut sum = bias[block as usize];
    for ky in 0..a.kernel_height {
        let row = top + (ky * a.dilation) as i32;
        for kx in 0..a.kernel_width {
            let column = left + (kx * a.dilation) as i32;
            let mut inside = true;
            if padded {
                inside = row >= 0 && row < a.input_height as i32 && column >= 0 && column < a.input_width as i32;
            }
            if inside {
                let at = ((image + row as u32) * a.input_width + column as u32) * blocks + block;
                sum += x[at as usize] * weight[((ky * a.kernel_width + kx) * blocks + block) as usize];
            }
        }
    }
    y[(place * blocks + block) as usize] = followed::<N>(sum, act);
}

/// Each thread: a place of the input and `N` channels.
#[cube(launch)]
fn depthwise_backward_kernel<N: Size>(
    weight: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    out: &mut [Vector<f32, N>],
    a: Arguments,
) {
    let blocks = a.outputs / WIDTH as u32;
    let block = ABSOLUTE_POS as u32 % blocks;
    let place = ABSOLUTE_POS as u32 / blocks;
    if place >= a.places {
        terminate!();
    }
    let rest = place / a.input_width;
    let image = rest / a.input_height * a.output_height;
    let top = (rest % a.input_height + a.above) as i32;
    let left = (place % a.input_width + a.left) as i32;
    let stride = a.stride as i32;
    let mut sum = Vector::new(0f32);
    for ky in 0..a.kernel_height {
        let row = top - (ky * a.dilation) as i32;
        for kx in 0..a.kernel_width {
            let column = left - (kx * a.dilation) as i32;
            // The windows that have this place under this element of the kernel.
            if row >= 0 && column >= 0 && row % stride == 0 && column % stride == 0 {
                let (y, x) = ((row / stride) as u32, (column / stride) as u32);
                if y < a.output_height && x < a.output_width {
                    let at = ((image + y) * a.output_width + x) * blocks + block;
                    sum += gradient[at as usize] * weight[((ky * a.kernel_width + kx) * blocks + block) as usize];
                }
            }
        }
    }
    out[(place * blocks + block) as usize] = sum;
}

/// Of a product of matrices, `batch` of them.
#[derive(CubeLaunch, CubeType)]
struct Sizes {
    batch: u32,
    rows: u32,
    columns: u32,
    depth: u32,
}

/// Each thread: `PLACES` rows and `WIDTH` columns of `scale` times the products of the rows of `a` `[rows, depth]` with those of `b`
/// `[columns, depth]`.
#[cube(launch)]
fn rows_by_rows_kernel<N: Size>(a: &[Vector<f32, N>], b: &[Vector<f32, N>], out: &mut [f32], s: Sizes, scale: f32) {
    let n = a.vector_size();
    let across = s.columns.div_ceil(WIDTH as u32);
    let down = s.rows.div_ceil(PLACES as u32);
    let column = ABSOLUTE_POS as u32 % across * WIDTH as u32;
    let rest = ABSOLUTE_POS as u32 / across;
    let row = rest % down * PLACES as u32;
    let image = rest / down;
    if image >= s.batch {
        terminate!();
    }
    let depth = s.depth / n as u32;
    let mut sums = Array::<f32>::new(PLACES * WIDTH);
    #[unroll]
    for i in 0..PLACES * WIDTH {
        sums[i] = 0f32;
    }
    // What lies behind the last row or column is computed as the last and not written.
    for c in 0..depth {
        let mut w = Array::<Vector<f32, N>>::new(WIDTH);
        #[unroll]
        for j in 0..WIDTH {
            w[j] = b[((image * s.columns + (column + j as u32).min(s.columns - 1)) * depth + c) as usize];
        }
        #[unroll]
        for p in 0..PLACES {
            let value = a[((image * s.rows + (row + p as u32).min(s.rows - 1)) * depth + c) as usize];
            #[unroll]
            for j in 0..WIDTH {
                let product = value * w[j];
                #[unroll]
                for i in 0..n {
                    sums[p * WIDTH + j] += product.extract(i);
                }
            }
        }
    }
    #[unroll]
    for p in 0..PLACES {
        #[unroll]
        for j in 0..WIDTH {
            if row + (p as u32) < s.rows && column + (j as u32) < s.columns {
                let at = (image * s.rows + row + p as u32) * s.columns + column + j as u32;
                out[at as usize] = sums[p * WIDTH + j] * scale;
            }
        }
    }
}

/// Each thread: `PLACES` rows and `N` columns of `scale` times `a` `[rows, depth]`, or `transposed` `[depth, rows]`, times `b`
/// `[depth, columns]`.
#[cube(launch)]
fn weighed_rows_kernel<N: Size>(
    a: &[f32],
    b: &[Vector<f32, N>],
    out: &mut [Vector<f32, N>],
    s: Sizes,
    scale: f32,
    #[comptime] transposed: bool,
) {
    let across = s.columns / b.vector_size() as u32;
    let down = s.rows.div_ceil(PLACES as u32);
    let column = ABSOLUTE_POS as u32 % across;
    let rest = ABSOLUTE_POS as u32 / across;
    let row = rest % down * PLACES as u32;
    let image = rest / down;
    if image >= s.batch {
        terminate!();
    }
    let mut sums = Array::<Vector<f32, N>>::new(PLACES);
    #[unroll]
    for p in 0..PLACES {
        sums[p] = Vector::new(0f32);
    }
    for c in 0..s.depth {
        let value = b[((image * s.depth + c) * across + column) as usize];
        #[unroll]
        for p in 0..PLACES {
            let row = (row + p as u32).min(s.rows - 1);
            let mut at = (image * s.rows + row) * s.depth + c;
            if transposed {
                at = (image * s.depth + c) * s.rows + row;
            }
            sums[p] += Vector::new(a[at as usize]) * value;
        }
    }
    #[unroll]
    for p in 0..PLACES {
        if row + (p as u32) < s.rows {
            out[((image * s.rows + row + p as u32) * across + column) as usize] = sums[p] * Vector::new(scale);
        }
    }
}
