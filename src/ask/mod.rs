//! What everything that changes the photo goes through.

pub mod fill;
