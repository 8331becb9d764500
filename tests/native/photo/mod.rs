//! From encoded bytes to a model's input.

mod decode;
mod preprocess;
mod resize;
