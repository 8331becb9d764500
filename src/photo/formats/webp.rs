//! WebP: lossy (VP8, perhaps with a plane of alpha), lossless (VP8L), or the first frame of an
//! animation. The decoder sets memory aside by what chunks say of themselves, so all of that is
//! read and checked here first.

use std::io::Cursor;

use image_webp::WebPDecoder;

use crate::error::{Error, Result};
use crate::photo::Photo;
use crate::photo::canvas::Layout;
use crate::photo::formats::{damaged, kept_bytes, whole};
use crate::photo::limits::{VP8, VP8L, check_claim, check_memory, pixels};
use crate::photo::orientation;

pub(crate) fn decode(bytes: &[u8]) -> Result<Photo> {
    let claims = Claims::read(bytes)?;
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    // The canvas of an animation; anything else has the size of its one picture.
    check_claim(width, height, bytes.len(), VP8)?;
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    let pixels = pixels(width, height);
    let size = pixels * layout.bytes() as u64;
    let canvas = if decoder.is_animated() { 4 * pixels } else { 0 };
    check_memory(claims.held + size + canvas + kept_bytes(width, height), "WebP")?;
    let mut picture = vec![0; size as usize];
    decoder.read_image(&mut picture).map_err(failed)?;
    drop(decoder);
    whole(width, height, picture, layout, claims.exif.map_or(1, orientation))
}

/// What the chunks say.
#[derive(Debug, Default)]
struct Claims<'a> {
    exif: Option<&'a [u8]>,
    /// The largest that decoding a picture takes besides its pixels, in bytes.
    held: u64,
}

impl<'a> Claims<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut claims = Self::default();
        claims.chunks(bytes.get(12..).unwrap_or_default(), 0)?;
        Ok(claims)
    }

    /// Reads chunks, which may not end behind the one that they stand in.
    fn chunks(&mut self, mut rest: &'a [u8], depth: usize) -> Result<()> {
        let mut alpha = false;
        while let Some((header, tail)) = rest.split_first_chunk::<8>() {
            let [a, b, c, d, length @ ..] = *header;
            let (name, length) = ([a, b, c, d], u32::from_le_bytes(length) as usize);
            let Some(body) = tail.get(..length) else {
                return Err(Error::UnsupportedImage(format!(
                    "the WebP file is truncated or damaged: its chunk {} says that it has {length} bytes, and {} are \
                     left; download or save it again",
                    name.escape_ascii(),
                    tail.len()
                )));
            };
            match &name {
                b"EXIF" => self.exif = self.exif.or(Some(body)),
                b"ALPH" => alpha = true,
                b"VP8 " => {
                    if let Some((width, height)) = lossy_size(body) {
                        check_claim(width, height, length, VP8)?;
                        // Planes; of alpha, a picture in colours and one plane; a frame of its own.
                        let pixels = pixels(width, height);
                        self.hold(pixels * 3 / 2 + if alpha { 5 * pixels } else { 0 }, pixels, depth);
                    }
                }
                b"VP8L" => {
                    if let Some((width, height)) = lossless_size(body) {
                        check_claim(width, height, length, VP8L)?;
                        // In colours with alpha, and what is kept for each 4 x 4 pixels.
                        let pixels = pixels(width, height);
                        self.hold(5 * pixels, pixels, depth);
                    }
                }
                // Its position, size and duration come first.
                b"ANMF" if depth == 0 => self.chunks(body.get(16..).unwrap_or_default(), 1)?,
                _ => (),
            }
            rest = tail.get(length + (length & 1)..).unwrap_or_default();
        }
        Ok(())
    }

    fn hold(&mut self, bytes: u64, pixels: u64, depth: usize) {
        let frame = if depth > 0 { 4 * pixels } else { 0 };
        self.held = self.held.max(bytes + frame);
    }
}

/// Of a frame of VP8 that needs no other; the decoder refuses those that do.
fn lossy_size(body: &[u8]) -> Option<(u32, u32)> {
    let [w0, w1, h0, h1] = *body.get(6..)?.first_chunk()?;
    let side = |pair: [u8; 2]| u32::from(u16::from_le_bytes(pair) & 0x3fff);
    Some((side([w0, w1]), side([h0, h1])))
}

fn lossless_size(body: &[u8]) -> Option<(u32, u32)> {
    let bits = u32::from_le_bytes(*body.get(1..)?.first_chunk()?);
    Some((1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)))
}

fn failed(error: image_webp::DecodingError) -> Error {
    damaged("WebP", error)
}
