/// Knuth's linear congruential generator (MMIX): its states from `state` on, of which the high bits
/// are the good ones.
pub fn lcg(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    }
}

/// Numbers without a pattern, between -0.5 and 0.5.
pub fn noise(seed: u64, length: usize) -> Vec<f32> {
    let mut next = lcg(seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1));
    (0..length).map(|_| (next() >> 40) as f32 / (1u32 << 24) as f32 - 0.5).collect()
}

/// Seeded standard normal numbers, by Box and Muller.
pub fn normal(count: usize) -> Vec<f32> {
    let mut next = lcg(3);
    let mut uniform = || ((next() >> 33) as f64 + 0.5) / f64::from(1u32 << 31);
    let mut draw = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..count).map(|_| draw() as f32).collect()
}
