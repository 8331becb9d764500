//! Kernels of depthwise convolutions.

use burn_cubecl::cubecl;
use burn_cubecl::cubecl::prelude::*;
use sightline_kernels::Act;

use super::{Arguments, activated};
use crate::device::webgpu::WIDTH;

/// Each thread: a place and `N` channels, each by its own kernel.
#[cube(launch)]
pub fn depthwise_kernel<N: Size>(
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
    y[(place * blocks + block) as usize] = activated::<N>(sum, act);
}

/// Each thread: a place of the input and `N` channels.
#[cube(launch)]
pub fn depthwise_backward_kernel<N: Size>(
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
