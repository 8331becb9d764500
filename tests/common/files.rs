use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A path of this repository.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn golden(path: &str) -> PathBuf {
    root("tests/golden").join(path)
}

/// `../shared/<path>`. Tests that need it are `#[ignore = "needs ../shared"]`: who asks for them
/// has it.
pub fn shared(path: &str) -> PathBuf {
    let full = root("../shared").join(path);
    assert!(full.exists(), "{} is absent: run this test where ../shared is", full.display());
    full
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Tensors of float32 and of bytes, as float32.
pub fn read_tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: TensorView| {
        let values = match view.dtype() {
            Dtype::U8 => view.data().iter().copied().map(f32::from).collect(),
            _ => view.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        };
        (view.shape().to_vec(), values)
    };
    file.tensors().into_iter().map(|(name, view)| (name, read(view))).collect()
}

/// A safetensors file of float32.
pub fn safetensors_file(tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>) -> Vec<u8> {
    let bytes = |values: Vec<f32>| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let data: Vec<_> = tensors.into_iter().map(|(name, shape, values)| (name, shape, bytes(values))).collect();
    let views =
        data.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// The JSON header of a safetensors file with these tensors of float32.
pub fn safetensors_header(params: impl IntoIterator<Item = (String, Vec<usize>)>) -> Vec<u8> {
    let mut end = 0;
    let tensors = params
        .into_iter()
        .map(|(name, shape)| {
            let begin = end;
            end += 4 * shape.iter().product::<usize>();
            (name, TensorInfo { dtype: Dtype::F32, shape, data_offsets: (begin, end) })
        })
        .collect();
    serde_json::to_vec(&Metadata::new(None, tensors).unwrap()).unwrap()
}

/// The JSON header of a safetensors file, and what follows it.
pub fn split_header(file: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    rest.split_at(u64::from_le_bytes(*length) as usize)
}

/// A safetensors file, or its beginning, with this header.
pub fn with_header(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// The file with its JSON header edited, lengths kept right.
pub fn reheaded(file: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (header, data) = split_header(file);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    edit(&mut header);
    with_header(header.to_string().as_bytes(), data)
}
