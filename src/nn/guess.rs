//! Which architecture a weights file belongs to that comes without `config.json`: the one whose
//! tensors are exactly those of the file.
//!
//! Only architectures as their names build them are tried, first with timm's and then with
//! torchvision's keys, with the number of classes that the classifier's weight has and, for vision
//! transformers, the picture size that the position embedding has. What tensors cannot tell (mean
//! and standard deviation of the training pictures, padding rules) is assumed as usual for the
//! name, and said.

#![warn(clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::nn::families::{FAMILIES, Family};
use crate::nn::weights::Param;
use crate::package::{Config, json as package_json};

/// A config for a file without one.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// The text of a `config.json`.
    pub config: String,
    /// The architecture's name.
    pub architecture: String,
    /// What was assumed, in words.
    pub note: String,
}

/// No architecture has so many classes; whatever has this length is the classifier's.
const MARK: usize = 7919;

type Shapes = BTreeMap<String, Vec<usize>>;

/// Guesses from a safetensors header (JSON, without the leading length).
///
/// # Errors
/// [`Error::BadModel`] where the header is damaged or no architecture fits, naming the one that
/// comes nearest.
pub fn guess(header: &[u8]) -> Result<Guess> {
    let metadata = package_json::header(header)?;
    let shapes: Shapes = metadata
        .tensors()
        .into_iter()
        .filter(|(name, _)| !name.ends_with("num_batches_tracked"))
        .map(|(name, info)| (name, info.shape.clone()))
        .collect();
    let mut fits: Vec<(Value, String)> = Vec::new();
    let mut nearest = (0usize, String::new());
    let candidates = candidates(&shapes);
    for (keys, (family, side, name)) in
        ["timm", "torchvision"].iter().flat_map(|k| candidates.iter().map(move |c| (k, c)))
    {
        // A file has one library's keys.
        if fits.first().is_some_and(|(config, _)| config["keys"] != *keys) {
            break;
        }
        let config = |classes: usize| config(name, classes, *side, keys);
        let parsed = Config::parse(&config(MARK).to_string());
        let Ok(plan) = parsed.and_then(|config| (family.plan)(&config)) else { continue };
        let params = plan.params();
        let mut classes = None;
        let matching = params.iter().filter(|param| fit(param, &shapes, &mut classes)).count();
        let others = shapes.keys().filter(|name| plan.ignores(name)).count();
        if let (Some(classes), true) = (classes, matching == params.len() && matching + others == shapes.len()) {
            fits.push((config(classes), name.clone()));
        } else if matching > nearest.0 {
            nearest = (matching, name.clone());
        }
    }
    let mut fits = fits.into_iter();
    let Some((config, architecture)) = fits.next() else {
        let like = match nearest {
            // Less is no likeness.
            (matching, _) if 2 * matching < shapes.len() => String::new(),
            (matching, name) => {
                format!(" (the nearest is {name}, with {matching} of the file's {} tensors)", shapes.len())
            }
        };
        return Err(Error::BadModel(format!(
            "no supported architecture has exactly these tensors{like}; add the model's config.json, which describes \
             how it is built"
        )));
    };
    let others: BTreeSet<String> = fits.map(|(_, name)| name).filter(|name| *name != architecture).collect();
    let same = match others.len() {
        0 => String::new(),
        _ => format!(" The same tensors also fit {}.", others.into_iter().collect::<Vec<_>>().join(", ")),
    };
    let part = |path: &str| config.pointer(path).unwrap_or(&Value::Null);
    let numbers =
        |path: &str| part(path).as_array().into_iter().flatten().map(Value::to_string).collect::<Vec<_>>().join(", ");
    let names = match part("/num_classes").as_u64() {
        Some(1000) => "Its 1000 classes are assumed to be ImageNet's",
        _ => "The names of its classes are unknown",
    };
    let note = format!(
        "There is no config.json; judging by its tensors, this is {architecture}.{same} Assumed: its usual strides and \
         padding, images of {} pixels, mean {}, standard deviation {}. {names}.",
        part("/pretrained_cfg/input_size/1"),
        numbers("/pretrained_cfg/mean"),
        numbers("/pretrained_cfg/std")
    );
    Ok(Guess { config: config.to_string(), architecture, note })
}

/// (family, side of the picture, architecture), likely ones first.
fn candidates(shapes: &Shapes) -> Vec<(&'static Family, usize, String)> {
    let sides = token_sides(shapes);
    let mut all: Vec<(&Family, usize, String)> = FAMILIES
        .iter()
        .flat_map(|family| family.architectures().into_iter().map(move |name| (family, name)))
        .flat_map(|(family, name)| match sides.as_slice() {
            [] => vec![(family, usual_side(&name), name)],
            sides => sides.iter().map(|&side| (family, side, name.clone())).collect(),
        })
        .collect();
    // Of names that differ in the picture's size alone, the one that says it.
    all.sort_by_key(|(_, side, name)| !name.ends_with(&format!("_{side}")));
    all
}

/// The sides that a vision transformer's position embedding may stand for.
fn token_sides(shapes: &Shapes) -> Vec<usize> {
    let (Some([1, tokens, _]), Some([_, _, patch, _])) =
        (shapes.get("pos_embed").map(Vec::as_slice), shapes.get("patch_embed.proj.weight").map(Vec::as_slice))
    else {
        return Vec::new();
    };
    // Class, distillation and up to four register tokens may have positions of their own.
    (0..=5)
        .filter_map(|prefix| tokens.checked_sub(prefix))
        .filter_map(|places| {
            let side = places.isqrt();
            (side > 0 && side * side == places).then(|| side.checked_mul(*patch))?
        })
        .filter(|side| *side <= 1024)
        .collect()
}

/// What timm and torchvision trained most weights of the name on.
fn usual_side(name: &str) -> usize {
    match name {
        _ if name.starts_with("inception") => 299,
        _ if name.ends_with("_b1") || name.ends_with("_lite1") => 240,
        _ if name.ends_with("_b2") || name.ends_with("_lite2") => 260,
        _ if name.ends_with("_b3") || name.ends_with("_lite3") => 300,
        _ => 224,
    }
}

fn config(name: &str, classes: usize, side: usize, keys: &str) -> Value {
    let half = name.starts_with("inception") || name.starts_with("vit_");
    let (mean, std) = match half {
        true => ([0.5; 3], [0.5; 3]),
        false => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    };
    json!({
        "architecture": name,
        "num_classes": classes,
        "keys": keys,
        "pretrained_cfg": {
            "input_size": [3, side, side], "crop_pct": 0.875,
            "interpolation": if half { "bicubic" } else { "bilinear" }, "mean": mean, "std": std,
        },
    })
}

/// Whether the file has this tensor; the length that stands for the number of classes may be any,
/// but everywhere the same.
fn fit(param: &Param, shapes: &Shapes, classes: &mut Option<usize>) -> bool {
    let Some(shape) = shapes.get(&param.name) else { return false };
    shape.len() == param.shape.len()
        && shape
            .iter()
            .zip(&param.shape)
            .all(|(&has, &wants)| has == if wants == MARK { *classes.get_or_insert(has) } else { wants })
}
