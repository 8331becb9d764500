//! What messages quote of their input: enough to find it, never the whole of it.

use serde_json::{Map, Value, json};
use sightline::ask::control::Unwatched;
use sightline::error::{quote, quote_list};
use sightline::methods::METHODS;
use sightline::nn::guess::guess;
use sightline::{Error, Result};

use crate::common::*;
use crate::package::tiny_vit;

/// Every character of it one that must not reach a message as it is.
fn flood() -> String {
    "\u{202e}\n".repeat(5000)
}

fn short<T>(outcome: Result<T>, place: &str) -> bool {
    let Err(error) = outcome else { return false };
    let message = error.to_string();
    assert!(message.len() < 1000, "{place}: {} bytes: {}", message.len(), quote(&message));
    assert!(!message.contains(['\n', '\u{202e}']), "{place}: {message:?}");
    true
}

#[test]
fn quotes_are_cut_between_characters_and_escape_what_cannot_be_seen() {
    assert_eq!(quote("blocks.0.attn"), "blocks.0.attn");
    assert_eq!(quote(json!({ "a": "b" })), r#"{"a":"b"}"#);
    assert_eq!(quote("a\nb\u{0}\u{202e}"), "a\\nb\\0\\u{202e}");
    assert_eq!(quote("ä".repeat(80)), "ä".repeat(80));
    assert_eq!(quote("x".repeat(2 << 20)), format!("{}…", "x".repeat(80)));
    assert_eq!(quote("ä".repeat(81)), format!("{}…", "ä".repeat(80)));
    assert_eq!(quote_list(["a", "b", "c"].iter(), 80), "a, b, c");
    assert_eq!(
        quote_list(["a".repeat(50), "b".repeat(50), "c".into()].iter(), 80),
        format!("{} and 2 more", "a".repeat(50))
    );
}

/// Every place in a JSON value, by its JSON pointer.
fn places(value: &Value, at: &str, to: &mut Vec<String>) {
    to.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), to)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, value)| places(value, &format!("{at}/{i}"), to)),
        _ => {}
    }
}

/// `valid` with a flood at each place, as a value, a list and a key.
fn flooded(valid: &Value) -> Vec<(String, Value)> {
    let mut at = Vec::new();
    places(valid, "", &mut at);
    let mut all = Vec::new();
    for place in at {
        for bad in [json!(flood()), json!(vec![1; 5000])] {
            let mut value = valid.clone();
            *value.pointer_mut(&place).unwrap() = bad;
            all.push((place.clone(), value));
        }
        let mut value = valid.clone();
        if let Some(fields) = value.pointer_mut(&place).unwrap().as_object_mut() {
            fields.insert(flood(), json!(1));
            all.push((format!("{place}/.."), value));
        }
    }
    all
}

#[test]
fn configs_are_quoted_in_short() {
    let mut refused = 0;
    let args = |architecture: &str, args: Value| {
        let mut value = config(architecture, 10, 64);
        value["model_args"] = args;
        value["label_names"] = json!(null);
        value
    };
    for valid in [
        serde_json::from_str(&tiny_vit().0).unwrap(),
        args(
            "vit_tiny_patch16_224",
            json!({ "act_layer": "gelu", "global_pool": "token", "depth": 1, "qkv_bias": true }),
        ),
        args("resnet18", json!({ "stem_type": "", "act_layer": "relu" })),
        args("convnext_tiny", json!({ "stem_type": "patch", "act_layer": "gelu" })),
        args("densenet121", json!({ "stem_type": "", "growth_rate": 4 })),
        args("mobilenetv3_small_100", json!({ "pad_type": "", "act_layer": "relu" })),
        args("efficientnet_b0", json!({ "pad_type": "same" })),
    ] {
        for (place, bad) in flooded(&valid) {
            refused += usize::from(short(plan(&bad).map(drop), &place));
            // What the parser says of a text that is no JSON is another library's.
            let text = bad.to_string();
            short(sightline::package::Config::parse(&text[..text.len() - 1]), &place);
        }
    }
    assert!(refused > 100, "{refused}");
    assert!(short(
        sightline::package::Config::parse(&json!({ "architecture": flood(), "num_classes": 0 }).to_string()),
        "0"
    ));
}

#[test]
fn weights_are_quoted_in_short() {
    let (config, weights) = tiny_vit();
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&weights[8..8 + length]).unwrap();
    let (name, entry) = header.iter().find(|(name, _)| *name != "__metadata__").unwrap();
    let mut bad: Vec<Map<String, Value>> = Vec::new();
    for (field, value) in [
        ("dtype", json!(flood())),
        ("shape", json!(flood())),
        ("shape", json!(vec![1; 5000])),
        ("data_offsets", json!(flood())),
    ] {
        let mut header = header.clone();
        let mut entry = entry.clone();
        entry[field] = value;
        header.insert(name.clone(), entry);
        bad.push(header);
    }
    // Names without end, and as many of them as a message lists.
    let empty = |name: String| (name, json!({ "dtype": "F32", "shape": [0], "data_offsets": [0, 0] }));
    bad.push((0..20).map(|i| empty(format!("{i}{}", flood()))).collect());
    bad.push(header.iter().map(|(name, entry)| (format!("{name}{}", "x".repeat(1000)), entry.clone())).collect());
    for header in bad {
        let header = Value::Object(header).to_string();
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(&weights[8 + length..]);
        assert!(short(load(&config, &file), "header"), "{}", quote(&header));
        short(guess(header.as_bytes()), "guess");
    }
}

#[test]
fn requests_are_quoted_in_short() {
    let (mut explainer, image) = Golden::read("packages/tiny-vit").open();
    let mut refused = 0;
    let model = explainer.package().model.spec().clone();
    for spec in METHODS.iter().map(|m| m.spec).filter(|m| m.works_on(&model)) {
        let mut keys: Vec<String> = spec.options.iter().map(|option| option.id.to_owned()).collect();
        keys.extend(["method", "target", "output", "layer"].map(str::to_owned));
        keys.push(flood());
        for key in keys {
            for bad in [
                json!(flood()),
                json!([flood()]),
                json!({ "contrast": flood() }),
                json!({ "data": flood(), "shape": flood() }),
            ] {
                let mut request = json!({ "method": spec.id });
                request[&key] = bad;
                let outcome = attribute(&mut explainer, &image, request);
                assert!(short(outcome, &format!("{} {}", spec.id, quote(&key))), "{} {}", spec.id, quote(&key));
                refused += 1;
            }
        }
    }
    assert!(refused > 300, "{refused}");
    let request = || Map::from_iter([(flood(), json!(1))]);
    assert!(short(now(explainer.heads(&image, request(), &Unwatched)), "heads"));
    assert!(short(now(explainer.gradients(&image, request(), &Unwatched)), "gradients"));
    assert!(short(now(explainer.activations(&image, Some(&flood()), &Unwatched)), "activations"));
    let image = sightline::explain::Image::Tensor { data: vec![], shape: vec![1; 5000] };
    assert!(matches!(now(explainer.classify(&image, None, &Unwatched)), Err(Error::BadOption(m)) if m.len() < 1000));
}
