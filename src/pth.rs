//! PyTorch state dicts: the zip files that `torch.save` writes since 1.6 (`.pth`, `.pt`), read without running anything in them.
//!
//! Such a file is an uncompressed zip archive: `data.pkl`, a pickle that names the tensors and their views, and one entry
//! `data/<key>` of raw values for each storage. A pickle is a program; here it is interpreted by a machine that knows the few instructions
//! which a state dict needs and five callables, so that nothing but dicts, tuples and descriptions of tensors can come out of it.
//! The file is hostile input: every size is bounded, and every offset is checked against the directory.
//!
//! [`Reader`] asks for byte ranges and never for the whole file. What it finds is told as a safetensors header and the ranges to be
//! fed after it to [`package::Loader`](crate::package::Loader), so that the loader's checks hold for these files too.
//!
//! Layouts: the zip format's APPNOTE 6.3 (sections 4.3 and 4.5.3), Python's `pickletools`, and what `torch.save` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::error::{Error, Result};
use crate::layers::bad_model;

/// A data.pkl larger than this is refused; a state dict takes about 250 bytes per tensor.
pub const MAX_PICKLE_BYTES: u64 = 16 << 20;
/// A zip directory larger than this is refused; it takes about 100 bytes per tensor.
pub const MAX_DIRECTORY_BYTES: u64 = 16 << 20;
/// Files with more tensors than this are refused.
pub const MAX_TENSORS: usize = 100_000;
/// Where a checkpoint wraps its state dict: the first of these that holds tensors is read. Averaged weights come first, as in timm,
/// because they are the ones that are evaluated.
pub const WRAPPERS: [&str; 5] = ["state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model"];

// Limits of the pickle machine. Together they bound its memory by about 300 MB, for a file made to that end.
const MAX_PUSHES: usize = 4_000_000;
const MAX_OBJECTS: usize = 1_000_000;
const MAX_STACK: usize = 1_000_000;
const MAX_DEPTH: usize = 1000;
const MAX_DIMENSIONS: usize = 8;

const LOCAL_HEADER: u64 = 30;
/// The longest name or extra field of a zip entry.
const MAX_FIELD: u64 = u16::MAX as u64;
/// Local headers at most this far apart are read at once, up to a window of `MAX_WINDOW`.
const NEAR: u64 = 64 << 10;
const MAX_WINDOW: u64 = 1 << 20;

const STORAGES: [(&str, Dtype); 10] = [
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
const RECORDS: [(&str, u64); 3] = [("byteorder", 64), ("version", 64), ("data.pkl", MAX_PICKLE_BYTES)];
const ADVICE: &str = "save model.state_dict() alone with torch.save, or convert it to safetensors";

/// A file's contents, in the terms of [`package::Loader`](crate::package::Loader).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDict {
    /// A safetensors header (8 bytes of length and JSON) that describes the tensors in the file's order, less a prefix `module.`
    /// (DataParallel) or `_orig_mod.` (torch.compile) that all of them have.
    pub header: Vec<u8>,
    /// The bytes of the file that hold the tensors' values, in the same order; some may be empty or overlap.
    pub ranges: Vec<Range<u64>>,
    /// The one of [`WRAPPERS`] under which the state dict was found; `None` where it is the file's top level.
    pub wrapper: Option<&'static str>,
}

/// Reads a file by byte ranges.
///
/// While [`wants`](Self::wants) names a range, [`supply`](Self::supply) its bytes; then [`finish`](Self::finish). After an error the
/// reader is of no more use.
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

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    /// Of the local header.
    offset: u64,
    size: u64,
    /// Neither compressed nor encrypted.
    stored: bool,
    /// Where the next entry or the directory begins.
    end: u64,
}

impl Entry {
    fn header(&self) -> Range<u64> {
        self.offset..self.offset + LOCAL_HEADER + self.name.len() as u64
    }

    fn check_stored(&self) -> Result<()> {
        if self.stored {
            return Ok(());
        }
        bad_model(format!(
            "{} is compressed or encrypted, which torch.save never does; unpack the file, then {ADVICE}",
            shown(&self.name)
        ))
    }

    /// Where the data begins, by the local header that `local` begins with; all that both headers say must agree.
    fn data_start(&self, local: &[u8]) -> Result<u64> {
        let mut fields = Bytes(local);
        let signature = fields.take(4)?;
        let _version = fields.le(2)?;
        let (flags, method) = (fields.le(2)?, fields.le(2)?);
        let _time_and_checksum = fields.take(8)?;
        let (_packed, size) = (fields.le(4)?, fields.le(4)?);
        let (name, extra) = (fields.le(2)?, fields.le(2)?);
        let name = fields.take(name as usize)?;
        // With flag 3 the size follows the data; all ones refer to the zip64 field.
        let same_size = flags & 8 != 0 || size == self.size || size == u64::from(u32::MAX);
        let start = self.header().end + extra;
        if signature != b"PK\x03\x04" || method != 0 || name != self.name.as_bytes() || !same_size {
            return bad_model(format!("the zip headers of {} contradict each other", shown(&self.name)));
        }
        if start.checked_add(self.size).is_none_or(|end| end > self.end) {
            return bad_model(format!("the zip entry {} runs into the next one", shown(&self.name)));
        }
        Ok(start)
    }
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
            Stage::Tail => self.stage = find_directory(bytes, self.size)?,
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
        let mut machine = Machine { bytes: Bytes(pickle), ..Machine::default() };
        let root = machine.run()?;
        let (wrapper, found) = machine.select(root)?;
        self.wrapper = wrapper;
        let mut names = BTreeSet::new();
        let (mut data_begin, mut tensors) = (0usize, Vec::with_capacity(found.len()));
        for (name, tensor) in found {
            let fault = |what: &str| bad_model(format!("tensor {} {what}", shown(name)));
            if !names.insert(name) {
                return fault("appears twice");
            }
            if !tensor.is_contiguous() {
                return fault(
                    "is not contiguous (channels_last, or a transposed view); save {name: t.contiguous() for name, t in \
                     model.state_dict().items()}",
                );
            }
            let Some(entry) = self.entries.get(&format!("data/{}", tensor.key)) else {
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
                return Err(Error::Internal(format!("the storage of {} was not located", shown(&name))));
            };
            let length = (info.data_offsets.1 - info.data_offsets.0) as u64;
            ranges.push(start + begin..start + begin + length);
            infos.push((name, info));
        }
        let header = Metadata::new(None, infos).map_err(|e| e.to_string());
        let json = header.and_then(|header| serde_json::to_vec(&header).map_err(|e| e.to_string()));
        let json = json.map_err(|e| Error::BadModel(format!("the tensors cannot be described: {e}")))?;
        let header = [&(json.len() as u64).to_le_bytes(), json.as_slice()].concat();
        Ok(StateDict { header, ranges, wrapper: self.wrapper })
    }
}

/// Text from the file, fit for a message.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("{}{dots}", short.escape_debug())
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

/// Reads the records at the archive's end, which torch.save writes without a comment.
fn find_directory(tail: &[u8], size: u64) -> Result<Stage> {
    let (before, end) = tail.split_at(tail.len().saturating_sub(22));
    if !end.starts_with(b"PK\x05\x06") {
        return bad_model("the file has no zip directory at its end: it is truncated; download it again");
    }
    let mut fields = Bytes(end);
    let (_signature, mut disks) = (fields.take(4)?, fields.le(4)?);
    let (_here, mut count) = (fields.le(2)?, fields.le(2)?);
    let (mut length, mut start) = (fields.le(4)?, fields.le(4)?);
    let comment = fields.le(2)?;
    let mut directory_end = size.saturating_sub(22);
    if let Some((record, locator)) = before.split_at_checked(56)
        && locator.starts_with(b"PK\x06\x07")
    {
        directory_end = size.saturating_sub(98);
        let mut fields = Bytes(locator);
        let (_signature, _disk, place) = (fields.take(4)?, fields.le(4)?, fields.le(8)?);
        let mut fields = Bytes(record);
        if place != directory_end || fields.take(4)? != b"PK\x06\x06" {
            return bad_model("the end of the zip archive is damaged; download the file again");
        }
        let _size_and_versions = fields.take(12)?;
        disks = fields.le(8)?;
        (_, count) = (fields.le(8)?, fields.le(8)?);
        (length, start) = (fields.le(8)?, fields.le(8)?);
    }
    if disks != 0 || comment != 0 || start.checked_add(length) != Some(directory_end) {
        return bad_model("the end of the zip archive contradicts its size: the file is damaged; download it again");
    }
    if length > MAX_DIRECTORY_BYTES {
        return bad_model(format!("the zip directory has {length} bytes; the limit is {MAX_DIRECTORY_BYTES}"));
    }
    Ok(Stage::Directory { range: start..directory_end, count })
}

/// Reads the central directory of `count` entries, which begins at `start` of the file.
fn read_directory(bytes: &[u8], count: u64, start: u64) -> Result<BTreeMap<String, Entry>> {
    let mut fields = Bytes(bytes);
    let mut entries: Vec<(Entry, u64)> = Vec::new();
    for _ in 0..count {
        let signature = fields.take(4)?;
        let _versions = fields.le(4)?;
        let (flags, method) = (fields.le(2)?, fields.le(2)?);
        let _time_and_checksum = fields.take(8)?;
        let (mut packed, mut size) = (fields.le(4)?, fields.le(4)?);
        let (name, extra, comment) = (fields.le(2)?, fields.le(2)?, fields.le(2)?);
        let _disk_and_attributes = fields.take(8)?;
        let mut offset = fields.le(4)?;
        let name = std::str::from_utf8(fields.take(name as usize)?);
        let mut extras = Bytes(fields.take(extra as usize)?);
        let _comment = fields.take(comment as usize)?;
        while !extras.0.is_empty() {
            let (id, length) = (extras.le(2)?, extras.le(2)?);
            let mut field = Bytes(extras.take(length as usize)?);
            for value in [&mut size, &mut packed, &mut offset] {
                if id == 1 && *value == u64::from(u32::MAX) {
                    *value = field.le(8)?;
                }
            }
        }
        let (Ok(name), b"PK\x01\x02") = (name, signature) else {
            return bad_model("the zip directory is damaged; download the file again");
        };
        let stored = method == 0 && flags & 1 == 0 && packed == size;
        entries.push((Entry { name: name.to_owned(), offset, size, stored, end: start }, packed));
    }
    if !fields.0.is_empty() {
        return bad_model("the zip directory is longer than its entries");
    }
    entries.sort_by_key(|(entry, _)| entry.offset);
    let mut end = start;
    for (entry, packed) in entries.iter_mut().rev() {
        entry.end = end;
        let least =
            entry.offset.checked_add(LOCAL_HEADER + entry.name.len() as u64).and_then(|n| n.checked_add(*packed));
        if least.is_none_or(|least| least > end) {
            return bad_model(format!("the zip entry {} overlaps the next one", shown(&entry.name)));
        }
        end = entry.offset;
    }
    let mut roots = entries.iter().filter_map(|(entry, _)| entry.name.strip_suffix("/data.pkl"));
    let Some(root) = roots.find(|root| !root.contains('/')).map(|root| format!("{root}/")) else {
        return bad_model(format!("the zip archive has no data.pkl: torch.save did not write it; {ADVICE}"));
    };
    let mut below = BTreeMap::new();
    for (entry, _) in entries {
        if let Some(path) = entry.name.strip_prefix(&root)
            && let Some(twin) = below.insert(path.to_owned(), entry)
        {
            return bad_model(format!("the zip entry {} appears twice", shown(&twin.name)));
        }
    }
    if below.keys().any(|path| path == "constants.pkl" || path.starts_with("code/")) {
        return bad_model(
            "this file is a TorchScript archive, a program rather than a state dict; save \
             torch.jit.load(file).state_dict() with torch.save",
        );
    }
    Ok(below)
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

#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    /// Accepted and ignored: numbers, None, bytes, lists.
    Plain,
    Integer(i64),
    Text(&'a str),
    Callable(Callable),
    /// An index into `Machine::objects`: containers may be shared or contain themselves.
    Object(usize),
}

/// All that a pickle may name.
#[derive(Debug, Clone, Copy)]
enum Callable {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

#[derive(Debug)]
enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    /// The entries that have a text key and an object as value.
    Dict(Vec<(&'a str, usize)>),
    Storage(Dtype, &'a str),
    Tensor(Tensor<'a>),
}

#[derive(Debug)]
struct Tensor<'a> {
    dtype: Dtype,
    /// Of its storage.
    key: &'a str,
    /// In elements, as are the strides.
    offset: u64,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Tensor<'_> {
    fn is_contiguous(&self) -> bool {
        let mut expected = 1usize;
        self.shape.contains(&0)
            || self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
                let good = size == 1 || stride == expected;
                expected = expected.saturating_mul(size);
                good
            })
    }
}

fn damaged<T>() -> Result<T> {
    bad_model(format!("data.pkl is damaged or not what torch.save writes for a state dict; {ADVICE}"))
}

/// The pickle machine.
#[derive(Debug, Default)]
struct Machine<'a> {
    bytes: Bytes<'a>,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: BTreeMap<u64, Value<'a>>,
    objects: Vec<Object<'a>>,
    pushes: usize,
    tensors: usize,
}

impl<'a> Machine<'a> {
    /// Runs to the end; the value that the pickle stands for.
    fn run(&mut self) -> Result<Value<'a>> {
        loop {
            let value = match self.bytes.le(1)? as u8 {
                b'.' => return self.pop(),
                0x80 if matches!(self.bytes.le(1)?, 2..=5) => continue,
                0x95 => {
                    let _length_of_frame = self.bytes.le(8)?;
                    continue;
                }
                b'(' if self.marks.len() < MAX_DEPTH => {
                    self.marks.push(self.stack.len());
                    continue;
                }
                b'N' | 0x88 | 0x89 | b']' => Value::Plain,
                b'G' => self.plain(8)?,
                b'K' => Value::Integer(self.bytes.le(1)? as i64),
                b'M' => Value::Integer(self.bytes.le(2)? as i64),
                b'J' => Value::Integer(i64::from(self.bytes.le(4)? as i32)),
                0x8a => match self.bytes.le(1)? {
                    length @ 1..=8 => {
                        let unused = 64 - 8 * length as u32;
                        Value::Integer((self.bytes.le(length as usize)? as i64) << unused >> unused)
                    }
                    length => self.plain(length)?,
                },
                op @ (b'X' | 0x8c) => {
                    let length = self.bytes.le(if op == b'X' { 4 } else { 1 })?;
                    Value::Text(self.bytes.text(length as usize)?)
                }
                op @ (b'B' | b'C') => {
                    let length = self.bytes.le(if op == b'B' { 4 } else { 1 })?;
                    self.plain(length)?
                }
                b')' => self.make(Object::Tuple(Vec::new()))?,
                b'}' => self.make(Object::Dict(Vec::new()))?,
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.make(Object::Tuple(items))?
                }
                op @ 0x85..=0x87 => {
                    let mut items = (0x85..=op).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
                    items.reverse();
                    self.make(Object::Tuple(items))?
                }
                op @ (b'a' | b'e' | b's' | b'u') => {
                    let items = match op {
                        b'a' => vec![self.pop()?],
                        b's' => {
                            let (value, key) = (self.pop()?, self.pop()?);
                            vec![key, value]
                        }
                        _ => self.pop_to_mark()?,
                    };
                    if matches!(op, b's' | b'u') {
                        self.set_items(&items)?
                    } else {
                        self.append()?
                    }
                    continue;
                }
                // Attributes of a module's OrderedDict: its `_metadata`.
                b'b' => match (self.pop()?, self.pop()?) {
                    (Value::Object(state), target @ Value::Object(dict))
                        if self.is_dict(state) && self.is_dict(dict) =>
                    {
                        target
                    }
                    _ => return damaged(),
                },
                op @ (b'q' | b'r' | 0x94) => {
                    let index = match op {
                        b'q' => self.bytes.le(1)?,
                        b'r' => self.bytes.le(4)?,
                        _ => self.memo.len() as u64,
                    };
                    let Some(&top) = self.stack.last().filter(|_| self.memo.len() < MAX_OBJECTS) else {
                        return damaged();
                    };
                    self.memo.insert(index, top);
                    continue;
                }
                op @ (b'h' | b'j') => {
                    let index = self.bytes.le(if op == b'h' { 1 } else { 4 })?;
                    self.memo.get(&index).copied().map_or_else(damaged, Ok)?
                }
                b'c' => {
                    let (module, name) = (self.bytes.line()?, self.bytes.line()?);
                    self.callable(module, name)?
                }
                0x93 => match (self.pop()?, self.pop()?) {
                    (Value::Text(name), Value::Text(module)) => self.callable(module, name)?,
                    _ => return damaged(),
                },
                b'Q' => self.storage()?,
                b'R' => self.call()?,
                _ => return damaged(),
            };
            self.pushes += 1;
            if self.pushes > MAX_PUSHES || self.stack.len() >= MAX_STACK {
                return bad_model(format!("data.pkl is too large for a state dict; {ADVICE}"));
            }
            self.stack.push(value);
        }
    }

    /// Reads past `length` bytes that matter to nobody.
    fn plain(&mut self, length: u64) -> Result<Value<'a>> {
        self.bytes.take(length as usize).map(|_| Value::Plain)
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        if self.marks.last().is_some_and(|&mark| self.stack.len() <= mark) {
            return damaged();
        }
        self.stack.pop().map_or_else(damaged, Ok)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        // `pop` leaves the stack at least as high as the innermost mark.
        self.marks.pop().map_or_else(damaged, |mark| Ok(self.stack.split_off(mark)))
    }

    fn make(&mut self, object: Object<'a>) -> Result<Value<'a>> {
        if self.objects.len() >= MAX_OBJECTS {
            return bad_model(format!("data.pkl contains too many objects for a state dict; {ADVICE}"));
        }
        self.objects.push(object);
        Ok(Value::Object(self.objects.len() - 1))
    }

    fn is_dict(&self, index: usize) -> bool {
        matches!(self.objects.get(index), Some(Object::Dict(_)))
    }

    fn tuple(&self, value: Value<'a>) -> Result<&[Value<'a>]> {
        match value {
            Value::Object(index) => match self.objects.get(index) {
                Some(Object::Tuple(items)) => Ok(items),
                _ => damaged(),
            },
            _ => damaged(),
        }
    }

    /// Checks that a list, whose items are dropped, is on top of the stack.
    fn append(&self) -> Result<()> {
        if matches!(self.stack.last(), Some(Value::Plain)) { Ok(()) } else { damaged() }
    }

    /// Adds keys and values, alternating, to the dict on top of the stack.
    fn set_items(&mut self, items: &[Value<'a>]) -> Result<()> {
        let Some(&Value::Object(target)) = self.stack.last() else { return damaged() };
        let Some(Object::Dict(entries)) = self.objects.get_mut(target) else { return damaged() };
        let (pairs, []) = items.as_chunks::<2>() else { return damaged() };
        entries.extend(pairs.iter().filter_map(|pair| match *pair {
            [Value::Text(key), Value::Object(value)] => Some((key, value)),
            _ => None,
        }));
        Ok(())
    }

    fn callable(&self, module: &str, name: &str) -> Result<Value<'a>> {
        let known = match (module, name) {
            ("collections", "OrderedDict") => Callable::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Callable::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Callable::RebuildParameter,
            ("torch", name) if let Some((_, dtype)) = STORAGES.into_iter().find(|(storage, _)| *storage == name) => {
                Callable::Storage(dtype)
            }
            _ => {
                // An object is made by (memoize) EMPTY_TUPLE NEWOBJ; one that is the whole file, or of a model library's class, is a model.
                let rest = match self.bytes.0 {
                    [b'q', _, rest @ ..] | [b'r', _, _, _, _, rest @ ..] | [0x94, rest @ ..] | rest => rest,
                };
                let library = ["torch.nn.", "torchvision.", "timm."].iter().any(|prefix| module.starts_with(prefix));
                let what = shown(&format!("{module}.{name}"));
                return if rest.starts_with(b")\x81") && (self.stack.is_empty() || library) {
                    bad_model(format!(
                        "this file contains a whole pickled model, not a state dict (it names {what}); {ADVICE}"
                    ))
                } else {
                    bad_model(format!(
                        "the file's pickle names {what}, which no state dict needs; none of it was run. If you trust \
                         it, {ADVICE}"
                    ))
                };
            }
        };
        Ok(Value::Callable(known))
    }

    /// The persistent id on the stack: ('storage', type, key, location, number of elements).
    fn storage(&mut self) -> Result<Value<'a>> {
        let id = self.pop()?;
        match *self.tuple(id)? {
            [
                Value::Text("storage"),
                Value::Callable(Callable::Storage(dtype)),
                Value::Text(key),
                _,
                Value::Integer(_),
            ] => self.make(Object::Storage(dtype, key)),
            _ => damaged(),
        }
    }

    /// Applies the callable below the top of the stack to the tuple on top.
    fn call(&mut self) -> Result<Value<'a>> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Value::Callable(callee) = callee else { return damaged() };
        match (callee, self.tuple(arguments)?) {
            (Callable::OrderedDict, []) => self.make(Object::Dict(Vec::new())),
            (Callable::RebuildParameter, &[Value::Object(index), _requires_grad, _hooks]) => {
                match self.objects.get(index) {
                    Some(Object::Tensor(_)) => Ok(Value::Object(index)),
                    _ => damaged(),
                }
            }
            // A seventh argument that is not None says that the view is conjugate or negative.
            (
                Callable::RebuildTensor,
                &[Value::Object(storage), Value::Integer(offset), shape, strides, _requires_grad, _hooks]
                | &[Value::Object(storage), Value::Integer(offset), shape, strides, _requires_grad, _hooks, Value::Plain],
            ) => {
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                let (Some(&Object::Storage(dtype, key)), Ok(offset), true) =
                    (self.objects.get(storage), u64::try_from(offset), shape.len() == strides.len())
                else {
                    return damaged();
                };
                self.tensors += 1;
                if self.tensors > MAX_TENSORS {
                    return bad_model(format!("the file contains more than {MAX_TENSORS} tensors, which is the limit"));
                }
                self.make(Object::Tensor(Tensor { dtype, key, offset, shape, strides }))
            }
            _ => damaged(),
        }
    }

    fn sizes(&self, value: Value<'a>) -> Result<Vec<usize>> {
        let items = self.tuple(value)?;
        if items.len() > MAX_DIMENSIONS {
            return bad_model(format!("a tensor has {} dimensions; the limit is {MAX_DIMENSIONS}", items.len()));
        }
        let size = |item: &Value| match *item {
            Value::Integer(n) => usize::try_from(n).or_else(|_| damaged()),
            _ => damaged(),
        };
        items.iter().map(size).collect()
    }

    /// The tensors of a dict by name, in its order; `None` for anything else and where there are none.
    fn tensors_of(&self, index: usize) -> Option<Vec<(&'a str, &Tensor<'a>)>> {
        let Some(Object::Dict(entries)) = self.objects.get(index) else { return None };
        let tensor = |&(key, index): &(&'a str, usize)| match self.objects.get(index) {
            Some(Object::Tensor(tensor)) => Some((key, tensor)),
            _ => None,
        };
        Some(entries.iter().filter_map(tensor).collect()).filter(|found: &Vec<_>| !found.is_empty())
    }

    /// Finds the state dict in `root`.
    #[allow(clippy::type_complexity)] // a name for it would say no more
    fn select(&self, root: Value<'a>) -> Result<(Option<&'static str>, Vec<(&'a str, &Tensor<'a>)>)> {
        let (index, entries) = match root {
            Value::Object(index) => match self.objects.get(index) {
                Some(Object::Dict(entries)) => (index, entries),
                _ => return bad_model(format!("the file does not contain a dict, and so no state dict; {ADVICE}")),
            },
            _ => return bad_model(format!("the file does not contain a dict, and so no state dict; {ADVICE}")),
        };
        for wrapper in WRAPPERS {
            let found = entries.iter().rfind(|(key, _)| *key == wrapper).and_then(|&(_, inner)| self.tensors_of(inner));
            if let Some(found) = found {
                return Ok((Some(wrapper), found));
            }
        }
        if let Some(found) = self.tensors_of(index) {
            return Ok((None, found));
        }
        let keys: Vec<String> = entries.iter().take(5).map(|(key, _)| shown(key)).collect();
        bad_model(format!(
            "there are no tensors at the file's top level or under {} (it has: {}); {ADVICE}",
            WRAPPERS.join(", "),
            keys.join(", ")
        ))
    }
}
