//! What computes: the devices beside burn's own CPU operations.

#[cfg(feature = "webgpu")]
pub mod webgpu;
