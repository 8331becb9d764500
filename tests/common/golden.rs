use std::path::Path;

use serde_json::Value;
use sightline::Explainer;
use sightline::explain::Image;
use sightline::nn::load::Package;

use super::{Tensors, explainer, golden, hashed_weights, load, open, read_json, read_tensors, shared};

/// The models of `../shared/models`.
pub const REAL_MODELS: [&str; 2] = ["deit_tiny_patch16_224", "mobilenetv2_100_same"];

/// A folder of `golden/models` or `golden/packages`: a small model, an input, and what PyTorch
/// computes of both.
pub struct Golden {
    /// Its config.json.
    pub config: String,
    /// The seed of the weights, the target, and figures.
    pub facts: Value,
    pub tensors: Tensors,
    weights: Option<Vec<u8>>,
}

impl Golden {
    /// A folder by its path in `tests/golden`.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let folder = golden("").join(path);
        Self {
            config: std::fs::read_to_string(folder.join("config.json")).unwrap(),
            facts: read_json(&folder.join("golden.json")),
            tensors: read_tensors(&folder.join("golden.safetensors")),
            weights: std::fs::read(folder.join("model.safetensors")).ok(),
        }
    }

    /// The package's weights, or those that the golden's seed makes.
    pub fn weights(&self) -> Vec<u8> {
        if let Some(weights) = &self.weights {
            return weights.clone();
        }
        // The config does not say whose keys the weights have; the loader finds out.
        let mut keyed: Value = serde_json::from_str(&self.config).unwrap();
        keyed["keys"] = self.facts["keys"].as_str().unwrap_or("timm").into();
        let gain = self.facts["gain"].as_f64().unwrap_or(1.0) as f32;
        hashed_weights(&keyed.to_string(), self.facts["seed"].as_u64().unwrap(), gain)
    }

    pub fn package(&self) -> Package {
        load(&self.config, &self.weights()).unwrap()
    }

    pub fn explainer(&self) -> Explainer {
        explainer(self.package())
    }

    /// The explainer and the input.
    pub fn open(&self) -> (Explainer, Image) {
        (self.explainer(), self.input())
    }

    pub fn input(&self) -> Image {
        tensor(&self.tensors, "input")
    }

    /// The top class.
    pub fn target(&self) -> usize {
        self.facts["target"].as_u64().unwrap() as usize
    }
}

/// A tensor `[1, C, H, W]` as an input.
pub fn tensor(tensors: &Tensors, name: &str) -> Image {
    let (shape, data) = &tensors[name];
    Image::Tensor { data: data.clone(), shape: shape[1..].to_vec() }
}

/// A photo's name, tensors and facts.
pub type Photo = (String, Tensors, Value);

/// A model of `../shared/models`, and of each of its photos in `../shared/reference` the name, the
/// tensors and the facts.
pub fn real_model(name: &str) -> (Explainer, Vec<Photo>) {
    let (folder, reference) = (shared(&format!("models/{name}")), shared(&format!("reference/{name}")));
    let mut photos = Vec::new();
    for entry in std::fs::read_dir(reference).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            photos.push((stem, read_tensors(&path), read_json(&path.with_extension("json"))));
        }
    }
    assert!(!photos.is_empty(), "{name} has no photo with a reference");
    (explainer(open(&folder)), photos)
}
