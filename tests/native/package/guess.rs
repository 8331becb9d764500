//! Weights without a config.json: the architecture is found by the tensors' names and shapes.

use sightline::nn::families::FAMILIES;
use sightline::nn::guess::guess;
use sightline::package::Config;

use crate::common::*;

fn header(architecture: &str, classes: usize, side: usize) -> Vec<u8> {
    safetensors_header(params(plan(&config(architecture, classes, side)).unwrap().as_ref()))
}

#[test]
fn architectures_are_found_by_their_tensors() {
    for family in FAMILIES {
        let names = family.architectures();
        for name in [names.first(), names.last()].into_iter().flatten() {
            let found = guess(&header(name, 17, usual_side(name))).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(found.architecture == *name || found.note.contains(name), "{name}: {found:?}");
            assert_eq!(Config::parse(&found.config).unwrap().num_classes, 17);
        }
    }
}

#[test]
fn the_picture_size_of_a_transformer_is_in_its_positions() {
    let found = guess(&header("vit_small_patch16_384", 5, 384)).unwrap();
    assert_eq!(found.architecture, "vit_small_patch16_384");
    assert_eq!(Config::parse(&found.config).unwrap().preprocess.input_size, [3, 384, 384]);
}

#[test]
fn strange_weights_are_refused_with_the_nearest_name() {
    let mut tensors = params(plan(&config("resnet18", 10, 224)).unwrap().as_ref());
    tensors.push(("extra.weight".into(), vec![3]));
    let message = guess(&safetensors_header(tensors)).unwrap_err().to_string();
    assert!(message.contains("resnet18") && message.contains("config.json"), "{message}");
    assert!(
        guess(&safetensors_header([("a".to_owned(), vec![1])]))
            .unwrap_err()
            .to_string()
            .contains("no supported architecture")
    );
    assert_eq!(guess(b"{").unwrap_err().code(), "bad-model");
}

#[test]
#[ignore = "needs ../shared"]
fn real_files_are_recognised() {
    for model in REAL_MODELS {
        let bytes = std::fs::read(shared(&format!("models/{model}")).join("model.safetensors")).unwrap();
        let found = guess(split_header(&bytes).0).unwrap();
        let wanted = model.trim_end_matches("_same");
        assert!(found.architecture == wanted || found.note.contains(wanted), "{found:?}");
    }
}
