//! Where tensors are computed.

pub mod cpu;
pub mod positive_gradient;
