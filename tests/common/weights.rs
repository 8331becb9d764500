use std::path::Path;

use burn::tensor::Device;
use sightline::Result;
use sightline::nn::families;
use sightline::nn::load::{Loader, Package};
use sightline::package::Config;

use super::safetensors_file;

/// Loads a package's folder.
pub fn open(folder: &Path) -> Package {
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    load(&config, &weights).unwrap()
}

/// Loads a package through the streaming loader, in pieces of an odd size.
pub fn load(config: &str, weights: &[u8]) -> Result<Package> {
    let mut loader = Loader::new(config, None, &Device::flex())?;
    for piece in weights.chunks(1_000_003) {
        loader.feed(piece)?;
    }
    loader.finish()
}

/// The file that holds the weights which `tests/reference/make_model_goldens.py` describes, for the
/// model that `config` asks for.
pub fn hashed_weights(config: &str, seed: u64, gain: f32) -> Vec<u8> {
    let plan = families::plan(&Config::parse(config).unwrap()).unwrap();
    safetensors_file(plan.params().into_iter().map(|param| {
        let values = hashed(seed, gain, &param.name, &param.shape);
        (param.name, param.shape, values)
    }))
}

/// FNV-1a, 64 bits.
pub fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

fn hashed(seed: u64, gain: f32, name: &str, shape: &[usize]) -> Vec<f32> {
    let start = seed ^ fnv(name);
    let unit = |i: u64| {
        let mut z = start.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let fan_in: usize = shape.iter().skip(1).product();
    let k = (0..).find(|k| 6 * 4usize.pow(*k) >= fan_in).unwrap();
    let ends = |endings: &[&str]| endings.iter().any(|e| name.ends_with(e));
    // Powers of two scale exactly: one rounding, at the sum or at the product with the gain.
    let (base, factor) = if ends(&["running_var", "gamma"]) || (shape.len() == 1 && ends(&["weight"])) {
        (1.0, 0.5)
    } else if ends(&["running_mean"]) {
        (0.0, 0.25)
    } else if ends(&["bias"]) {
        (0.0, 0.125)
    } else if ["cls_token", "dist_token", "reg_token", "pos_embed"].contains(&name)
        || (shape.len() == 4 && shape[1] == 1)
    {
        (0.0, 1.0)
    } else {
        (0.0, gain / (1u32 << k) as f32)
    };
    (0..shape.iter().product::<usize>() as u64).map(|i| base + unit(i) * factor).collect()
}
