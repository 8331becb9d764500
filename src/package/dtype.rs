//! Stored numbers as f32.

use safetensors::Dtype;

/// The values of bytes that a file stores as F16, BF16 or F32, little-endian.
pub fn to_f32(bytes: &[u8], dtype: Dtype) -> Vec<f32> {
    let halves = bytes.as_chunks::<2>().0.iter();
    match dtype {
        Dtype::F16 => halves.map(|&b| half::f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => halves.map(|&b| half::bf16::from_le_bytes(b).to_f32()).collect(),
        _ => bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
    }
}
