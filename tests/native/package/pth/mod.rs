//! PyTorch files: the tensors that torch.save wrote are found, and all that is no state dict is refused in words.

use std::ops::Range;

use burn::tensor::Device;
use safetensors::{Dtype, SafeTensors};
use sightline::explainer::Unwatched;
use sightline::package::Loader;
use sightline::pth::{Reader, StateDict};
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
fn read(file: &[u8]) -> Result<StateDict> {
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

#[test]
fn tensors_are_those_that_torch_saved() {
    for (name, wrapper) in [
        ("plain", None),
        ("protocol-4", None),
        ("types", None),
        ("views", None),
        ("parameters", None),
        ("wrapped", Some("state_dict")),
        ("data-parallel", Some("model")),
        ("ema", Some("state_dict_ema")),
    ] {
        let bytes = file(&format!("{name}.pth"));
        let state = read(&bytes).unwrap();
        assert_eq!(state.wrapper, wrapper, "{name}");
        let (expected, found) = (file(&format!("{name}.safetensors")), whole(&state, &bytes));
        let (expected, found) =
            (SafeTensors::deserialize(&expected).unwrap(), SafeTensors::deserialize(&found).unwrap());
        assert_eq!(found.len(), expected.len(), "{name}");
        for (tensor, view) in expected.iter() {
            assert_eq!(found.tensor(tensor).unwrap(), view, "{name}: {tensor}");
        }
    }
    let views = file("views.pth");
    assert!(read(&views).unwrap().ranges.iter().any(|r| r.is_empty()));
}

#[test]
fn order_is_the_files_own() {
    let bytes = file("plain.pth");
    let state = read(&bytes).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&whole(&state, &bytes)).unwrap();
    let names = ["conv.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"];
    let names = [&names[..], &["norm.num_batches_tracked", "head.weight", "head.bias"]].concat();
    assert_eq!(metadata.offset_keys(), names);
    assert_eq!(metadata.info("norm.num_batches_tracked").unwrap().dtype, Dtype::I64);
    assert!(state.ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
}

/// torch.save's file of the package tiny-vit, whose values are taken from the package.
fn tiny_vit() -> Vec<u8> {
    let package = std::fs::read(golden("packages/tiny-vit/model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&package).unwrap();
    let (shell, about) = (file("tiny-vit.shell"), read_json(&golden("pth/tiny-vit.json")));
    let (mut all, mut rest) = (Vec::new(), &shell[..]);
    for cut in about["cuts"].as_array().unwrap() {
        let (before, after) = rest.split_at(cut[0].as_u64().unwrap() as usize - all.len());
        all.extend_from_slice(before);
        all.extend_from_slice(tensors.tensor(cut[1].as_str().unwrap()).unwrap().data());
        rest = after;
    }
    all.extend_from_slice(rest);
    assert_eq!(all.len() as u64, about["bytes"].as_u64().unwrap());
    all
}

#[test]
fn a_saved_vit_gives_timms_logits() {
    let bytes = tiny_vit();
    let state = read(&bytes).unwrap();
    let config = std::fs::read_to_string(golden("packages/tiny-vit/config.json")).unwrap();
    let mut loader = Loader::new(&config, None, &Device::flex()).unwrap();
    loader.feed(&state.header).unwrap();
    state.ranges.iter().for_each(|r| loader.feed(&bytes[r.start as usize..r.end as usize]).unwrap());
    let mut explainer = explainer(loader.finish().unwrap());
    let goldens = read_tensors(&golden("packages/tiny-vit/golden.safetensors"));
    let logits = now(explainer.classify(&tensor(&goldens, "input"), None, &Unwatched)).unwrap().logits;
    let expected = &goldens["logits"].1;
    assert_eq!(logits.len(), expected.len());
    let scale = expected.iter().fold(0f32, |a, v| a.max(v.abs()));
    for (a, b) in logits.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-5 * scale, "{logits:?}, expected {expected:?}");
    }

    // The loader's own checks see the described tensors before any value.
    let mut other = Loader::new(&config, None, &Device::flex()).unwrap();
    let plain = read(&file("plain.pth")).unwrap();
    let text = other.feed(&plain.header).unwrap_err().to_string();
    assert!(text.contains("missing: ") && text.contains("unexpected: conv.weight"), "{text}");
}

#[test]
fn what_is_no_state_dict_is_refused_in_words() {
    for (name, parts) in [
        ("legacy", &["before PyTorch 1.6", "state_dict()"][..]),
        ("script", &["TorchScript", "torch.jit.load(file).state_dict()"]),
        ("whole", &["whole pickled model, not a state dict", "__main__.Net", "state_dict()"]),
        ("whole-inside", &["whole pickled model", "torch.nn.modules.linear.Linear"]),
        ("namespace", &["names argparse.Namespace", "nothing of it was run", "safetensors"]),
        ("numpy", &["names numpy", "state_dict()"]),
        ("channels-last", &["tensor weight is not contiguous", "contiguous()"]),
        ("transposed", &["tensor weight is not contiguous"]),
        ("expanded", &["tensor weight is not contiguous"]),
        ("float8", &["names torch._utils._rebuild_tensor_v3"]),
        ("conjugate", &["names torch.ComplexFloatStorage"]),
        ("no-tensors", &["no tensors are at the file's top level", "(it has: weights)"]),
        ("list", &["holds no dict"]),
    ] {
        let text = refusal(&file(&format!("{name}.pth")));
        assert!(parts.iter().all(|part| text.contains(part)), "{name}: {text}");
    }
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, part) in [
        (&tar[..], "tar archive"),
        (b"<!doctype html><title>404</title>", "not a PyTorch file"),
        (b"", "not a PyTorch file"),
        (b"PK\x03\x04", "cut off"),
    ] {
        let text = refusal(bytes);
        assert!(text.contains(part), "{text}");
    }
    assert!(matches!(Reader::new(0).finish(), Err(Error::BadModel(_))));
    let mut reader = Reader::new(100);
    assert!(reader.supply(&[0; 99]).unwrap_err().to_string().contains("read whole"));
}

/// A zip entry as the hand-made files have it: what is said of it may differ from what it is.
#[derive(Clone)]
struct Made {
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

fn made(name: &str, data: &[u8]) -> Made {
    let (name, data) = (format!("a/{name}"), data.to_vec());
    Made { name, data, method: 0, size: None, offset: None, local_name: None, local_size: None, zip64: false }
}

/// A zip archive (APPNOTE 6.3) without a zip64 end record.
fn zip(entries: &[Made]) -> Vec<u8> {
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
fn pickled(key: &str, numbers: [i32; 3]) -> Vec<u8> {
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
    assert!(refusal(&zip(&entries)).contains("little-endian"));
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
        (edited(&|e| drop(e.remove(2))), "tensor v has a storage that the file does not hold"),
        (edited(&|e| drop(e.remove(0))), "no data.pkl"),
        (edited(&|e| e[1].data.truncate(8)), "tensor w reaches past the end of its storage"),
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
    let head = b"\x80\x02}(ctorch._utils\n_rebuild_tensor_v2\nq\x00((\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89Ntq\x01";
    let again = b"h\x00h\x01R".repeat(100_001);
    let text = refusal(&zip(&[made("data.pkl", &[&head[..], &again, b"u."].concat()), made("data/0", &[0; 4])]));
    assert!(text.contains("more than 100000 tensors"), "{text}");
}

#[test]
fn pickles_that_lie_are_refused() {
    let refused = |pickle: &[u8]| refusal(&zip(&[made("data.pkl", pickle), made("data/0", &[0; 16])]));
    let tensor = |numbers| refused(&pickled_dict(&[("w", pickled("0", numbers))]));
    let two = pickled("0", [0, 1, 1]);
    for (text, part) in [
        (
            refused(b"\x80\x02cos\nsystem\n\x8c\x08rm -rf /\x85R."),
            "names os.system, which no state dict needs; nothing of it was run",
        ),
        (refused(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R."), "names os.system"),
        (refused(b"cbuiltins\neval\n."), "names builtins.eval"),
        (refused(b"}\x8c\x01wctorch.storage\n_load_from_bytes\nC\x01x\x85Rs."), "names torch.storage._load_from_bytes"),
        (refused(b"ctorch\nload\n."), "names torch.load"),
        (refused(b"ctorch.storage\nUntypedStorage\n."), "names torch.storage.UntypedStorage"),
        (refused(b"c\x1b[31mevil\n\x07\n."), "names \\u{1b}[31mevil.\\u{7}"),
        (refused(&[b"c", &[b'x'; 300][..], b"\ny\n."].concat()), "xxx..."),
        (refused(&[b"c", &[b'x'; 2000][..], b"\ny\n."].concat()), "ends early"),
        // Instructions that no state dict needs: INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID, and nonsense.
        (refused(b"(ios\nsystem\n."), "damaged"),
        (refused(b"(ccollections\nOrderedDict\no."), "damaged"),
        (refused(b"ccollections\nOrderedDict\n)\x81."), "damaged"),
        (refused(b"ccollections\nOrderedDict\n)}\x92."), "damaged"),
        (refused(b"\x82\x01."), "damaged"),
        (refused(b"P0\n."), "damaged"),
        (refused(b"\xff."), "damaged"),
        (refused(b"\x80\x09}."), "damaged"),
        (refused(b""), "ends early"),
        (refused(b"."), "damaged"),
        (refused(b"(."), "damaged"),
        (refused(b"t."), "damaged"),
        (refused(b"}(Nu."), "damaged"),
        (refused(b"}NNb."), "damaged"),
        (refused(b"h\x05."), "damaged"),
        (refused(b"}q\x00(\x8c\x01wh\x00u."), "no tensors"),
        (refused(b"X\xff\xff\xff\xff"), "ends early"),
        (refused(b"\x8c\x01\xff."), "UTF-8"),
        (refused(b"ccollections\nOrderedDict\nN\x85R."), "damaged"),
        (refused(b"ctorch\nFloatStorage\n)R."), "damaged"),
        (refused(b"\x8c\x01xQ."), "damaged"),
        (refused(b"ctorch._utils\n_rebuild_parameter\nN\x88N\x87R."), "damaged"),
        (refused(&pickled_dict(&[("w", two.clone()), ("w", two.clone())])), "tensor w is there twice"),
        (refused(&pickled_dict(&[("w", pickled("/../0", [0, 1, 1]))])), "storage that the file does not hold"),
        (tensor([-1, 1, 1]), "damaged"),
        (tensor([0, -1, 1]), "damaged"),
        (tensor([4, 1, 1]), "reaches past"),
        (tensor([0, 5, 1]), "reaches past"),
        (tensor([1, 4, 1]), "reaches past"),
        (tensor([0, i32::MAX, 1]), "reaches past"),
        (tensor([0, 2, 2]), "not contiguous"),
        (tensor([0, 2, 0]), "not contiguous"),
    ] {
        assert!(text.contains(part), "{text}; expected: {part}");
        assert!(text.len() < 500, "{text}");
    }
    assert!(read(&zip(&[made("data.pkl", &pickled_dict(&[("w", two)])), made("data/0", &[0; 16])])).is_ok());

    // Sizes whose product overflows: [2^62, 2^62], contiguous.
    let huge = b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40";
    let pickle = [
        &b"}\x8c\x01wctorch._utils\n_rebuild_tensor_v2\n((\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuK\x01tQK\x00"[..],
        huge, huge, b"\x86", huge, b"K\x01\x86\x89NtRs.",
    ]
    .concat();
    assert!(refused(&pickle).contains("impossible size"));
}

#[test]
fn no_cut_of_a_file_panics_or_hangs() {
    for name in ["plain.pth", "views.pth", "protocol-4.pth"] {
        let bytes = file(name);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{name} cut to {length} bytes");
        }
    }
    let small = zip(&simple());
    (0..small.len()).for_each(|length| assert!(read(&small[..length]).is_err()));
    // A pickle cut short within a sound archive.
    let plain = file("wrapped.pth");
    let start = find(&plain, b"\x80\x02}");
    let pickle = &plain[start..start + 4000];
    for length in 0..pickle.len() {
        refusal(&zip(&[made("data.pkl", &pickle[..length])]));
    }
}

/// splitmix64
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ z >> 31) as usize >> 1
}

#[test]
fn no_damage_to_a_file_panics_or_hangs() {
    let mut state = 1;
    let (mut good, mut bad) = (0, 0);
    for name in ["plain.pth", "views.pth", "protocol-4.pth", "wrapped.pth", "types.pth", "data-parallel.pth"] {
        let bytes = file(name);
        // The pickle, the directory, and anything.
        let pickle = find(&bytes, b"data.pkl") + 8..find(&bytes, b".format_version");
        let directory = find(&bytes, b"PK\x01\x02")..bytes.len();
        for span in [pickle, directory, 0..bytes.len()] {
            for _ in 0..2000 {
                let mut damaged = bytes.clone();
                for _ in 0..1 + random(&mut state) % 3 {
                    let at = span.start + random(&mut state) % span.len();
                    damaged[at] = match random(&mut state) % 3 {
                        0 => damaged[at] ^ 1 << (random(&mut state) % 8),
                        1 => [0, 0xff, b'R', b'(', b't', b'u', b'b', b'Q'][random(&mut state) % 8],
                        _ => bytes[random(&mut state) % bytes.len()],
                    };
                }
                match read(&damaged) {
                    Ok(_) => good += 1,
                    Err(_) => bad += 1,
                }
            }
        }
    }
    // Both must occur, or the damage is all of one kind.
    assert!(good > 1000 && bad > 1000, "{good} read, {bad} refused");
}
