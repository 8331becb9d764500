//! Seeded changes to an input.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use sightline::math::random::stream;

/// Numbers from a seed.
pub struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(stream(seed, 0))
    }

    /// Below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end.max(1))
    }
}

/// Numbers at which readers go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x00ff_ffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fff0,
    u64::MAX,
];

/// Changes `input` in one to eight places; `dictionary` has the words of its format, `other` is an
/// input to take pieces from.
pub fn mutate(input: &mut Vec<u8>, random: &mut Random, dictionary: &[&[u8]], other: &[u8], most: usize) {
    for _ in 0..1 + random.below(8) {
        let at = random.below(input.len());
        match random.below(10) {
            0 if !input.is_empty() => input[at] ^= 1 << random.below(8),
            1 if !input.is_empty() => input[at] = random.below(256) as u8,
            2 => {
                let end = at + random.below(input.len() - at.min(input.len()) + 1).min(64);
                input.drain(at.min(input.len())..end.min(input.len()));
            }
            3 => {
                let piece: Vec<u8> = input.iter().skip(at).take(1 + random.below(64)).copied().collect();
                splice(input, at, &piece);
            }
            4 => input.truncate(at),
            5 | 6 if !dictionary.is_empty() => {
                let word = dictionary[random.below(dictionary.len())];
                // Over what is there, or between.
                if random.below(2) == 0 { overwrite(input, at, word) } else { splice(input, at, word) }
            }
            7 => {
                let edge = EDGES[random.below(EDGES.len())];
                let bytes = if random.below(2) == 0 { edge.to_le_bytes() } else { edge.to_be_bytes() };
                let width = [1, 2, 4, 8][random.below(4)];
                let part = if random.below(2) == 0 { &bytes[..width] } else { &bytes[8 - width..] };
                overwrite(input, at, part);
            }
            8 => {
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(256)).min(other.len())];
                splice(input, at, piece);
            }
            _ => {
                let digits = ["0", "-1", "1e9", "999999999999", "0.5", "NaN", "\"\"", "[]", "{}", "null"];
                overwrite(input, at, digits[random.below(digits.len())].as_bytes());
            }
        }
    }
    input.truncate(most);
}

fn overwrite(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = (at + bytes.len()).min(input.len());
    input.splice(at.min(end)..end, bytes.iter().copied());
}

fn splice(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let at = at.min(input.len());
    input.splice(at..at, bytes.iter().copied());
}
