//! One file per format: what its header claims is checked, then its pixels go to a
//! [`Canvas`](crate::photo::canvas::Canvas), by rows where the decoder has rows.

pub(super) mod bmp;
pub(super) mod gif;
pub(super) mod jpeg;
pub(super) mod png;
pub(super) mod webp;

use crate::error::{Error, Result, quote};
use crate::photo::Photo;
use crate::photo::canvas::{Canvas, Layout, kept_size, scaled_in_place};
use crate::photo::limits::{MAX_KEPT_PIXELS, pixels};

/// Where a decoder that has rows puts them; `None` where it only finds out whether they are there.
type Rows<'a> = Option<&'a mut Canvas>;

fn damaged(format: &str, error: impl std::fmt::Display) -> Error {
    Error::UnsupportedImage(format!(
        "the {format} file is damaged or of an unsupported kind ({}); save it again as JPEG or PNG",
        quote(error)
    ))
}

/// Whether a picture is so large for its file that it is read twice, the first time without keeping
/// a pixel: what is cut off is refused before memory is set aside.
fn is_doubtful(width: u32, height: u32, bytes: usize) -> bool {
    let pixels = pixels(width, height);
    pixels > MAX_KEPT_PIXELS / 3 && pixels > 64 * bytes as u64
}

/// The photo of a picture that was decoded whole.
fn whole(width: u32, height: u32, pixels: Vec<u8>, layout: Layout, orientation: u8) -> Result<Photo> {
    let scaled = kept_size(width, height) != [width as usize, height as usize];
    if layout == Layout::Rgb && scaled {
        return scaled_in_place(width, height, pixels, orientation);
    }
    if layout == Layout::Rgb && orientation <= 1 {
        return Ok(Photo { width, height, rgb: pixels, scaled_from: None });
    }
    let mut canvas = Canvas::new(width, height, layout, orientation);
    pixels.chunks_exact(width as usize * layout.bytes()).for_each(|row| canvas.push(row));
    canvas.finish()
}

/// What keeping a picture that was decoded whole takes besides, in bytes.
fn kept_bytes(width: u32, height: u32) -> u64 {
    let [width, height] = kept_size(width, height);
    3 * width as u64 * height as u64
}
