//! From encoded bytes to a model's input.

mod decode;
mod files;
mod memory;
mod preprocess;
mod resize;
mod scaled;
