//! From a photo's encoded bytes to what a model takes.

#![warn(clippy::indexing_slicing)]

pub mod decode;
mod part;
pub mod preprocess;
pub mod resize;

pub use decode::Photo;
