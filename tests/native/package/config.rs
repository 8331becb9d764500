//! What a package's config.json says, and configs that lie.

use serde_json::{Value, json};
use sightline::package::Config;

use super::{edited, message, tiny};
use crate::common::*;

#[test]
fn configs_that_lie_are_refused_by_name() {
    let (config, weights) = tiny("tiny-vit");
    for (text, code, part) in [
        ("".to_owned(), "bad-model", "JSON"),
        ("[]".to_owned(), "bad-model", "object"),
        ("{}".to_owned(), "bad-model", "architecture"),
        // The nearest names are offered.
        (edited(&config, |c| c["architecture"] = json!("resnet17")), "unsupported-architecture", "resnet18"),
        (
            edited(&config, |c| c["architecture"] = json!("vit_tiny_patch16")),
            "unsupported-architecture",
            "vit_tiny_patch16_224",
        ),
        (edited(&config, |c| c["architecture"] = json!("x".repeat(100_000))), "unsupported-architecture", "nearest"),
        (edited(&config, |c| c["keys"] = json!("keras")), "bad-model", "keys"),
        (edited(&config, |c| c["temperature"] = json!(0)), "bad-model", "temperature"),
        (edited(&config, |c| c["num_classes"] = json!(0)), "bad-model", "feature extractor"),
        (edited(&config, |c| c["num_classes"] = json!(1e15)), "bad-model", "num_classes"),
        (edited(&config, |c| c["label_names"] = json!(["one"])), "bad-model", "label_names"),
        (edited(&config, |c| c["model_args"]["depth"] = json!(1u64 << 60)), "bad-model", "depth"),
        (edited(&config, |c| c["model_args"]["embed_dim"] = json!(-4)), "bad-model", "embed_dim"),
        (edited(&config, |c| c["model_args"]["num_heads"] = json!(5)), "bad-model", "heads"),
        (edited(&config, |c| c["model_args"]["patch_size"] = json!(64)), "bad-model", "patches"),
        (edited(&config, |c| c["model_args"]["swiglu"] = json!(true)), "unsupported-architecture", "swiglu"),
        (edited(&config, |c| c["pretrained_cfg"]["input_size"] = json!([3, 1u64 << 40, 2])), "bad-model", "input_size"),
        (edited(&config, |c| c["pretrained_cfg"]["std"] = json!([0, 1, 1])), "bad-model", "std"),
        (edited(&config, |c| c["pretrained_cfg"]["interpolation"] = json!("magic")), "bad-model", "interpolation"),
        (
            edited(&config, |c| {
                c["model_args"] =
                    json!({ "embed_dim": 4096, "depth": 64, "num_heads": 64, "img_size": 32, "patch_size": 8 });
            }),
            "bad-model",
            "limit",
        ),
        (
            edited(&config, |c| {
                c["model_args"] = json!({ "embed_dim": 24, "num_heads": 3, "img_size": 512, "patch_size": 1 });
                c["pretrained_cfg"]["input_size"] = json!([3, 512, 512]);
            }),
            "out-of-memory",
            "attention",
        ),
    ] {
        let text = message(&text, &weights, code);
        assert!(text.contains(part), "{text} does not name {part}");
    }
}

#[test]
fn a_picture_size_in_model_args_comes_first() {
    let (config, weights) = tiny("tiny-vit");
    let config = edited(&config, |c| c["pretrained_cfg"]["input_size"] = json!([3, 48, 40]));
    let package = load(&config, &weights).unwrap();
    assert_eq!((package.model.spec().input_size, package.preprocess.input_size), ([3, 32, 32], [3, 32, 32]));
}

#[test]
fn labels_come_from_the_package_else_from_the_fallback_else_from_numbers() {
    let (config, _) = tiny("tiny-vit");
    let parse = |text: &str| Config::parse(text).unwrap();
    assert_eq!(parse(&config).labels(None)[1], "birch");
    let bare = edited(&config, |c| c["label_names"] = Value::Null);
    assert_eq!(parse(&bare).labels(None)[7], "class 7");
    assert_eq!(parse(&bare).labels(Some(vec!["x".into()]))[7], "class 7");
    assert_eq!(parse(&bare).labels(Some((0..10).map(|i| format!("n{i}")).collect()))[7], "n7");
}
