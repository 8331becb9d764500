//! Every architecture of every family, planned from a minimal config at its usual size: what all
//! code behind a plan relies on.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Device;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use sightline::nn::families;
use sightline::nn::families::FAMILIES;
use sightline::nn::load::Loader;
use sightline::nn::model::Fold;
use sightline::package::Config;
use sightline::package::limits::MAX_PARAMETERS;

/// The side of the pictures that an architecture's published weights take.
fn side(name: &str) -> usize {
    let last = name.rsplit('_').next().and_then(|part| part.parse().ok()).filter(|side| *side >= 96);
    match last {
        Some(side) => side,
        None if name.starts_with("inception") => 299,
        None if name.contains("dinov2") => 518,
        None => 224,
    }
}

fn config(name: &str, side: usize) -> String {
    json!({ "architecture": name, "num_classes": 3, "pretrained_cfg": { "input_size": [3, side, side] } }).to_string()
}

#[test]
fn every_name_belongs_to_one_family() {
    let mut families = BTreeMap::new();
    for family in FAMILIES {
        assert!(!family.architectures().is_empty(), "{} has no names", family.id);
        for name in family.architectures() {
            assert!(!name.contains(['{', '}', '*', ',']), "{name} of {} is no name", family.id);
            let other = families.insert(name.clone(), family.id);
            assert_eq!(other, None, "{name} also belongs to {}", family.id);
        }
    }
}

#[test]
fn every_architecture_is_planned_from_a_minimal_config() {
    for name in FAMILIES.iter().flat_map(|family| family.architectures()) {
        let config = Config::parse(&config(&name, side(&name))).unwrap();
        let plan = families::plan(&config).unwrap_or_else(|error| panic!("{name}: {error}"));
        let spec = plan.spec();
        assert_eq!(spec.architecture, name);
        assert_eq!(spec.input_size, config.preprocess.input_size, "{name}");
        assert_eq!(spec.num_classes, 3, "{name}");

        let mut names = BTreeSet::new();
        let mut statistics = 0;
        let mut total = 0;
        for param in plan.params() {
            let size = param.shape.iter().product::<usize>();
            assert!(size > 0, "{name}: {} is empty", param.name);
            let counted = if param.name.contains("running_") { &mut statistics } else { &mut total };
            *counted += size;
            assert!(!plan.ignores(&param.name), "{name}: {} is needed and ignored", param.name);
            assert!(names.insert(param.name.clone()), "{name}: {} is there twice", param.name);
        }
        assert!(total > 100_000 && total <= MAX_PARAMETERS && statistics < total, "{name}: {total} parameters");

        let mut stages = BTreeSet::new();
        for stage in &spec.stages {
            assert!(stages.insert(&stage.name), "{name}: stage {} is there twice", stage.name);
            // A norm in a stage of its own multiplies no matrices.
            let free = stage.name.starts_with("norm");
            assert!(stage.macs > 0.0 || free, "{name}: stage {} costs {}", stage.name, stage.macs);
            assert!(stage.macs.is_finite() && stage.macs >= 0.0, "{name}: stage {} costs {}", stage.name, stage.macs);
        }
        assert!((spec.share(0..spec.stages.len()) - 1.0).abs() < 1e-12, "{name}");

        let mut ids = BTreeSet::new();
        for layer in &spec.layers {
            assert!(ids.insert(&layer.id), "{name}: layer {} is there twice", layer.id);
            assert!(layer.stage < spec.stages.len(), "{name}: {} is in no stage", layer.id);
            assert!(!layer.fold.shape().contains(&0), "{name}: {} is empty", layer.id);
        }
        assert!(spec.layers.is_sorted_by_key(|layer| layer.stage), "{name}: layers are not from shallow to deep");
        let layer = spec.layer(&spec.default_layer).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (Fold::Map { h, w, .. } | Fold::Tokens { h, w, .. }) = layer.fold;
        assert!(h >= 2 && w >= 2, "{name}: {} has a grid of {h} x {w}", layer.id);
    }
}

#[test]
fn a_training_head_is_read_past_and_nothing_else() {
    let text = config("inception_v3", 299);
    let config = Config::parse(&text).unwrap();
    // Only the header is looked at before the first tensor is complete.
    let feed = |extra: &str| {
        let params = families::plan(&config).unwrap().params().into_iter().map(|param| (param.name, param.shape));
        let extra = [(extra.to_owned(), vec![2, 3])];
        let data: Vec<_> = params
            .chain(extra)
            .map(|(name, shape)| (name, vec![0; 4 * shape.iter().product::<usize>()], shape))
            .collect();
        let views =
            data.iter().map(|(name, bytes, shape)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
        let file = safetensors::serialize(views, None).unwrap();
        let end = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let header = &file[8..end];
        let mut loader = Loader::new(&text, None, &Device::flex()).unwrap();
        (loader.feed(&file[..end]), sightline::nn::guess::guess(header))
    };
    let (loaded, guessed) = feed("AuxLogits.fc.weight");
    assert!(loaded.is_ok(), "{loaded:?}");
    assert_eq!(guessed.unwrap().architecture, "inception_v3");
    let (loaded, guessed) = feed("fc.extra");
    assert!(loaded.unwrap_err().to_string().contains("unexpected: fc.extra"));
    assert!(guessed.is_err());
}

#[test]
fn a_null_argument_is_what_timms_reader_of_packages_takes_it_for() {
    let plan = |name: &str, args: Value| {
        let mut config: Value = serde_json::from_str(&config(name, side(name))).unwrap();
        config["model_args"] = args;
        let params = families::plan(&Config::parse(&config.to_string())?)?.params();
        Ok::<_, sightline::Error>(params.into_iter().map(|param| (param.name, param.shape)).collect::<Vec<_>>())
    };
    // Tried with timm 1.0.31: most make another net than the default.
    for (name, argument, same) in [
        ("resnet50d", "avg_down", json!(false)),
        ("convnext_tiny", "conv_bias", json!(false)),
        ("convnext_large_mlp", "head_hidden_size", json!(0)),
        ("convnext_tiny_hnf", "head_norm_first", json!(false)),
        ("convnextv2_atto", "use_grn", json!(false)),
        ("regnety_002", "se_ratio", json!(0)),
        ("regnety_008_tv", "group_min_ratio", json!(0)),
        ("vit_tiny_patch16_224", "qkv_bias", json!(false)),
        ("vit_base_patch16_clip_224", "pre_norm", json!(false)),
        ("vit_medium_patch16_gap_240", "fc_norm", json!(true)),
        ("vit_medium_patch16_gap_240", "init_values", json!(0)),
        ("deit3_small_patch16_224", "no_embed_class", json!(false)),
    ] {
        let null = plan(name, json!({ argument: null })).unwrap();
        assert_eq!(null, plan(name, json!({ argument: same })).unwrap(), "{name}, {argument}");
        assert_ne!(null, plan(name, json!({})).unwrap(), "{name}, {argument}");
    }
    let scaled = |args| plan("convnext_tiny", args).unwrap().iter().any(|(name, _)| name.ends_with("gamma"));
    assert!(scaled(json!({})) && scaled(json!({ "ls_init_value": 0 })) && !scaled(json!({ "ls_init_value": null })));
    // timm cannot make these.
    for (name, argument) in [
        ("resnet18", "layers"),
        ("resnet18", "stem_type"),
        ("convnext_tiny", "act_layer"),
        ("densenet121", "growth_rate"),
        ("mobilenetv2_100", "output_stride"),
        ("regnety_002", "group_size"),
        ("vgg11", "mlp_ratio"),
        ("vit_tiny_patch16_224", "img_size"),
        ("vit_tiny_patch16_224", "global_pool"),
    ] {
        let error = plan(name, json!({ argument: null })).unwrap_err();
        assert_eq!(error.code(), "bad-model", "{name}, {argument}");
        assert!(error.to_string().contains(argument), "{error}");
    }
    // Nor does null mean "as ever" for an argument that is not read: without `final_norm` there is
    // no norm.
    let error = plan("vit_tiny_patch16_224", json!({ "final_norm": null })).unwrap_err();
    assert_eq!(error.code(), "unsupported-architecture");
}
