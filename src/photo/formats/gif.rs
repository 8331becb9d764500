//! GIF: the first frame on its logical screen.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, Decoder};

use crate::error::{Error, Result};
use crate::photo::Photo;
use crate::photo::canvas::{Canvas, Layout};
use crate::photo::formats::{Rows, damaged, is_doubtful, kept_bytes};
use crate::photo::limits::{GIF, check_claim, check_memory};

/// A file read up to its first frame's pixels.
struct First<'a> {
    decoder: Decoder<Cursor<&'a [u8]>>,
    width: usize,
    height: usize,
    left: usize,
    top: usize,
    frame_width: usize,
    frame_height: usize,
    interlaced: bool,
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Photo> {
    let first = First::open(bytes)?;
    let (width, height) = (first.width as u32, first.height as u32);
    if is_doubtful(first.frame_width as u32, first.frame_height as u32, bytes.len()) {
        First::open(bytes)?.read(&mut None)?;
    }
    if first.interlaced {
        let frame = 4 * first.frame_width as u64 * first.frame_height as u64;
        check_memory(frame + kept_bytes(width, height), "interlaced GIF")?;
    }
    let mut canvas = Canvas::new(width, height, Layout::Rgba, 1);
    first.read(&mut Some(&mut canvas))?;
    canvas.finish()
}

impl<'a> First<'a> {
    /// Checks that the pixels can be there.
    fn open(bytes: &'a [u8]) -> Result<Self> {
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let mut decoder = options.read_info(Cursor::new(bytes)).map_err(failed)?;
        let (width, height) = (decoder.width(), decoder.height());
        check_claim(width.into(), height.into(), bytes.len(), GIF)?;
        let Some(frame) = decoder.next_frame_info().map_err(failed)? else {
            return Err(damaged("GIF", "it has no frame"));
        };
        let [left, top, frame_width, frame_height] =
            [frame.left, frame.top, frame.width, frame.height].map(usize::from);
        let interlaced = frame.interlaced;
        if frame_width > 0 && frame_height > 0 {
            check_claim(frame_width as u32, frame_height as u32, bytes.len(), GIF)?;
        }
        let (width, height) = (width.into(), height.into());
        Ok(Self { decoder, width, height, left, top, frame_width, frame_height, interlaced })
    }

    /// The screen's rows; without a canvas, only the frame is read.
    fn read(mut self, to: &mut Rows<'_>) -> Result<()> {
        let line = self.frame_width * 4;
        let mut row = vec![0; line];
        let Some(canvas) = to else {
            for _ in 0..self.frame_height {
                self.fill(&mut row)?;
            }
            return Ok(());
        };
        let mut frame = Vec::new();
        if self.interlaced && line > 0 {
            frame = vec![0; line * self.frame_height];
            self.decoder.read_into_buffer(&mut frame).map_err(failed)?;
        }
        // Where the frame does not reach, the screen is transparent.
        let mut screen = vec![0; self.width * 4];
        let columns = self.left * 4..self.left.saturating_add(self.frame_width).min(self.width) * 4;
        for y in 0..self.height {
            screen.fill(0);
            if let Some(y) = y.checked_sub(self.top).filter(|&y| y < self.frame_height && line > 0) {
                let source = match self.interlaced {
                    true => frame.get(y * line..).unwrap_or_default(),
                    false => {
                        self.fill(&mut row)?;
                        row.as_slice()
                    }
                };
                if let Some(place) = screen.get_mut(columns.clone()) {
                    place.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
                }
            }
            canvas.push(&screen);
        }
        // A frame may reach below the screen; it has to be whole all the same.
        for _ in self.height.saturating_sub(self.top)..self.frame_height {
            if !self.interlaced {
                self.fill(&mut row)?;
            }
        }
        Ok(())
    }

    fn fill(&mut self, row: &mut [u8]) -> Result<()> {
        if row.is_empty() {
            return Ok(());
        }
        // Pixels outside the palette are left as they are: transparent.
        row.fill(0);
        match self.decoder.fill_buffer(row).map_err(failed)? {
            true => Ok(()),
            false => Err(damaged("GIF", "the image is truncated")),
        }
    }
}

fn failed(error: gif::DecodingError) -> Error {
    damaged("GIF", error)
}
