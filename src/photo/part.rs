//! Part of a photo.

use crate::error::{Error, Result};
use crate::photo::Photo;

impl Photo {
    /// The rectangle of `width` x `height` pixels whose upper left corner is (`x`, `y`), in the
    /// upright photo's own pixels. Of a photo that was scaled down, the pixels that are kept of it.
    ///
    /// # Errors
    /// [`Error::BadOption`] where it is empty or not within the photo.
    pub fn part(&self, x: u32, y: u32, width: u32, height: u32) -> Result<Self> {
        let [all_columns, all_rows] = self.full_size();
        let fits =
            |from: u32, length: u32, all: u32| length > 0 && from.checked_add(length).is_some_and(|end| end <= all);
        if !fits(x, width, all_columns) || !fits(y, height, all_rows) {
            return Err(Error::BadOption(format!(
                "box: {width} x {height} pixels from ({x}, {y}) are not within the photo of {all_columns} x \
                 {all_rows} pixels"
            )));
        }
        // What is kept of them: the same pixels, unless the photo was scaled.
        let kept = |from: u32, length: u32, all: u32, stored: u32| {
            let at = |pixel: u32| (u64::from(pixel) * u64::from(stored) / u64::from(all.max(1))) as u32;
            let first = at(from).min(stored.saturating_sub(1));
            (first, at(from + length).clamp(first + 1, stored))
        };
        let (left, right) = kept(x, width, all_columns, self.width);
        let (top, bottom) = kept(y, height, all_rows, self.height);
        let rows = self.rgb.chunks_exact(self.width as usize * 3).take(bottom as usize).skip(top as usize);
        let rgb = rows.filter_map(|row| row.get(left as usize * 3..right as usize * 3)).flatten().copied().collect();
        Ok(Self {
            width: right - left,
            height: bottom - top,
            rgb,
            scaled_from: self.scaled_from.map(|_| [width, height]),
        })
    }
}
