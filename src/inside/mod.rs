//! What is inside a model: one file per part that can be inspected.

pub mod heads;
