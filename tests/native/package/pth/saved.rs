//! Files that torch.save wrote.

use super::*;

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
        ("namespace", &["names argparse.Namespace", "none of it was run", "safetensors"]),
        ("numpy", &["names numpy", "state_dict()"]),
        ("channels-last", &["tensor weight is not contiguous", "contiguous()"]),
        ("transposed", &["tensor weight is not contiguous"]),
        ("expanded", &["tensor weight is not contiguous"]),
        ("float8", &["names torch._utils._rebuild_tensor_v3"]),
        ("conjugate", &["names torch.ComplexFloatStorage"]),
        ("no-tensors", &["no tensors at the file's top level", "(it has: weights)"]),
        ("list", &["does not contain a dict"]),
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
        (b"PK\x03\x04", "truncated"),
    ] {
        let text = refusal(bytes);
        assert!(text.contains(part), "{text}");
    }
    assert!(matches!(Reader::new(0).finish(), Err(Error::BadModel(_))));
    let mut reader = Reader::new(100);
    assert!(reader.supply(&[0; 99]).unwrap_err().to_string().contains("read completely"));
}
