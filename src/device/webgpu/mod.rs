//! WebGPU: kernels in place of burn's where those are slow in a browser.

pub mod conv;
pub mod elementwise;
