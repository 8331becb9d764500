//! timm's and torchvision's names of the same tensors: whichever a file has, its model is found.

use serde_json::{Value, json};
use sightline::nn::families;
use sightline::nn::guess::guess;
use sightline::package::Config;

use crate::common::*;

/// A config for pictures of 64 x 64; `null` keys are left out.
fn config(architecture: &str, keys: Value) -> String {
    let mut config =
        json!({ "architecture": architecture, "num_classes": 5, "pretrained_cfg": { "input_size": [3, 64, 64] } });
    if !keys.is_null() {
        config["keys"] = keys;
    }
    config.to_string()
}

/// The JSON header of a safetensors file, and what follows it.
fn split(file: &[u8]) -> (Value, &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (serde_json::from_slice(header).unwrap(), data)
}

#[test]
fn the_loader_follows_the_keys_of_the_weights() {
    let (absent, timm, torchvision) = (Value::Null, json!("timm"), json!("torchvision"));
    let with = |keys: &Value| config("mobilenetv2_100", keys.clone());
    let (timms, torchvisions) = (hashed_weights(&with(&timm), 1, 1.0), hashed_weights(&with(&torchvision), 1, 1.0));
    for (keys, weights, layer) in [
        (&absent, &timms, "bn2"),
        (&absent, &torchvisions, "features.18"),
        (&timm, &torchvisions, "features.18"),
        (&torchvision, &torchvisions, "features.18"),
        (&torchvision, &timms, "bn2"),
    ] {
        let package = load(&with(keys), weights).unwrap();
        assert_eq!(package.model.spec().default_layer, layer, "{keys}");
        assert_eq!(package.parameters, 2_230_277);
    }

    // Neither's keys: the message speaks of those that the config names.
    let (mut header, data) = split(&torchvisions);
    header["classifier.1.bjas"] = header.as_object_mut().unwrap().remove("classifier.1.bias").unwrap();
    let header = header.to_string();
    let damaged = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    let message = |keys: &Value| {
        let error = load(&with(keys), &damaged).err().unwrap();
        assert_eq!(error.code(), "bad-model");
        error.to_string()
    };
    assert!(message(&absent).contains("missing: blocks.0.0.bn1.bias"));
    let text = message(&torchvision);
    assert!(text.contains("1 missing: classifier.1.bias; 1 unexpected: classifier.1.bjas"), "{text}");
}

#[test]
fn the_names_and_shapes_are_torchvisions_own() {
    let known = read_json(&golden("models/torchvision_keys.json"));
    for (architecture, keys) in known.as_object().unwrap() {
        let plan = families::plan(&Config::parse(&config(architecture, json!("torchvision"))).unwrap()).unwrap();
        let line = |name: String, shape: &[usize]| shape.iter().fold(name, |line, size| format!("{line} {size}"));
        let mut lines: Vec<_> = plan.params().into_iter().map(|param| line(param.name, &param.shape)).collect();
        lines.sort();
        assert_eq!(lines.len() as u64, keys["tensors"], "{architecture}");
        assert_eq!(format!("{:016x}", fnv(&lines.join("\n"))), keys["fnv"], "{architecture}: {lines:#?}");
    }
}

#[test]
fn weights_without_a_config_may_have_torchvisions_keys() {
    for architecture in ["vgg11", "vgg16_bn", "vgg19", "mobilenet_v2", "alexnet", "squeezenet1_1"] {
        let plan = families::plan(&Config::parse(&config(architecture, json!("torchvision"))).unwrap()).unwrap();
        let mut header = serde_json::Map::new();
        let mut end = 0;
        for param in plan.params() {
            let begin = end;
            end += 4 * param.shape.iter().product::<usize>();
            header.insert(param.name, json!({ "dtype": "F32", "shape": param.shape, "data_offsets": [begin, end] }));
        }
        let found = guess(Value::Object(header.clone()).to_string().as_bytes()).unwrap();
        assert_eq!(found.architecture, architecture);
        let params = families::plan(&Config::parse(&found.config).unwrap()).unwrap().params();
        assert!(params.len() == header.len() && params.iter().all(|p| header.contains_key(&p.name)), "{found:?}");
    }
}

#[test]
fn a_pooling_that_a_net_cannot_have_is_named() {
    for architecture in ["resnet18", "densenet121", "vgg11", "mobilenetv2_100", "squeezenet1_0"] {
        let mut asked: Value = serde_json::from_str(&config(architecture, Value::Null)).unwrap();
        asked["global_pool"] = json!("catavgmax");
        let error = load(&asked.to_string(), b"").err().unwrap();
        assert_eq!(error.code(), "bad-model");
        let text = error.to_string();
        assert!(text.contains("\"catavgmax\" is not supported") && text.contains("only \"avg\" is"), "{text}");
    }
}
