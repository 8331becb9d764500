//! Gradients along a path from a baseline.

pub mod blur_ig;
pub mod felzenszwalb;
pub mod guided_ig;
pub mod integrated_gradients;
pub mod xrai;
