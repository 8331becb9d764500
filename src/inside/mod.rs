//! What is inside a model: one file a thing that can be looked at.

pub mod heads;
