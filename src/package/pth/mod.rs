//! PyTorch state dicts: the zip files that `torch.save` writes since 1.6 (`.pth`, `.pt`), read
//! without running anything in them.
//!
//! Such a file is an uncompressed zip archive: `data.pkl`, a pickle that names the tensors and
//! their views, and one entry `data/<key>` of raw values for each storage. A pickle is a program;
//! here it is interpreted by a machine that knows the few instructions which a state dict needs and
//! five callables, so that nothing but dicts, tuples and descriptions of tensors can come out of
//! it. The file is hostile input: every size is bounded, and every offset is checked against the
//! directory.
//!
//! [`Reader`] asks for byte ranges and never for the whole file. What it finds is told as a
//! safetensors header and the ranges to be fed after it to
//! [`package::Loader`](crate::package::Loader), so that the loader's checks hold for these files
//! too.
//!
//! Layouts: the zip format's APPNOTE 6.3 (sections 4.3 and 4.5.3), Python's `pickletools`, and what
//! `torch.save` writes.

mod pickle;
mod storage;
mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use safetensors::tensor::{Metadata, TensorInfo};

use crate::error::{Error, Result, bad_model, quote};
use crate::package::limits::MAX_PICKLE_BYTES;
use crate::package::pth::pickle::{Described, Pickle};
use crate::package::pth::zip::{Entry, MAX_FIELD, find_directory, read_directory};

/// Where a checkpoint wraps its state dict: the first of these that holds tensors is read. Averaged
/// weights come first, as in timm, because they are the ones that are evaluated.
pub const WRAPPERS: [&str; 5] = ["state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model"];

/// Local headers at most this far apart are read at once, up to a window of `MAX_WINDOW`.
const NEAR: u64 = 64 << 10;
const MAX_WINDOW: u64 = 1 << 20;

const RECORDS: [(&str, u64); 3] = [("byteorder", 64), ("version", 64), ("data.pkl", MAX_PICKLE_BYTES)];
const ADVICE: &str = "save model.state_dict() alone with torch.save, or convert it to safetensors";

/// A file's contents, in the terms of [`package::Loader`](crate::package::Loader).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDict {
    /// A safetensors header (8 bytes of length and JSON) that describes the tensors in the file's
    /// order, less a prefix `module.` (DataParallel) or `_orig_mod.` (torch.compile) that all of
    /// them have.
    pub header: Vec<u8>,
    /// The bytes of the file that hold the tensors' values, in the same order; some may be empty or
    /// overlap.
    pub ranges: Vec<Range<u64>>,
    /// The one of [`WRAPPERS`] under which the state dict was found; `None` where it is the file's
    /// top level.
    pub wrapper: Option<&'static str>,
}

/// Reads a file by byte ranges.
///
/// While [`wants`](Self::wants) names a range, [`supply`](Self::supply) its bytes; then
/// [`finish`](Self::finish). After an error the reader is of no more use.
#[derive(Debug)]
pub struct Reader {
    size: u64,
    stage: Stage,
    /// By the path below the archive's root folder.
    entries: BTreeMap<String, Entry>,
    wrapper: Option<&'static str>,
    tensors: Vec<View>,
    /// Storages whose local header has yet to be read, by its offset.
    pending: BTreeMap<u64, Entry>,
    /// Where the data of a storage begins, by the offset of its local header.
    starts: BTreeMap<u64, u64>,
}

#[derive(Debug, Clone)]
enum Stage {
    Head,
    Tail,
    Directory {
        range: Range<u64>,
        count: u64,
    },
    /// Reads `RECORDS[index]`, the entry given.
    Record(usize, Entry),
    Headers,
    Done,
}

/// A tensor within a storage's entry.
#[derive(Debug)]
struct View {
    info: TensorInfo,
    name: String,
    /// The offset of the storage's local header.
    storage: u64,
    /// In bytes from the start of its data.
    begin: u64,
}

impl Reader {
    /// Begins to read a file of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            stage: Stage::Head,
            entries: BTreeMap::new(),
            wrapper: None,
            tensors: Vec::new(),
            pending: BTreeMap::new(),
            starts: BTreeMap::new(),
        }
    }

    /// The bytes of the file to supply next (at most 17 MiB), `None` when all is known.
    pub fn wants(&self) -> Option<Range<u64>> {
        match &self.stage {
            Stage::Head => Some(0..self.size.min(512)),
            // The end record (22 bytes) and before it, in zip64, its record (56) and locator (20).
            Stage::Tail => Some(self.size.saturating_sub(98)..self.size),
            Stage::Directory { range, .. } => Some(range.clone()),
            Stage::Record(_, entry) => {
                Some(entry.offset..entry.end.min(entry.header().end.saturating_add(MAX_FIELD + entry.size)))
            }
            Stage::Headers => {
                let mut window = self.pending.values().next()?.header();
                for header in self.pending.values().map(Entry::header) {
                    if header.start.saturating_sub(window.end) > NEAR || header.end - window.start > MAX_WINDOW {
                        break;
                    }
                    window.end = header.end;
                }
                Some(window)
            }
            Stage::Done => None,
        }
    }

    /// Takes the bytes that [`wants`](Self::wants) asked for.
    ///
    /// # Errors
    /// [`Error::BadModel`] saying what is wrong with the file and what to do.
    pub fn supply(&mut self, bytes: &[u8]) -> Result<()> {
        let wanted = self.wants().unwrap_or_default();
        if bytes.len() as u64 != wanted.end - wanted.start {
            return bad_model("the file could not be read completely, perhaps because it has changed; choose it again");
        }
        match self.stage.clone() {
            Stage::Head => {
                check_kind(bytes)?;
                self.stage = Stage::Tail;
            }
            Stage::Tail => {
                let (range, count) = find_directory(bytes, self.size)?;
                self.stage = Stage::Directory { range, count };
            }
            Stage::Directory { range, count } => {
                self.entries = read_directory(bytes, count, range.start)?;
                self.next_record(0)?;
            }
            Stage::Record(index, entry) => {
                let start = (entry.data_start(bytes)? - entry.offset) as usize;
                let mut body = Bytes(bytes);
                body.take(start)?;
                self.read_record(index, body.take(entry.size as usize)?)?;
                self.next_record(index + 1)?;
            }
            Stage::Headers => {
                while let Some(first) = self.pending.first_entry() {
                    let header = first.get().header();
                    if header.end > wanted.end {
                        break;
                    }
                    let mut local = Bytes(bytes);
                    local.take((header.start - wanted.start) as usize)?;
                    self.starts.insert(header.start, first.remove().data_start(local.0)?);
                }
                if self.pending.is_empty() {
                    self.stage = Stage::Done;
                }
            }
            Stage::Done => (),
        }
        Ok(())
    }

    /// Goes on to the first of `RECORDS[index..]` that is there, then to the storages.
    fn next_record(&mut self, index: usize) -> Result<()> {
        self.stage = if self.pending.is_empty() { Stage::Done } else { Stage::Headers };
        for (index, (name, limit)) in RECORDS.into_iter().enumerate().skip(index) {
            if let Some(entry) = self.entries.get(name) {
                entry.check_stored()?;
                if entry.size > limit {
                    return bad_model(format!("{name} has {} bytes; the limit is {limit}", entry.size));
                }
                self.stage = Stage::Record(index, entry.clone());
                break;
            }
        }
        Ok(())
    }

    fn read_record(&mut self, index: usize, body: &[u8]) -> Result<()> {
        match RECORDS.get(index) {
            Some(("byteorder", _)) if body == b"little" => Ok(()),
            Some(("byteorder", _)) => {
                bad_model(format!("the file was written on a big-endian machine; on a little-endian one, {ADVICE}"))
            }
            Some(("version", _)) => {
                let version = std::str::from_utf8(body).ok().and_then(|text| text.trim().parse::<u32>().ok());
                match version {
                    // Those that PyTorch itself reads (caffe2/serialize/versions.h).
                    Some(1..=10) => Ok(()),
                    Some(version) => {
                        bad_model(format!("the file has format version {version}; versions 1 to 10 are supported"))
                    }
                    None => bad_model("the file's format version is not a number"),
                }
            }
            _ => self.describe(body),
        }
    }

    /// Reads data.pkl, and finds each tensor's storage.
    fn describe(&mut self, pickle: &[u8]) -> Result<()> {
        let pickle = Pickle::read(pickle)?;
        let Described { wrapper, tensors: described } = pickle.describe()?;
        self.wrapper = wrapper;
        let mut names = BTreeSet::new();
        let (mut data_begin, mut tensors) = (0usize, Vec::with_capacity(described.len()));
        for (name, tensor) in described {
            let fault = |what: &str| bad_model(format!("tensor {} {what}", quote(name)));
            if !names.insert(name) {
                return fault("appears twice");
            }
            if !tensor.is_contiguous() {
                return fault(
                    "is not contiguous (channels_last, or a transposed view); save {name: t.contiguous() for name, t \
                     in model.state_dict().items()}",
                );
            }
            // A key may be long and stand in thousands of tensors; the name of an entry is not.
            let path = (tensor.key.len() as u64 <= MAX_FIELD).then(|| format!("data/{}", tensor.key));
            let Some(entry) = path.and_then(|path| self.entries.get(&path)) else {
                return fault("has a storage that is not in the file; the file is damaged, download it again");
            };
            entry.check_stored()?;
            let element = tensor.dtype.bitsize() as u64 / 8;
            let bytes = tensor.shape.iter().try_fold(element, |n, &d| n.checked_mul(d as u64));
            let begin = tensor.offset.checked_mul(element);
            let (Some(bytes), Some(begin)) = (bytes, begin) else { return fault("has an impossible size") };
            if begin.checked_add(bytes).is_none_or(|end| end > entry.size) {
                return fault("extends past the end of its storage");
            }
            let data_end = usize::try_from(bytes).ok().and_then(|n| data_begin.checked_add(n));
            let Some(data_end) = data_end else { return fault("does not fit in memory") };
            let info =
                TensorInfo { dtype: tensor.dtype, shape: tensor.shape.clone(), data_offsets: (data_begin, data_end) };
            data_begin = data_end;
            tensors.push(View { info, name: name.to_owned(), storage: entry.offset, begin });
            self.pending.insert(entry.offset, entry.clone());
        }
        for prefix in ["module.", "_orig_mod."] {
            if tensors.iter().all(|t| t.name.starts_with(prefix)) {
                tensors.iter_mut().for_each(|t| drop(t.name.drain(..prefix.len())));
            }
        }
        self.tensors = tensors;
        Ok(())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Error::BadModel`] where [`wants`](Self::wants) still names a range.
    pub fn finish(self) -> Result<StateDict> {
        if !matches!(self.stage, Stage::Done) {
            return bad_model("the PyTorch file was not read to the end");
        }
        let (mut ranges, mut infos) = (Vec::new(), Vec::new());
        for View { info, name, storage, begin } in self.tensors {
            let Some(&start) = self.starts.get(&storage) else {
                return Err(Error::Internal(format!("the storage of {} was not located", quote(&name))));
            };
            let length = (info.data_offsets.1 - info.data_offsets.0) as u64;
            ranges.push(start + begin..start + begin + length);
            infos.push((name, info));
        }
        let header = Metadata::new(None, infos).map_err(|e| e.to_string());
        let json = header.and_then(|header| serde_json::to_vec(&header).map_err(|e| e.to_string()));
        let json = json.map_err(|e| Error::BadModel(format!("the tensors cannot be described: {}", quote(e))))?;
        let header = [&(json.len() as u64).to_le_bytes(), json.as_slice()].concat();
        Ok(StateDict { header, ranges, wrapper: self.wrapper })
    }
}

/// Tells the files apart that go by the name of `.pth`, by their first bytes.
fn check_kind(head: &[u8]) -> Result<()> {
    if head.starts_with(b"PK\x03\x04") {
        Ok(())
    } else if matches!(head, [0x80, 1..=5, ..]) {
        bad_model(format!(
            "this file has the format that torch.save wrote before PyTorch 1.6; load it with a newer version and \
             {ADVICE}"
        ))
    } else if head.get(257..262) == Some(b"ustar") {
        bad_model(format!(
            "this file is a tar archive, as PyTorch wrote before 0.1.10; load it in PyTorch and {ADVICE}"
        ))
    } else {
        bad_model(
            "this is not a PyTorch file (not a zip archive); check that it is not a web page or a Git LFS pointer",
        )
    }
}

/// A cursor over bytes of the file.
#[derive(Debug, Default)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(count) else {
            return bad_model("the file is damaged (a record is truncated); download it again");
        };
        self.0 = rest;
        Ok(taken)
    }

    /// A number of 1 to 8 bytes, little-endian.
    fn le(&mut self, count: usize) -> Result<u64> {
        Ok(self.take(count)?.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    fn text(&mut self, count: usize) -> Result<&'a str> {
        std::str::from_utf8(self.take(count)?).or_else(|_| bad_model("data.pkl contains text that is not UTF-8"))
    }

    /// Up to a newline, which is read past.
    fn line(&mut self) -> Result<&'a str> {
        let length = self.0.iter().take(1000).position(|&byte| byte == b'\n');
        let line = self.text(length.unwrap_or(usize::MAX))?;
        self.take(1)?;
        Ok(line)
    }
}
