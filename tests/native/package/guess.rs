//! Weights without a config.json: the architecture is found by the tensors' names and shapes.

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::json;
use sightline::nn::families;
use sightline::nn::families::FAMILIES;
use sightline::nn::guess::guess;
use sightline::package::Config;

use crate::common::*;

/// The header of a file with these tensors.
fn header(params: impl IntoIterator<Item = (String, Vec<usize>)>) -> Vec<u8> {
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

fn params(architecture: &str, classes: usize, side: usize) -> Vec<(String, Vec<usize>)> {
    let text = json!({
        "architecture": architecture, "num_classes": classes, "pretrained_cfg": { "input_size": [3, side, side] }
    });
    let plan = families::plan(&Config::parse(&text.to_string()).unwrap()).unwrap();
    plan.params().into_iter().map(|p| (p.name, p.shape)).collect()
}

#[test]
fn architectures_are_found_by_their_tensors() {
    for family in FAMILIES {
        let names = family.architectures();
        for name in [names.first(), names.last()].into_iter().flatten() {
            let side = if name.starts_with("inception") { 299 } else { 224 };
            let found = guess(&header(params(name, 17, side))).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(found.architecture == *name || found.note.contains(name), "{name}: {found:?}");
            assert_eq!(Config::parse(&found.config).unwrap().num_classes, 17);
        }
    }
}

#[test]
fn the_picture_size_of_a_transformer_is_in_its_positions() {
    let found = guess(&header(params("vit_small_patch16_384", 5, 384))).unwrap();
    assert_eq!(found.architecture, "vit_small_patch16_384");
    assert_eq!(Config::parse(&found.config).unwrap().preprocess.input_size, [3, 384, 384]);
}

#[test]
fn strange_weights_are_refused_with_the_nearest_name() {
    let mut tensors = params("resnet18", 10, 224);
    tensors.push(("extra.weight".into(), vec![3]));
    let message = guess(&header(tensors)).unwrap_err().to_string();
    assert!(message.contains("resnet18") && message.contains("config.json"), "{message}");
    assert!(guess(&header([("a".to_owned(), vec![1])])).unwrap_err().to_string().contains("no supported architecture"));
    assert_eq!(guess(b"{").unwrap_err().code(), "bad-model");
}

#[test]
fn real_files_are_recognised() {
    for model in ["deit_tiny_patch16_224", "mobilenetv2_100_same"] {
        let Some(folder) = shared(&format!("models/{model}")) else { return };
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let found = guess(&bytes[8..8 + length]).unwrap();
        let wanted = model.trim_end_matches("_same");
        assert!(found.architecture == wanted || found.note.contains(wanted), "{found:?}");
    }
}
