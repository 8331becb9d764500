//! PyTorch files: the tensors that torch.save wrote are found, and all that is no state dict is
//! refused in words.

mod damage;
mod pickle;
mod saved;
mod zip;

use std::ops::Range;

use burn::tensor::Device;
use safetensors::{Dtype, SafeTensors};
use sightline::ask::control::Unwatched;
use sightline::nn::load::Loader;
use sightline::package::pth::{Reader, StateDict};
use sightline::{Error, Result};

use crate::common::*;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(golden(&format!("pth/{name}"))).unwrap()
}

/// What a reader makes of `file`, and the ranges it asked for.
fn read_ranges(file: &[u8]) -> (Result<StateDict>, Vec<Range<u64>>) {
    let mut reader = Reader::new(file.len() as u64);
    let mut asked = Vec::new();
    while let Some(range) = reader.wants() {
        assert!(range.start <= range.end && range.end <= file.len() as u64, "{range:?} of {}", file.len());
        assert!(asked.len() < 1000, "the reader asks for ever");
        asked.push(range.clone());
        if let Err(error) = reader.supply(&file[range.start as usize..range.end as usize]) {
            return (Err(error), asked);
        }
    }
    (reader.finish(), asked)
}

/// The same, with what must hold of every answer.
pub fn read(file: &[u8]) -> Result<StateDict> {
    let (state, _) = read_ranges(file);
    match &state {
        Err(error) => assert!(matches!(error, Error::BadModel(_)), "{error:?}"),
        Ok(state) => {
            assert!(state.ranges.iter().all(|r| r.start <= r.end && r.end <= file.len() as u64));
            SafeTensors::read_metadata(&whole(state, file)).unwrap();
        }
    }
    state
}

/// The safetensors file that a state dict describes.
fn whole(state: &StateDict, file: &[u8]) -> Vec<u8> {
    let mut bytes = state.header.clone();
    state.ranges.iter().for_each(|r| bytes.extend_from_slice(&file[r.start as usize..r.end as usize]));
    bytes
}

fn refusal(file: &[u8]) -> String {
    read(file).expect_err("this file must be refused").to_string()
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

/// A zip entry as the hand-made files have it: what is said of it may differ from what it is.
#[derive(Clone)]
pub struct Made {
    name: String,
    data: Vec<u8>,
    method: u16,
    /// In the directory; `None` for the truth.
    size: Option<u32>,
    offset: Option<u32>,
    /// In the local header.
    local_name: Option<String>,
    local_size: Option<u32>,
    /// Sizes in a zip64 field.
    zip64: bool,
}

pub fn made(name: &str, data: &[u8]) -> Made {
    let (name, data) = (format!("a/{name}"), data.to_vec());
    Made { name, data, method: 0, size: None, offset: None, local_name: None, local_size: None, zip64: false }
}

/// A zip archive (APPNOTE 6.3) without a zip64 end record.
pub fn zip(entries: &[Made]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = body.len() as u32;
        let true_size = entry.data.len() as u32;
        let fields = |size: u32, name: &str, extra: u16| {
            let (mut bytes, size) = (vec![20, 0, 0, 0], size.to_le_bytes());
            bytes.extend(entry.method.to_le_bytes());
            bytes.extend([0; 8]);
            bytes.extend([size, size].concat());
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend(extra.to_le_bytes());
            bytes
        };
        let local_name = entry.local_name.as_ref().unwrap_or(&entry.name);
        body.extend(b"PK\x03\x04");
        body.extend(fields(entry.local_size.unwrap_or(true_size), local_name, 0));
        body.extend(local_name.as_bytes());
        body.extend(&entry.data);
        let size = if entry.zip64 { u32::MAX } else { entry.size.unwrap_or(true_size) };
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(fields(size, &entry.name, if entry.zip64 { 20 } else { 0 }));
        directory.extend([0; 10]);
        directory.extend(entry.offset.unwrap_or(at).to_le_bytes());
        directory.extend(entry.name.as_bytes());
        if entry.zip64 {
            let size = u64::from(entry.size.unwrap_or(true_size)).to_le_bytes();
            directory.extend([&[1, 0, 16, 0], &size[..], &size[..]].concat());
        }
    }
    let (start, length, count) = (body.len() as u32, directory.len() as u32, (entries.len() as u16).to_le_bytes());
    body.extend(directory);
    body.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count[..]].concat());
    body.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    body.extend([0, 0]);
    body
}

/// A pickled tensor of f32, of `numbers` = [offset, size, stride].
pub fn pickled(key: &str, numbers: [i32; 3]) -> Vec<u8> {
    let text = |t: &str| [&[0x8c, t.len() as u8], t.as_bytes()].concat();
    let [offset, size, stride] = numbers.map(|n| [&b"J"[..], &n.to_le_bytes()].concat());
    let storage =
        [&b"("[..], &text("storage"), b"ctorch\nFloatStorage\n", &text(key), &text("cpu"), b"K\x01tQ"].concat();
    let rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n(";
    [&rebuild[..], &storage, &offset, &size, b"\x85", &stride, b"\x85\x89ccollections\nOrderedDict\n)RtR"].concat()
}

/// A pickled dict of one-dimensional tensors.
fn pickled_dict(tensors: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = tensors
        .iter()
        .flat_map(|(name, tensor)| [&[0x8c, name.len() as u8], name.as_bytes(), tensor].concat())
        .collect();
    [b"\x80\x02}(", &items[..], b"u."].concat()
}

fn simple() -> Vec<Made> {
    let pickle = pickled_dict(&[("w", pickled("0", [1, 2, 1])), ("v", pickled("1", [0, 3, 1]))]);
    vec![made("data.pkl", &pickle), made("data/0", &[7; 12]), made("data/1", &[9; 12])]
}
