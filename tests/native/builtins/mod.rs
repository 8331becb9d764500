//! The models that the page brings along.

mod photos;
mod scenes;
