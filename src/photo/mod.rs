//! From a photo's encoded bytes to what a model takes.

#![warn(clippy::indexing_slicing)]

mod canvas;
pub mod decode;
mod formats;
pub mod limits;
mod part;
pub mod preprocess;
pub mod resize;

pub use decode::Photo;
use decode::orientation;
