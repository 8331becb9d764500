//! Every family against timm, torchvision and captum: small seeded models (always) and real ones
//! (where `../shared` is). `GOLDEN=<part of a name>` runs those goldens alone; `-- --nocapture`
//! shows how closely each agrees.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;
use sightline::ask::control::Unwatched;
use sightline::nn::families::FAMILIES;
use sightline::nn::pass::{Activation, Pass, Tappable};

use crate::common::*;

fn values(activation: Activation) -> Vec<f32> {
    match activation {
        Activation::Map(t) => t.into_data(),
        Activation::Tokens(t) => t.into_data(),
        Activation::Logits(t) => t.into_data(),
    }
    .try_into_vec()
    .unwrap()
}

/// The folders of the goldens, by the family of their architecture.
fn goldens() -> BTreeMap<&'static str, Vec<PathBuf>> {
    let mut goldens = BTreeMap::<_, Vec<_>>::new();
    for folder in ["models", "packages"].iter().flat_map(|kind| std::fs::read_dir(golden(kind)).unwrap()) {
        let folder = folder.unwrap().path();
        if !folder.join("golden.json").exists() {
            continue;
        }
        let meta = read_json(&folder.join("golden.json"));
        let name = meta["architecture"].as_str().unwrap();
        let family = FAMILIES.iter().find(|family| family.architectures().iter().any(|known| known == name));
        goldens.entry(family.unwrap_or_else(|| panic!("{name} is in no family")).id).or_default().push(folder);
    }
    goldens
}

fn equal_the_reference(family: &str) {
    let mut folders = goldens().remove(family).unwrap_or_else(|| panic!("{family} has no golden"));
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        if std::env::var("GOLDEN").is_ok_and(|only| !name.contains(&only)) {
            continue;
        }
        equals_the_reference(name, &folder);
    }
}

macro_rules! families {
    ($($family:ident)*) => {
        $(#[test]
        fn $family() {
            equal_the_reference(stringify!($family));
        })*

        #[test]
        fn every_family_has_goldens() {
            let tested = BTreeSet::from([$(stringify!($family)),*]);
            assert_eq!(tested, FAMILIES.iter().map(|family| family.id).collect());
            assert_eq!(tested, goldens().into_keys().collect());
        }
    };
}

families! {
    alexnet convnext deit densenet dinov2 efficientnet inception_resnet_v2 inception_v3 mobilenet_v2 mobilenet_v3
    regnety resnet squeezenet vgg vit
}

fn equals_the_reference(name: &str, folder: &Path) {
    let meta = read_json(&folder.join("golden.json"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let package = if folder.join("model.safetensors").exists() {
        open(folder)
    } else {
        // The config does not say whose keys the weights have; the loader finds out.
        let mut keyed = read_json(&folder.join("config.json"));
        keyed["keys"] = meta["keys"].as_str().unwrap_or("timm").into();
        let gain = meta["gain"].as_f64().unwrap_or(1.0) as f32;
        load(&config, &hashed_weights(&keyed.to_string(), meta["seed"].as_u64().unwrap(), gain)).unwrap()
    };
    assert_eq!(package.parameters as u64, meta["parameters"].as_u64().unwrap(), "{name}: parameters");
    assert_eq!(package.model.spec().default_layer, meta["layer"].as_str().unwrap(), "{name}: default layer");
    let expected = read_tensors(&folder.join("golden.safetensors"));
    let target = meta["target"].as_u64().unwrap() as usize;
    // A golden holds what its model is compared by, all of which must have been by the end.
    let left = RefCell::new(expected.keys().map(String::as_str).collect::<BTreeSet<_>>());
    let worst = RefCell::new((0.0, "all"));
    let close = |what: &str, got: &[f32]| {
        let Some((what, (_, values))) = expected.get_key_value(what) else { return };
        left.borrow_mut().remove(what.as_str());
        let difference = relative(got, values);
        assert!(difference < 1e-4, "{name}: {what} differs by {difference:.2e}");
        if difference > worst.borrow().0 {
            *worst.borrow_mut() = (difference, what);
        }
    };

    // Taps and their gradients, all from one pass, with the input's.
    let spec = package.model.spec();
    let (shape, data) = &expected["input"];
    let input = TensorData::new(data.clone(), shape.clone());
    let x = Tensor::<4>::from_data(input, &Device::flex()).autodiff().require_grad();
    let layers: Vec<&String> = meta["layers"].as_object().unwrap().keys().collect();
    let mut pass = layers.iter().fold(Pass::new(), |pass, id| pass.keep_gradient(id));
    let stages = 0..spec.stages.len();
    let logits = Tensor::<2>::unwrap(package.model.run(stages, x.clone().wrap(), &mut pass).unwrap()).unwrap();
    close("logits", &logits.clone().inner().into_data().try_into_vec::<f32>().unwrap());
    let gradients = logits.narrow(1, target, 1).sum().backward();
    close("input_gradient", &x.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap());
    for id in layers {
        let tapped = pass.tapped(id).unwrap();
        if let Ok(layer) = spec.layer(id) {
            assert_eq!(layer.fold.shape(), tapped.value.shape()[1..], "{name}: shape of {id}");
        }
        close(&format!("activation.{id}"), &values(tapped.value.clone()));
        close(&format!("gradient.{id}"), &values(tapped.gradient(&gradients).unwrap()));
    }

    let mut explainer = explainer(package);
    let image = tensor(&expected, "input");
    let seen = now(explainer.classify(&image, None, &Unwatched)).unwrap();
    assert_eq!(seen.predictions[0].index, target, "{name}: top class");
    close("logits", &seen.logits);
    let cam = attribute(&mut explainer, &image, json!({ "method": "grad_cam" })).unwrap();
    assert_eq!(cam.target, json!(target));
    close("grad_cam", &cam.values);
    for (i, rule) in meta["ig"].as_array().into_iter().flatten().enumerate() {
        let steps = rule["n_steps"].as_u64().unwrap();
        let request =
            json!({ "method": "integrated_gradients", "nSteps": steps, "chunkSize": if i % 2 == 0 { 3 } else { 16 } });
        let ig = attribute(&mut explainer, &image, request).unwrap();
        let what = format!("integrated_gradients_{steps}");
        let (_, values) = &expected[&what];
        left.borrow_mut().remove(what.as_str());
        let agreement = cosine(&ig.values, values);
        assert!(agreement > 0.99999, "{name}: IG-{steps} has cosine {agreement}");
        let completeness = ig.completeness.unwrap();
        let baseline = meta["baseline_score"].as_f64().unwrap();
        assert!(
            (completeness.baseline_score - baseline).abs() < 1e-4 * (1.0 + baseline.abs()),
            "{name}: {completeness:?}"
        );
        let delta = rule["delta"].as_f64().unwrap();
        assert!(
            (completeness.delta - delta).abs() < 5e-3 * (1.0 + completeness.score.abs()),
            "{name}: {completeness:?}, captum {delta}"
        );
    }
    let (difference, what) = worst.take();
    println!("{name}: agrees to {difference:.1e} ({what})");
    assert!(left.take().is_subset(&BTreeSet::from(["input", "hires_cam"])), "{name}: not everything was compared");
}

#[test]
fn real_models_equal_the_reference() {
    for model in ["deit_tiny_patch16_224", "mobilenetv2_100_same"] {
        let Some((mut explainer, references)) = real_model(model) else { return };
        for (name, expected, meta) in references {
            let image = tensor(&expected, "input");
            let logits = now(explainer.classify(&image, Some(1), &Unwatched)).unwrap().logits;
            let worst = logits.iter().zip(&expected["logits"].1).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
            let cam = attribute(&mut explainer, &image, json!({ "method": "grad_cam" })).unwrap();
            assert_eq!(cam.target, meta["target"]);
            assert_eq!(cam.layer.as_deref(), meta["layer"].as_str());
            let ig = attribute(&mut explainer, &image, json!({ "method": "integrated_gradients" })).unwrap();
            let (cam_cosine, ig_cosine) =
                (cosine(&cam.values, &expected["grad_cam"].1), cosine(&ig.values, &expected["integrated_gradients"].1));
            println!(
                "{model} {name}: logits differ by at most {worst:.1e}, Grad-CAM cosine {cam_cosine:.7}, IG cosine \
                 {ig_cosine:.7}, {:?}",
                ig.completeness.unwrap()
            );
            assert!(worst < 2e-3 && cam_cosine >= 0.9999 && ig_cosine >= 0.9999);
        }
    }
}
