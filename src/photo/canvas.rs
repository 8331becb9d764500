//! Where the rows of a decoded image go: upright RGB, on white, and scaled down where there are too
//! many pixels. Nothing but the upright picture and one row is held.

use crate::error::{Error, Result};
use crate::photo::Photo;
use crate::photo::limits::{MAX_KEPT_PIXELS, pixels};

/// How a decoder gives its pixels, in bytes; those of 16 bits begin with the high one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    Grey16,
    GreyAlpha16,
    Rgb16,
    Rgba16,
}

impl Layout {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha | Self::Grey16 => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::GreyAlpha16 => 4,
            Self::Rgb16 => 6,
            Self::Rgba16 => 8,
        }
    }
}

/// Takes an image's rows from the top, as they are stored.
pub(super) struct Canvas {
    layout: Layout,
    /// Of the rows that come.
    width: usize,
    height: usize,
    /// EXIF's, 1 to 8.
    orientation: u8,
    place: Place,
    rgb: Vec<u8>,
    shrink: Option<Shrink>,
    row: Vec<u8>,
    taken: usize,
    kept: usize,
}

impl Canvas {
    /// For an image of `width` x `height`, whose size was checked.
    pub(super) fn new(width: u32, height: u32, layout: Layout, orientation: u8) -> Self {
        let [kept_width, kept_height] = kept_size(width, height);
        let (width, height) = (width as usize, height as usize);
        let scaled = (kept_width, kept_height) != (width, height);
        Self {
            layout,
            width,
            height,
            orientation,
            place: Place::new(kept_width, kept_height, orientation),
            rgb: vec![0; kept_width * kept_height * 3],
            shrink: scaled.then(|| Shrink::new([width, kept_width], [height, kept_height])),
            row: Vec::with_capacity(width * 3),
            taken: 0,
            kept: 0,
        }
    }

    /// Takes the next row, in the layout.
    pub(super) fn push(&mut self, row: &[u8]) {
        self.row.clear();
        to_rgb(self.layout, row, &mut self.row);
        self.row.resize(self.width * 3, 255);
        self.taken += 1;
        match &mut self.shrink {
            None => {
                self.place.put(&mut self.rgb, self.kept, &self.row);
                self.kept += 1;
            }
            Some(shrink) => {
                if let Some(row) = shrink.push(&self.row) {
                    self.place.put(&mut self.rgb, self.kept, row);
                    self.kept += 1;
                }
            }
        }
    }

    /// The upright photo.
    ///
    /// # Errors
    /// [`Error::UnsupportedImage`] where rows are missing.
    pub(super) fn finish(self) -> Result<Photo> {
        if self.taken < self.height {
            return Err(Error::UnsupportedImage("the image is truncated; download or save it again".into()));
        }
        let turned = |[width, height]: [usize; 2]| {
            if self.orientation >= 5 { [height as u32, width as u32] } else { [width as u32, height as u32] }
        };
        let [width, height] = turned([self.place.width, self.place.height]);
        let scaled_from = self.shrink.is_some().then(|| turned([self.width, self.height]));
        Ok(Photo { width, height, rgb: self.rgb, scaled_from })
    }
}

/// Scales the rows of a whole RGB image down within its own memory, and turns what is left.
pub(super) fn scaled_in_place(width: u32, height: u32, mut pixels: Vec<u8>, orientation: u8) -> Result<Photo> {
    let [kept_width, kept_height] = kept_size(width, height);
    let mut shrink = Shrink::new([width as usize, kept_width], [height as usize, kept_height]);
    let mut row = vec![0; width as usize * 3];
    let mut end = 0;
    for y in 0..height as usize {
        if let Some(source) = pixels.get(y * row.len()..).and_then(|rest| rest.get(..row.len())) {
            row.copy_from_slice(source);
        }
        // What is kept ends before the row that was read.
        if let Some(kept) = shrink.push(&row)
            && let Some(place) = pixels.get_mut(end..).and_then(|rest| rest.get_mut(..kept.len()))
        {
            place.copy_from_slice(kept);
            end += kept.len();
        }
    }
    pixels.truncate(end);
    pixels.shrink_to_fit();
    let (kept_width, kept_height) = (kept_width as u32, kept_height as u32);
    if orientation <= 1 {
        return Ok(Photo { width: kept_width, height: kept_height, rgb: pixels, scaled_from: Some([width, height]) });
    }
    let mut canvas = Canvas::new(kept_width, kept_height, Layout::Rgb, orientation);
    pixels.chunks_exact(kept_width as usize * 3).for_each(|row| canvas.push(row));
    let photo = canvas.finish()?;
    let turned = if orientation >= 5 { [height, width] } else { [width, height] };
    Ok(Photo { scaled_from: Some(turned), ..photo })
}

/// The size in which an image is kept: its own, or at most [`MAX_KEPT_PIXELS`].
pub(super) fn kept_size(width: u32, height: u32) -> [usize; 2] {
    let pixels = pixels(width, height);
    if pixels <= MAX_KEPT_PIXELS {
        return [width as usize, height as usize];
    }
    let factor = (MAX_KEPT_PIXELS as f64 / pixels as f64).sqrt();
    let scaled = |side: u32| ((f64::from(side) * factor) as usize).max(1);
    [scaled(width), scaled(height)]
}

/// Where the pixels of a stored row stand in the upright picture: every orientation is a start and
/// a step to the right and down, in pixels.
struct Place {
    width: usize,
    height: usize,
    start: isize,
    right: isize,
    down: isize,
}

impl Place {
    fn new(width: usize, height: usize, orientation: u8) -> Self {
        let (w, h) = (width as isize, height as isize);
        let last = w * h - 1;
        let (start, right, down) = match orientation {
            2 => (w - 1, -1, w),
            3 => (last, -1, -w),
            4 => (last - (w - 1), 1, -w),
            5 => (0, h, 1),
            6 => (h - 1, h, -1),
            7 => (last, -h, -1),
            8 => (last - (h - 1), -h, 1),
            _ => (0, 1, w),
        };
        Self { width, height, start, right, down }
    }

    /// Puts stored row `y` in its place.
    fn put(&self, rgb: &mut [u8], y: usize, row: &[u8]) {
        let mut at = 3 * (self.start + self.down * y as isize);
        if self.right == 1 {
            if let Some(line) = rgb.get_mut(at as usize..).and_then(|rest| rest.get_mut(..row.len())) {
                line.copy_from_slice(row);
            }
            return;
        }
        for pixel in row.as_chunks::<3>().0 {
            if let Some(place) = rgb.get_mut(at as usize..).and_then(|rest| rest.first_chunk_mut()) {
                *place = *pixel;
            }
            at += 3 * self.right;
        }
    }
}

/// Scales rows down by the mean over each new pixel's area, exactly: in units in which both the old
/// and the new pixels' edges are whole numbers.
struct Shrink {
    columns: [usize; 2],
    rows: [usize; 2],
    /// What the row that is being filled still lacks, in such units.
    lacks: usize,
    sums: Vec<u64>,
    next: Vec<u64>,
    line: Vec<u32>,
    out: Vec<u8>,
}

impl Shrink {
    /// `[from, to]`
    fn new(columns: [usize; 2], rows: [usize; 2]) -> Self {
        let values = columns[1] * 3;
        Self {
            columns,
            rows,
            lacks: rows[0],
            sums: vec![0; values],
            next: vec![0; values],
            line: vec![0; values],
            out: Vec::with_capacity(values),
        }
    }

    /// Takes a row; a new one where it completes that.
    fn push(&mut self, row: &[u8]) -> Option<&[u8]> {
        let ([from, to], [rows_from, rows_to]) = (self.columns, self.rows);
        self.line.fill(0);
        let mut lacks = from;
        let mut cells = self.line.as_chunks_mut::<3>().0.iter_mut();
        let mut cell = cells.next();
        for pixel in row.as_chunks::<3>().0 {
            // A pixel is `to` wide, and lies in at most two new ones, which are `from` wide.
            let here = lacks.min(to);
            add(&mut cell, pixel, here);
            lacks -= here;
            if lacks == 0 {
                cell = cells.next();
                add(&mut cell, pixel, to - here);
                lacks = from - (to - here);
            }
        }
        let here = self.lacks.min(rows_to);
        let there = (rows_to - here) as u64;
        for ((sum, next), &value) in self.sums.iter_mut().zip(&mut self.next).zip(&self.line) {
            *sum += u64::from(value) * here as u64;
            *next += u64::from(value) * there;
        }
        self.lacks -= here;
        if self.lacks > 0 {
            return None;
        }
        self.lacks = rows_from - there as usize;
        let area = 1.0 / (from as f64 * rows_from as f64);
        self.out.clear();
        self.out.extend(self.sums.iter().map(|&sum| (sum as f64 * area + 0.5) as u8));
        std::mem::swap(&mut self.sums, &mut self.next);
        self.next.fill(0);
        Some(&self.out)
    }
}

fn add(cell: &mut Option<&mut [u32; 3]>, pixel: &[u8; 3], weight: usize) {
    if let Some(cell) = cell {
        for (sum, &value) in cell.iter_mut().zip(pixel) {
            *sum += u32::from(value) * weight as u32;
        }
    }
}

/// Appends a row as RGB on white.
fn to_rgb(layout: Layout, row: &[u8], rgb: &mut Vec<u8>) {
    let eight = |&[high, low]: &[u8; 2]| ((u32::from(u16::from_be_bytes([high, low])) + 128) / 257) as u8;
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    match layout {
        Layout::Rgb => rgb.extend_from_slice(row),
        Layout::Grey => rgb.extend(row.iter().flat_map(|&v| [v; 3])),
        Layout::GreyAlpha => rgb.extend(row.as_chunks::<2>().0.iter().flat_map(|&[v, a]| [blend(v, a); 3])),
        Layout::Rgba => {
            let pixels = row.as_chunks::<4>().0.iter();
            rgb.extend(pixels.flat_map(|&[r, g, b, a]| [blend(r, a), blend(g, a), blend(b, a)]));
        }
        Layout::Grey16 => rgb.extend(row.as_chunks::<2>().0.iter().flat_map(|v| [eight(v); 3])),
        Layout::Rgb16 => rgb.extend(row.as_chunks::<2>().0.iter().map(eight)),
        Layout::GreyAlpha16 => {
            let pixels = row.as_chunks::<2>().0.as_chunks::<2>().0.iter();
            rgb.extend(pixels.flat_map(|[v, a]| [blend(eight(v), eight(a)); 3]));
        }
        Layout::Rgba16 => {
            let pixels = row.as_chunks::<2>().0.as_chunks::<4>().0.iter();
            rgb.extend(pixels.flat_map(|[r, g, b, a]| {
                let a = eight(a);
                [blend(eight(r), a), blend(eight(g), a), blend(eight(b), a)]
            }));
        }
    }
}
