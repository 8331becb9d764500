//! Kernels of convolutions whose outputs each see every input channel.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use sightline_kernels::Act;

use super::{Arguments, activated};
use crate::device::webgpu::{PLACES, WIDTH};

/// Each thread: `PLACES` places and `M` outputs; reads `N` inputs at once.
#[cube(launch)]
pub fn conv_kernel<N: Size, M: Size>(
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
            y[((first + p as u32) * blocks + block) as usize] = activated::<M>(sums[p], act);
        }
    }
}

/// Each thread: `PLACES` places and `N` channels of the input's gradient, of a convolution of
/// stride 1; reads `M` outputs' gradients at once.
#[cube(launch)]
pub fn conv_backward_kernel<N: Size, M: Size>(
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
