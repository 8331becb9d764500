//! Numerical methods on plain numbers, which know nothing of photos, networks or methods.

pub mod grid;
pub mod quadrature;
pub mod random;
pub mod superpixels;
