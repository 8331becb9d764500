//! BMP: rows as they are, or run lengths.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use crate::error::{Error, Result};
use crate::photo::Photo;
use crate::photo::canvas::Layout;
use crate::photo::formats::{damaged, kept_bytes, whole};
use crate::photo::limits::{BMP_RUNS, check_claim, check_memory, check_size, pixels, unjustified};

pub(crate) fn decode(bytes: &[u8]) -> Result<Photo> {
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    match bits(bytes) {
        Some(bits) => {
            check_size(width, height)?;
            let needed = pixels(width, height) * u64::from(bits) / 8;
            if needed > bytes.len() as u64 {
                return unjustified(width, height, bytes.len());
            }
        }
        None => check_claim(width, height, bytes.len(), BMP_RUNS)?,
    }
    let layout = match decoder.color_type() {
        ColorType::Rgb8 => Layout::Rgb,
        ColorType::Rgba8 => Layout::Rgba,
        other => return Err(damaged("BMP", format!("{other:?}"))),
    };
    let size = decoder.total_bytes();
    check_memory(size + kept_bytes(width, height), "BMP")?;
    let mut pixels = vec![0; size as usize];
    decoder.read_image(&mut pixels).map_err(failed)?;
    whole(width, height, pixels, layout, 1)
}

/// Bits per pixel; `None` where they are run-length coded.
fn bits(bytes: &[u8]) -> Option<u16> {
    let number = |at: usize| bytes.get(at..)?.first_chunk().map(|two| u16::from_le_bytes(*two));
    if number(14) == Some(12) {
        return number(24);
    }
    // 1 and 2 are run lengths.
    number(28).filter(|_| !matches!(number(30), Some(1 | 2)))
}

fn failed(error: ImageError) -> Error {
    damaged("BMP", error)
}
