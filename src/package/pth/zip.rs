//! The archive around a state dict: a zip of entries that are stored as they are, with zip64
//! (APPNOTE 6.3, sections 4.3 and 4.5.3).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::{Result, bad_model, quote};
use crate::package::limits::{MAX_DIRECTORY_BYTES, MAX_TENSORS};
use crate::package::pth::{ADVICE, Bytes};

const LOCAL_HEADER: u64 = 30;
/// The longest name or extra field of a zip entry.
pub(super) const MAX_FIELD: u64 = u16::MAX as u64;

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Of the local header.
    pub(super) offset: u64,
    pub(super) size: u64,
    /// Neither compressed nor encrypted.
    pub(super) stored: bool,
    /// Where the next entry or the directory begins.
    pub(super) end: u64,
}

impl Entry {
    pub(super) fn header(&self) -> Range<u64> {
        self.offset..self.offset + LOCAL_HEADER + self.name.len() as u64
    }

    pub(super) fn check_stored(&self) -> Result<()> {
        if self.stored {
            return Ok(());
        }
        bad_model(format!(
            "{} is compressed or encrypted, which torch.save never does; unpack the file, then {ADVICE}",
            quote(&self.name)
        ))
    }

    /// Where the data begins, by the local header that `local` begins with; all that both headers
    /// say must agree.
    pub(super) fn data_start(&self, local: &[u8]) -> Result<u64> {
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
            return bad_model(format!("the zip headers of {} contradict each other", quote(&self.name)));
        }
        if start.checked_add(self.size).is_none_or(|end| end > self.end) {
            return bad_model(format!("the zip entry {} runs into the next one", quote(&self.name)));
        }
        Ok(start)
    }
}

/// The directory's range and number of entries, from the records at the archive's end, which
/// torch.save writes without a comment.
pub(super) fn find_directory(tail: &[u8], size: u64) -> Result<(Range<u64>, u64)> {
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
    Ok((start..directory_end, count))
}

/// Reads the central directory of `count` entries, which begins at `start` of the file.
pub(super) fn read_directory(bytes: &[u8], count: u64, start: u64) -> Result<BTreeMap<String, Entry>> {
    // Each tensor has at most a storage of its own; beside them are a few records.
    if count > MAX_TENSORS as u64 + 1000 {
        return bad_model(format!(
            "the zip archive has {count} entries, more than a state dict of {MAX_TENSORS} tensors"
        ));
    }
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
            return bad_model(format!("the zip entry {} overlaps the next one", quote(&entry.name)));
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
            return bad_model(format!("the zip entry {} appears twice", quote(&twin.name)));
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
