//! Storages, the entries that hold values, and the tensors that are views of them.

use safetensors::Dtype;

pub(super) const STORAGES: [(&str, Dtype); 10] = [
    ("FloatStorage", Dtype::F32),
    ("HalfStorage", Dtype::F16),
    ("BFloat16Storage", Dtype::BF16),
    ("DoubleStorage", Dtype::F64),
    ("LongStorage", Dtype::I64),
    ("IntStorage", Dtype::I32),
    ("ShortStorage", Dtype::I16),
    ("CharStorage", Dtype::I8),
    ("ByteStorage", Dtype::U8),
    ("BoolStorage", Dtype::BOOL),
];

#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) dtype: Dtype,
    /// Of its storage.
    pub(super) key: &'a str,
    /// In elements, as are the strides.
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl Tensor<'_> {
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1usize;
        self.shape.contains(&0)
            || self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
                let good = size == 1 || stride == expected;
                expected = expected.saturating_mul(size);
                good
            })
    }
}
