//! Kernels of our own for WebGPU, in place of burn 0.22.1's where those are slow in a browser
//! (docs/webgpu.md has the figures).
//!
//! * burn has no kernel for activation functions, layer norm and softmax and composes them (sigmoid
//!   of 6 launches, layer norm of 9, the gradient of a clamp of 6 that also leave the channels-last
//!   layout of convolutions). Its fusion would merge these launches, but takes more to download
//!   than it saves. Every launch costs about 40 µs of wasm time and a trip through the GPU's
//!   memory. [`elementwise`] and [`norm`] have one kernel forward and one backward.
//! * Its convolutions without autotune, which cannot run in a browser, compute one place and four
//!   channels per thread and so read five vectors for every sixteen products; depthwise ones read
//!   single numbers. Its matrix products go through shared memory with barriers, and their shaders
//!   take a second each to compile on a software adapter. In [`conv`] and [`matmul`] a thread keeps
//!   four places by four channels in registers: eight vectors for sixty-four products, no barriers,
//!   and a layer's bias and activation function in the same launch.
//! * Left to burn: other groups than one or one per channel, the gradients of strided convolutions
//!   that are not depthwise, and layers whose outputs are no multiple of four.
//!
//! All is of f32. The operations go through burn's extension point, as the CPU's do (`autodiff`).

use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

mod autodiff;
pub mod conv;
pub mod elementwise;
pub mod matmul;
pub mod norm;

/// Places that a thread computes.
const PLACES: usize = 4;
/// Channels in a vector.
const WIDTH: usize = 4;

fn dims(tensor: &CubeTensor) -> [usize; 4] {
    tensor.meta.shape().dims()
}

fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), Shape::new(shape), like.dtype)
}

/// How many numbers of an axis of so many are read at once.
fn vector_width(size: usize) -> usize {
    if size.is_multiple_of(WIDTH) { WIDTH } else { 1 }
}

/// The client and the workgroups of a launch of so many threads.
fn workgroups(out: &CubeTensor, threads: usize) -> (cubecl::client::Client, CubeCount, CubeDim) {
    let client = out.client.clone();
    let dim = CubeDim::new(&client, threads);
    let count = calculate_cube_count_elemwise(&client, threads, dim);
    (client, count, dim)
}
