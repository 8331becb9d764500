//! From encoded bytes to upright RGB. Sizes are checked before memory is set aside.
//!
//! Transparent pixels are composited on white, as a page shows them; timm's `convert('RGB')` drops
//! the alpha channel instead, which differs on transparent pictures only.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::error::{Error, Result, quote};

/// Largest encoded image, in bytes.
pub const MAX_ENCODED_BYTES: usize = 100 << 20;
/// Largest side, in pixels.
pub const MAX_SIDE: u32 = 30_000;
/// Most pixels: 100 megapixels take 300 MB as RGB, and 800 MB while a 16-bit image with alpha is
/// decoded.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Most memory that a decoder may set aside.
const MAX_ALLOCATION: u64 = 1 << 30;

/// An upright image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// RGB, row-major, 3 x width x height bytes.
    pub rgb: Vec<u8>,
}

fn unsupported<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::UnsupportedImage(message.into()))
}

fn check_size(width: u32, height: u32) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if width == 0 || height == 0 {
        return unsupported("the image has no pixels; choose another one");
    }
    if pixels > MAX_PIXELS || width > MAX_SIDE || height > MAX_SIDE {
        return Err(Error::ImageTooLarge(format!(
            "the image has {width} x {height} pixels; the limit is {} megapixels and {MAX_SIDE} pixels per side: scale \
             it down first",
            MAX_PIXELS / 1_000_000
        )));
    }
    Ok(())
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
        let format = match image::guess_format(bytes) {
            Ok(
                format @ (ImageFormat::Jpeg
                | ImageFormat::Png
                | ImageFormat::WebP
                | ImageFormat::Gif
                | ImageFormat::Bmp),
            ) => format,
            _ if bytes.get(4..8) == Some(b"ftyp") => {
                return unsupported(
                    "this is a HEIC, AVIF or similar file, which cannot be decoded here; save it as JPEG or PNG",
                );
            }
            _ => return unsupported("this file is not a JPEG, PNG, WebP, GIF or BMP image; choose another one"),
        };
        if format == ImageFormat::Jpeg && !ends(bytes) {
            return unsupported("the JPEG file is truncated; download or save it again");
        }
        let damaged = |e: ImageError| match e {
            ImageError::Limits(_) => {
                Error::ImageTooLarge("decoding the image needs more memory than is allowed; scale it down first".into())
            }
            e => Error::UnsupportedImage(format!(
                "the {format:?} file is damaged or of an unsupported kind ({}); save it again as JPEG or PNG",
                quote(e)
            )),
        };
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        // The dimensions are checked below, with a message of our own.
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MAX_ALLOCATION);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(damaged)?;
        let (width, height) = decoder.dimensions();
        check_size(width, height)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
        // Reduced to 8 bits before it is turned, which needs a copy.
        let mut picture = match picture.color().has_alpha() {
            true => DynamicImage::ImageRgba8(picture.into_rgba8()),
            false => DynamicImage::ImageRgb8(picture.into_rgb8()),
        };
        picture.apply_orientation(orientation);
        let (width, height) = (picture.width(), picture.height());
        let rgb = match picture {
            DynamicImage::ImageRgba8(rgba) => on_white(rgba.as_raw()),
            other => other.into_rgb8().into_raw(),
        };
        Ok(Self { width, height, rgb })
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
        Ok(Self { width, height, rgb: on_white(rgba) })
    }
}

fn on_white(rgba: &[u8]) -> Vec<u8> {
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, a]| [blend(r, a), blend(g, a), blend(b, a)]).collect()
}

/// Whether a JPEG has its end marker. Its decoder fills what is missing with grey; Pillow refuses
/// such files, and so do we. Searched after the header, whose thumbnail has an end of its own;
/// phones append whole films behind it.
fn ends(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xff, marker, tail @ ..] = rest {
        match (marker, tail) {
            // Start of scan: from here on 0xff 0xd9 is nothing but the end.
            (0xda, _) => return tail.windows(2).any(|pair| pair == [0xff, 0xd9]),
            (0xff, _) => rest = rest.get(1..).unwrap_or_default(),
            (_, [high, low, ..]) => {
                rest = tail.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default()
            }
            _ => return false,
        }
    }
    false
}
