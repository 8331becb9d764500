//! Products of matrices: linear layers, attention's scores and what it mixes, and their
//! derivatives.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use sightline_kernels::Act;

use super::autodiff::Operations;
use super::conv::{conv_backward_kernel, conv_kernel};
use super::{PLACES, WIDTH, dims, empty, vector_width, workgroups};
use crate::device::ConvShape;

/// Whether there is a kernel for a linear layer with this bias `[out]`.
pub fn supports_linear(bias: &Tensor<1>) -> bool {
    let [outputs] = bias.dims();
    outputs.is_multiple_of(WIDTH)
}

/// A linear layer on the last axis, `[N, T, in] -> [N, T, out]`, then an activation function: of a
/// tracked input one whose value determines its slope. Weights `[out, in]` and bias `[out]` receive
/// no gradient. It is a convolution by 1 x 1 of a column of places.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>, act: Option<Act>) -> Tensor<3> {
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Operations>::gpu_linear(x.into_dispatch(), weight, bias, act))
}

/// `scale` times the products of each row of `q` `[N, heads, T, d]` with each of `k`, likewise:
/// `[N, heads, T, T]`.
pub fn scores(q: Tensor<4>, k: Tensor<4>, scale: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Operations>::gpu_scores(q.into_dispatch(), k.into_dispatch(), scale as f32))
}

/// The rows of `v` `[N, heads, T, d]`, weighed by `attention` `[N, heads, T, T]`:
/// `[N, heads, T, d]`.
pub fn mix(attention: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Operations>::gpu_mix(attention.into_dispatch(), v.into_dispatch()))
}

pub(super) fn launch_linear(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, act: Option<Act>) -> CubeTensor {
    let (x, weight, bias) = (into_contiguous(x), into_contiguous(weight), into_contiguous(bias));
    let [n, rows, inputs] = x.meta.shape().dims();
    let [outputs, _] = weight.meta.shape().dims();
    let y = empty(&x, [n, rows, outputs]);
    let shape = ConvShape::of_rows(n * rows, inputs, outputs);
    let arguments = shape.arguments(n * rows, inputs, outputs);
    let (client, count, dim) = workgroups(&y, (n * rows).div_ceil(PLACES) * (outputs / WIDTH));
    let (x, weight, bias) = (x.into_buffer_arg(), weight.into_buffer_arg(), bias.into_buffer_arg());
    let out = y.clone().into_buffer_arg();
    conv_kernel::launch(&client, count, dim, vector_width(inputs), WIDTH, x, weight, bias, out, arguments, false, act);
    y
}

pub(super) fn launch_linear_backward(weight: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let (weight, gradient) = (into_contiguous(weight), into_contiguous(gradient));
    let [n, rows, outputs] = gradient.meta.shape().dims();
    let [_, inputs] = weight.meta.shape().dims();
    let x = empty(&gradient, [n, rows, inputs]);
    let shape = ConvShape::of_rows(n * rows, inputs, outputs);
    let arguments = shape.arguments(n * rows, inputs, outputs);
    let width = vector_width(inputs);
    let (client, count, dim) = workgroups(&x, (n * rows).div_ceil(PLACES) * (inputs / width));
    let (weight, gradient, out) = (weight.into_buffer_arg(), gradient.into_buffer_arg(), x.clone().into_buffer_arg());
    conv_backward_kernel::launch(&client, count, dim, width, WIDTH, weight, gradient, out, arguments, false);
    x
}

pub(super) fn launch_scores(q: CubeTensor, k: CubeTensor, scale: f32) -> CubeTensor {
    let (q, k) = (into_contiguous(q), into_contiguous(k));
    let [n, heads, rows, depth] = dims(&q);
    let columns = dims(&k)[2];
    let y = empty(&q, [n, heads, rows, columns]);
    let threads = n * heads * rows.div_ceil(PLACES) * columns.div_ceil(WIDTH);
    let (client, count, dim) = workgroups(&y, threads);
    let (q, k, out) = (q.into_buffer_arg(), k.into_buffer_arg(), y.clone().into_buffer_arg());
    let [n, rows, columns, depth32] = [n * heads, rows, columns, depth].map(|size| size as u32);
    let sizes = SizesLaunch::new(n, rows, columns, depth32);
    rows_by_rows_kernel::launch(&client, count, dim, vector_width(depth), q, k, out, sizes, scale);
    y
}

/// `[.., I, K]` or, `transposed`, `[.., K, I]` times `[.., K, J]`, times `scale`.
pub(super) fn launch_weighed_sum(a: CubeTensor, b: CubeTensor, transposed: bool, scale: f32) -> CubeTensor {
    let (a, b) = (into_contiguous(a), into_contiguous(b));
    let [n, heads, depth, columns] = dims(&b);
    let [_, _, first, second] = dims(&a);
    let rows = if transposed { second } else { first };
    let y = empty(&b, [n, heads, rows, columns]);
    let width = vector_width(columns);
    let (client, count, dim) = workgroups(&y, n * heads * rows.div_ceil(PLACES) * (columns / width));
    let (a, b, out) = (a.into_buffer_arg(), b.into_buffer_arg(), y.clone().into_buffer_arg());
    let [n, rows, columns, depth] = [n * heads, rows, columns, depth].map(|size| size as u32);
    let sizes = SizesLaunch::new(n, rows, columns, depth);
    weighed_rows_kernel::launch(&client, count, dim, width, a, b, out, sizes, scale, transposed);
    y
}

/// Of a product of matrices, `batch` of them.
#[derive(CubeLaunch, CubeType)]
struct Sizes {
    batch: u32,
    rows: u32,
    columns: u32,
    depth: u32,
}

/// Each thread: `PLACES` rows and `WIDTH` columns of `scale` times the products of the rows of `a`
/// `[rows, depth]` with those of `b` `[columns, depth]`.
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

/// Each thread: `PLACES` rows and `N` columns of `scale` times `a` `[rows, depth]`, or `transposed`
/// `[depth, rows]`, times `b` `[depth, columns]`.
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
