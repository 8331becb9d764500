//! What everything that changes the photo goes through: the running call, and what takes the place
//! of pixels.

pub mod control;
pub mod fill;
