//! What a caller hands over to be explained.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use crate::photo::Photo;

/// What a caller hands over to be explained.
#[derive(Debug, Clone, PartialEq)]
pub enum Image {
    /// An encoded image.
    Encoded(Vec<u8>),
    /// Pixels, row-major, not premultiplied.
    Rgba {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// 4 x width x height bytes.
        data: Vec<u8>,
    },
    /// A photo that was decoded before.
    Photo {
        /// Stands for this photo alone.
        id: u32,
        photo: Rc<Photo>,
    },
    /// An input as the model takes it.
    Tensor {
        /// Row-major.
        data: Vec<f32>,
        /// `[C, H, W]`
        shape: Vec<usize>,
    },
}

impl Image {
    pub(crate) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Encoded(bytes) => (0, bytes).hash(&mut hasher),
            Self::Rgba { width, height, data } => (1, width, height, data).hash(&mut hasher),
            Self::Photo { id, .. } => (3, id).hash(&mut hasher),
            Self::Tensor { data, shape } => {
                (2, shape).hash(&mut hasher);
                // Two at a time: the hasher takes as long for four bytes as for eight.
                let bits = |two: &[f32]| two.iter().fold(0, |bits, value| bits << 32 | u64::from(value.to_bits()));
                data.chunks(2).for_each(|two| hasher.write_u64(bits(two)));
            }
        }
        hasher.finish()
    }
}
