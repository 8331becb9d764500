//! What the driver takes from the tests.

#[path = "../../../common/alloc.rs"]
pub mod alloc;

#[path = "../../../common/now.rs"]
mod now;

pub use now::now;
