//! Part of a photo.

use crate::error::{Error, Result};
use crate::photo::Photo;

impl Photo {
    /// The rectangle of `width` x `height` pixels whose upper left corner is (`x`, `y`).
    ///
    /// # Errors
    /// [`Error::BadOption`] where it is empty or not within the photo.
    pub fn part(&self, x: u32, y: u32, width: u32, height: u32) -> Result<Self> {
        let ends =
            |from: u32, length: u32, all: u32| length > 0 && from.checked_add(length).is_some_and(|end| end <= all);
        if !ends(x, width, self.width) || !ends(y, height, self.height) {
            return Err(Error::BadOption(format!(
                "box: {width} x {height} pixels from ({x}, {y}) are not within the photo of {} x {} pixels",
                self.width, self.height
            )));
        }
        let (from, to) = (x as usize * 3, (x + width) as usize * 3);
        let rows = self.rgb.chunks_exact(self.width as usize * 3).skip(y as usize).take(height as usize);
        let rgb = rows.filter_map(|row| row.get(from..to)).flatten().copied().collect();
        Ok(Self { width, height, rgb })
    }
}
