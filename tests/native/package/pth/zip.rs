//! Archives made by hand: whole ones, and ones that lie.

use super::*;

#[test]
fn hand_made_files_are_read() {
    let mut entries = simple();
    let bytes = zip(&entries);
    let values = [&[7u8; 8][..], &[9; 12]].concat();
    assert!(whole(&read(&bytes).unwrap(), &bytes).ends_with(&values));
    entries.iter_mut().for_each(|entry| entry.zip64 = true);
    let bytes = zip(&entries);
    assert!(whole(&read(&bytes).unwrap(), &bytes).ends_with(&values));
    entries.extend([made("byteorder", b"little"), made("version", b"3\n"), made("other", b"?")]);
    read(&zip(&entries)).unwrap();
    entries[3].data = b"big".to_vec();
    assert!(refusal(&zip(&entries)).contains("big-endian"));
    entries[3].data = b"little".to_vec();
    entries[4].data = b"99\n".to_vec();
    assert!(refusal(&zip(&entries)).contains("version 99"));
    entries[4].data = vec![b'3'; 65];
    assert!(refusal(&zip(&entries)).contains("version has 65 bytes"));
}

/// Only headers are read, near ones together.
#[test]
fn values_are_not_read() {
    let tensors: Vec<(String, Vec<u8>)> =
        (0..40).map(|i| (format!("t{i}"), pickled(&i.to_string(), [0, 1, 1]))).collect();
    let tensors: Vec<(&str, Vec<u8>)> = tensors.iter().map(|(name, t)| (name.as_str(), t.clone())).collect();
    let size = |i: usize| if i % 10 == 9 { 1 << 20 } else { 400 };
    let mut entries = vec![made("data.pkl", &pickled_dict(&tensors))];
    entries.extend((0..40).map(|i| made(&format!("data/{i}"), &vec![0; size(i)])));
    let bytes = zip(&entries);
    let (state, asked) = read_ranges(&bytes);
    assert_eq!(state.unwrap().ranges.len(), 40);
    assert_eq!(asked.len(), 4 + 4, "{asked:?}");
    let read: u64 = asked.iter().map(|r| r.end - r.start).sum();
    assert!(read < 150_000, "{read} bytes of {}", bytes.len());
}

#[test]
fn archives_that_lie_are_refused() {
    let edited = |edit: &dyn Fn(&mut Vec<Made>)| {
        let mut entries = simple();
        edit(&mut entries);
        refusal(&zip(&entries))
    };
    for (text, part) in [
        (edited(&|e| e[1].method = 8), "a/data/0 is compressed"),
        (edited(&|e| e[0].method = 8), "a/data.pkl is compressed"),
        (edited(&|e| e[1].offset = Some(0)), "overlaps"),
        (edited(&|e| e[1].offset = Some(1)), "overlaps"),
        (edited(&|e| e[1].offset = Some(u32::MAX)), "overlaps"),
        (edited(&|e| e[1].size = Some(13)), "overlaps"),
        (edited(&|e| e[1].size = Some(u32::MAX)), "overlaps"),
        (edited(&|e| (e[1].data, e[1].size) = (vec![7; 16], Some(12))), "contradict"),
        (edited(&|e| e[1].local_size = Some(1 << 30)), "contradict"),
        (edited(&|e| e[1].local_name = Some("a/data/1".to_owned())), "contradict"),
        (edited(&|e| e[0].local_name = Some("a/data_pkl".to_owned())), "contradict"),
        (edited(&|e| e.push(e[1].clone())), "twice"),
        (edited(&|e| drop(e.remove(2))), "tensor v has a storage that is not in the file"),
        (edited(&|e| drop(e.remove(0))), "no data.pkl"),
        (edited(&|e| e[1].data.truncate(8)), "tensor w extends past the end of its storage"),
        (edited(&|e| e.push(made("code/x.py", b""))), "TorchScript"),
        // A bomb: more than is read, said in few bytes.
        (edited(&|e| e[0].data = vec![b'N'; (16 << 20) + 1]), "data.pkl has 16777217 bytes"),
        (edited(&|e| e[0].data = vec![b'N'; 16 << 20]), "too large"),
        (edited(&|e| e[0].data = vec![b')'; 2 << 20]), "too many objects"),
        (edited(&|e| e[0].data = vec![b'('; 1 << 20]), "damaged"),
    ] {
        assert!(text.contains(part), "{text}; expected: {part}");
    }
    let many: Vec<(String, Vec<u8>)> = (0..40_000).map(|i| (format!("{i}"), pickled("0", [0, 1, 1]))).collect();
    let many: Vec<(&str, Vec<u8>)> = many.iter().map(|(name, t)| (name.as_str(), t.clone())).collect();
    read(&zip(&[made("data.pkl", &pickled_dict(&many)), made("data/0", &[0; 4])])).unwrap();
    // An extra field that moves the data into the next entry.
    let mut bytes = zip(&simple());
    let name = find(&bytes, b"a/data/0");
    bytes[name - 2] = 5;
    assert!(refusal(&bytes).contains("a/data/0 runs into the next one"));

    // One tuple of arguments, shared by more tensors than are allowed.
    let head = b"\x80\x02}(ctorch._utils\n_rebuild_tensor_v2\nq\x00((\x8c\x07storagectorch\nFloatStorage\n\
          \x8c\x010\x8c\x03cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89Ntq\x01";
    let again = b"h\x00h\x01R".repeat(40_001);
    let text = refusal(&zip(&[made("data.pkl", &[&head[..], &again, b"u."].concat()), made("data/0", &[0; 4])]));
    assert!(text.contains("more than 40000 tensors"), "{text}");
}
