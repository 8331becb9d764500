//! PNG: deflate and filters, row by row, or in seven passes where it is interlaced.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use crate::error::{Error, Result};
use crate::photo::Photo;
use crate::photo::canvas::{Canvas, Layout};
use crate::photo::formats::{Rows, damaged, is_doubtful, kept_bytes, whole};
use crate::photo::limits::{DEFLATE, FREE_PIXELS, check_memory, check_size, pixels, unjustified};
use crate::photo::orientation;

type Png<'a> = Reader<Cursor<&'a [u8]>>;

/// Most that the chunks before the pixels may take.
const METADATA_BYTES: usize = 8 << 20;

pub(crate) fn decode(bytes: &[u8]) -> Result<Photo> {
    let mut reader = open(bytes)?;
    let (width, height) = reader.info().size();
    let layout = layout(&reader)?;
    let turn = reader.info().exif_metadata.as_ref().map_or(1, |exif| orientation(exif));
    let size = pixels(width, height) * layout.bytes() as u64;
    if reader.info().interlaced {
        check_memory(size + kept_bytes(width, height), "interlaced PNG")?;
    }
    if is_doubtful(width, height, bytes.len()) {
        rows(&mut open(bytes)?, &mut None)?;
    }
    if reader.info().interlaced {
        let mut pixels = vec![0; size as usize];
        reader.next_frame(&mut pixels).map_err(failed)?;
        return whole(width, height, pixels, layout, turn);
    }
    let mut canvas = Canvas::new(width, height, layout, turn);
    rows(&mut reader, &mut Some(&mut canvas))?;
    canvas.finish()
}

/// Reads up to the pixels, and checks that they can be there.
fn open(bytes: &[u8]) -> Result<Png<'_>> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: METADATA_BYTES });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let info = decoder.read_header_info().map_err(failed)?;
    let (width, height) = info.size();
    check_size(width, height)?;
    let inflated = info.raw_bytes() as u64;
    let free = pixels(width, height) <= FREE_PIXELS;
    if !free && inflated > DEFLATE * bytes.len() as u64 {
        return unjustified(width, height, bytes.len());
    }
    decoder.read_info().map_err(failed)
}

fn rows(reader: &mut Png<'_>, to: &mut Rows<'_>) -> Result<()> {
    while let Some(row) = reader.next_row().map_err(failed)? {
        if let Some(canvas) = to {
            canvas.push(row.data());
        }
    }
    Ok(())
}

fn layout(reader: &Png<'_>) -> Result<Layout> {
    Ok(match reader.output_color_type() {
        (ColorType::Grayscale, BitDepth::Eight) => Layout::Grey,
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => Layout::GreyAlpha,
        (ColorType::Rgb, BitDepth::Eight) => Layout::Rgb,
        (ColorType::Rgba, BitDepth::Eight) => Layout::Rgba,
        (ColorType::Grayscale, BitDepth::Sixteen) => Layout::Grey16,
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => Layout::GreyAlpha16,
        (ColorType::Rgb, BitDepth::Sixteen) => Layout::Rgb16,
        (ColorType::Rgba, BitDepth::Sixteen) => Layout::Rgba16,
        (colours, depth) => return Err(damaged("PNG", format!("{colours:?}, {depth:?}"))),
    })
}

fn failed(error: DecodingError) -> Error {
    match error {
        DecodingError::LimitsExceeded => Error::ImageTooLarge(format!(
            "the PNG file's metadata takes more than {} MB; save it again without",
            METADATA_BYTES >> 20
        )),
        error => damaged("PNG", error),
    }
}
