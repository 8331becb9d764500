//! Random numbers: the same seed, the same numbers, on every device and for every chunk size.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// The generator of part `index` (a sample, a mask) of a seeded method; parts are independent,
/// whatever the order of drawing.
pub fn stream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(index);
    generator
}
