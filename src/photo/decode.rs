//! From encoded bytes to upright RGB. Sizes are checked before memory is set aside
//! ([`crate::photo::limits`]).
//!
//! Transparent pixels are composited on white, as a page shows them; timm's `convert('RGB')` drops
//! the alpha channel instead, which differs on transparent pictures only.

use image::ImageFormat;
use image::metadata::Orientation;

use crate::error::{Error, Result};
use crate::photo::canvas::{Canvas, Layout};
use crate::photo::formats::{bmp, gif, jpeg, png, webp};
use crate::photo::limits::{MAX_ENCODED_BYTES, check_size};

/// An upright image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// RGB, row-major, 3 x width x height bytes.
    pub rgb: Vec<u8>,
    /// The upright photo's own width and height, where it has more than
    /// [`MAX_KEPT_PIXELS`](crate::photo::limits::MAX_KEPT_PIXELS) and was scaled down.
    pub scaled_from: Option<[u32; 2]>,
}

fn unsupported<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::UnsupportedImage(message.into()))
}

impl Photo {
    /// Decodes JPEG, PNG, WebP, GIF (first frame) and BMP, and turns the image upright by its EXIF
    /// orientation.
    ///
    /// # Errors
    /// [`Error::UnsupportedImage`] for anything else and for damaged files;
    /// [`Error::ImageTooLarge`] past the limits.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return unsupported("the file is empty; choose another one");
        }
        if bytes.len() > MAX_ENCODED_BYTES {
            return Err(Error::ImageTooLarge(format!(
                "the file has {} MB; the limit is {} MB: scale the image down first",
                bytes.len() >> 20,
                MAX_ENCODED_BYTES >> 20
            )));
        }
        match image::guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => jpeg::decode(bytes),
            Ok(ImageFormat::Png) => png::decode(bytes),
            Ok(ImageFormat::WebP) => webp::decode(bytes),
            Ok(ImageFormat::Gif) => gif::decode(bytes),
            Ok(ImageFormat::Bmp) => bmp::decode(bytes),
            _ if bytes.get(4..8) == Some(b"ftyp") => unsupported(
                "this is a HEIC, AVIF or similar file, which cannot be decoded here; save it as JPEG or PNG",
            ),
            _ => unsupported("this file is not a JPEG, PNG, WebP, GIF or BMP image; choose another one"),
        }
    }

    /// Takes pixels, not premultiplied.
    ///
    /// # Errors
    /// [`Error::BadOption`] where the length does not fit; [`Error::ImageTooLarge`],
    /// [`Error::UnsupportedImage`] as for files.
    pub fn from_rgba(width: u32, height: u32, rgba: &[u8]) -> Result<Self> {
        check_size(width, height)?;
        if rgba.len() as u64 != 4 * u64::from(width) * u64::from(height) {
            return Err(Error::BadOption(format!(
                "image: {width} x {height} RGBA pixels do not have {} bytes; give 4 bytes per pixel",
                rgba.len()
            )));
        }
        let mut canvas = Canvas::new(width, height, Layout::Rgba, 1);
        rgba.chunks_exact(width as usize * 4).for_each(|row| canvas.push(row));
        canvas.finish()
    }

    /// The upright photo's own width and height, in which crops are told.
    pub fn full_size(&self) -> [u32; 2] {
        self.scaled_from.unwrap_or([self.width, self.height])
    }
}

/// EXIF's orientation, 1 to 8; 1 where the chunk has none.
pub(super) fn orientation(exif: &[u8]) -> u8 {
    Orientation::from_exif_chunk(exif).map_or(1, Orientation::to_exif)
}
