//! What everything that changes the photo goes through: the running call, what a reader of its
//! result should know, and what takes the place of pixels.

pub mod control;
pub mod fill;
pub mod warning;
