//! From a photo's encoded bytes to what a model takes.

pub mod decode;
pub use decode::*;
pub mod preprocess;
