//! What a method asks with: the running call and its warnings, and what takes the place of hidden
//! pixels. The loops over changed inputs will move here when metrics need them, too.

pub mod control;
pub mod fill;
pub mod warning;
