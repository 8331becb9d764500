//! Files to config and named tensors; knows no network, no model and no device.
//!
//! Packages are hostile input. The config is read with bounds on every dimension; the weights'
//! header is compared with the plan's tensors before memory for a single tensor is set aside
//! ([`crate::nn::load`]).

#![warn(clippy::indexing_slicing)]

pub mod args;
pub mod config;
pub mod dtype;
pub mod json;
pub mod limits;
pub mod pth;
pub mod sniff;

pub use args::Args;
pub use config::{Config, Keys};
