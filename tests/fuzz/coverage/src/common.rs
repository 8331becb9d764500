//! What the driver takes from the tests.

#[path = "../../../common/alloc.rs"]
pub mod alloc;
