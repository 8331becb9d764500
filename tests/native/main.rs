//! The native tests, in one program: each that linked burn by itself took its time and its disk.
//! Rooms are those of `src/`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that panics has failed")]

mod builtins;
#[path = "../common/mod.rs"]
mod common;
mod docs;
mod explain;
mod math;
mod methods;
mod nn;
mod package;
mod photo;
