//! Hot loops on plain slices, for one thread and 128-bit SIMD (wasm's `simd128`; SSE2 and NEON
//! natively, plain code elsewhere).
//!
//! Everything is row-major `f32`. The caller sees to it that lengths fit: a slice that is too short
//! panics and is never read beyond its end.

#![forbid(unsafe_code)]

pub mod act;
pub mod attention;
pub mod conv;
pub mod gemm;
pub mod geometry;
pub mod norm;
pub mod pool;

pub use act::Act;

#[cfg(test)]
mod tests {
    /// Numbers in [-1, 1).
    pub fn noise(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// Asserts that `dx` is the derivative at `x` of the product of `f` with `gradient`, by central
    /// differences.
    pub fn derivative(x: &[f32], gradient: &[f32], dx: &[f32], f: impl Fn(&[f32]) -> Vec<f32>) {
        let step = 1.0 / 128.0;
        for at in (0..x.len()).step_by(x.len().div_ceil(40)) {
            let moved = |by: f32| {
                let mut moved = x.to_vec();
                moved[at] += by;
                f(&moved).iter().zip(gradient).map(|(y, g)| f64::from(*y) * f64::from(*g)).sum::<f64>()
            };
            let near = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            let far = (moved(2.0 * step) - moved(-2.0 * step)) / f64::from(4.0 * step);
            // Richardson's extrapolation.
            let expected = (4.0 * near - far) / 3.0;
            assert!(
                (f64::from(dx[at]) - expected).abs() < 2e-3 * expected.abs().max(1.0),
                "{} is not {expected} at {at}",
                dx[at]
            );
        }
    }
}
