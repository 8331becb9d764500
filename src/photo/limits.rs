//! How large a photo may be, and what its bytes justify. Photos are hostile input: a few hundred
//! bytes may say that they hold 100 megapixels. A picture is decoded only if its encoded bytes can
//! hold the pixels that they claim, by what its format spends on the flattest picture; so what is
//! set aside is at most a multiple of what was given.

use crate::error::{Error, Result};

/// Largest encoded image, in bytes.
pub const MAX_ENCODED_BYTES: usize = 100 << 20;
/// Largest side, in pixels.
pub const MAX_SIDE: u32 = 30_000;
/// Most pixels.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Larger images are scaled down to this many pixels while they are read, which take 72 MB.
pub const MAX_KEPT_PIXELS: u64 = 24_000_000;
/// Most memory that decoding an image may take, with the image itself. Those that are read row by
/// row (PNG, GIF) and JPEG files always fit; what a format's decoder holds at once besides (the
/// coefficients of a progressive JPEG, the planes of a WebP, the passes of an interlaced PNG) may
/// not.
pub const MAX_DECODING_BYTES: u64 = 700_000_000;
/// Images of up to this many pixels are decoded whatever the file's length.
pub const FREE_PIXELS: u64 = 1 << 20;

/// Pixels per byte of a JPEG file in which each block of 8 x 8 has two codes (the mean and the end
/// of the block) of at least one bit.
pub(super) const JPEG: u64 = 256;
/// In a progressive JPEG the end of the block may be shared by thousands of blocks.
pub(super) const JPEG_PROGRESSIVE: u64 = 512;
/// Bytes per byte of deflate: 258 by two codes of one bit.
pub(super) const DEFLATE: u64 = 1032;
/// Pixels per byte of LZW: a code of 12 bits stands for at most 3,840.
pub(super) const GIF: u64 = 2560;
/// Pixels per byte of VP8: each macroblock of 16 x 16 has its two modes, whose probabilities are
/// fixed, in at least 3.4 bits.
pub(super) const VP8: u64 = 600;
/// Pixels per byte of lossless WebP. A flat surface may take no bits at all, so this is a choice:
/// screenshots and drawings hold less than 200.
pub(super) const VP8L: u64 = 512;
/// Pixels per byte of a run-length coded BMP: 255 by two bytes.
pub(super) const BMP_RUNS: u64 = 128;

pub(super) fn pixels(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}

/// Checks the sides.
///
/// # Errors
/// [`Error::ImageTooLarge`]; [`Error::UnsupportedImage`] where there are no pixels.
pub(super) fn check_size(width: u32, height: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::UnsupportedImage("the image has no pixels; choose another one".into()));
    }
    if pixels(width, height) > MAX_PIXELS || width > MAX_SIDE || height > MAX_SIDE {
        return Err(Error::ImageTooLarge(format!(
            "the image has {width} x {height} pixels; the limit is {} megapixels and {MAX_SIDE} pixels per side: scale \
             it down first",
            MAX_PIXELS / 1_000_000
        )));
    }
    Ok(())
}

/// Checks the sides, and that `bytes` can hold the pixels at `rate` pixels per byte.
///
/// # Errors
/// Those of [`check_size`]; [`Error::UnsupportedImage`] where they cannot.
pub(super) fn check_claim(width: u32, height: u32, bytes: usize, rate: u64) -> Result<()> {
    check_size(width, height)?;
    if pixels(width, height) > FREE_PIXELS + rate.saturating_mul(bytes as u64) {
        return unjustified(width, height, bytes);
    }
    Ok(())
}

pub(super) fn unjustified<T>(width: u32, height: u32, bytes: usize) -> Result<T> {
    Err(Error::UnsupportedImage(format!(
        "the file says that it has {width} x {height} pixels, but its {bytes} bytes of image data cannot hold so many: \
         it is truncated or damaged; download or save it again, as JPEG or PNG"
    )))
}

/// Checks what decoding takes, in bytes.
///
/// # Errors
/// [`Error::ImageTooLarge`] past [`MAX_DECODING_BYTES`].
pub(super) fn check_memory(bytes: u64, kind: &str) -> Result<()> {
    if bytes > MAX_DECODING_BYTES {
        return Err(Error::ImageTooLarge(format!(
            "decoding this {kind} takes {} MB; the limit is {} MB: scale it down first, or save it as an ordinary JPEG \
             or PNG",
            bytes / 1_000_000,
            MAX_DECODING_BYTES / 1_000_000
        )));
    }
    Ok(())
}
