//! What several test files share.
#![allow(dead_code)] // each test binary uses a part

pub mod nets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use burn::tensor::Device;
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};
use sightline::ask::control::Unwatched;
use sightline::explain::{Attribution, Image};
use sightline::nn::load::{Loader, Package};
use sightline::package::Config;
use sightline::{Explainer, Result};

/// Runs a future that never waits for anything: on the CPU every await is ready.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

pub fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

/// `../shared/<path>`; where it is absent the test says so and passes, unless REQUIRE_SHARED=1.
pub fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if full.exists() {
        return Some(full);
    }
    assert!(
        std::env::var("REQUIRE_SHARED").is_err_and(|_| true),
        "REQUIRE_SHARED is set, but ../shared/{path} is absent"
    );
    eprintln!("skipped: ../shared/{path} is absent");
    None
}

/// A model of `../shared/models`, and of each of its photos in `../shared/reference` the name, the
/// tensors and the facts; see [`shared`].
pub fn real_model(name: &str) -> Option<(Explainer, Vec<Photo>)> {
    let (folder, reference) = (shared(&format!("models/{name}"))?, shared(&format!("reference/{name}"))?);
    let paths = std::fs::read_dir(reference).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (stem, read_tensors(&path), read_json(&path.with_extension("json")))
    };
    let photos = paths.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).map(of).collect();
    Some((explainer(open(&folder)), photos))
}

/// A photo's name, tensors and facts.
pub type Photo = (String, Tensors, Value);

pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Tensors of float32 and of bytes, as float32.
pub fn read_tensors(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: safetensors::tensor::TensorView| {
        let values = match view.dtype() {
            safetensors::Dtype::U8 => view.data().iter().copied().map(f32::from).collect(),
            _ => view.data().as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        };
        (view.shape().to_vec(), values)
    };
    file.tensors().into_iter().map(|(name, view)| (name, read(view))).collect()
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Loads a package folder through the streaming loader, in pieces of an odd size.
pub fn open(folder: &Path) -> Package {
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
    load(&config, &weights).unwrap()
}

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
    let plan = sightline::nn::families::plan(&Config::parse(config).unwrap()).unwrap();
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = plan
        .params()
        .into_iter()
        .map(|p| {
            let bytes = hashed(seed, gain, &p.name, &p.shape).iter().flat_map(|v| v.to_le_bytes()).collect();
            (p.name, p.shape, bytes)
        })
        .collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
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

pub fn explainer(package: Package) -> Explainer {
    Explainer::new(package, &Device::flex())
}

pub fn tensor(tensors: &Tensors, name: &str) -> Image {
    let (shape, data) = &tensors[name];
    Image::Tensor { data: data.clone(), shape: shape[1..].to_vec() }
}

/// `attribute` with a request written as JSON.
pub fn attribute(explainer: &mut Explainer, image: &Image, request: Value) -> Result<Attribution> {
    let Value::Object(request): Value = request else { panic!("a request is an object") };
    now(explainer.attribute(image, request, &Unwatched))
}

pub fn request(method: &str, target: usize) -> Map<String, Value> {
    json!({ "method": method, "target": target }).as_object().unwrap().clone()
}

pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Largest absolute difference over the largest absolute expected value.
pub fn relative(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let difference = got.iter().zip(expected).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    f64::from(difference) / f64::from(largest)
}
