//! Files become an engine.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::Device;
use js_sys::{Object, Uint8Array};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use wasm_bindgen::prelude::*;

use crate::explain::Explainer;
use crate::nn::{guess, load};
use crate::package::pth;
use crate::package::sniff::sniff;
use crate::wasm::convert::{JsResult, set, throw, to_js};
use crate::wasm::device::device_of;
use crate::wasm::engine::Engine;

/// Reads a package whose weights arrive in pieces.
#[wasm_bindgen(js_name = Loader)]
pub struct ModelLoader {
    inner: load::Loader,
    device: Device,
    id: String,
}

#[wasm_bindgen(js_class = Loader)]
impl ModelLoader {
    /// `safetensors` or `pytorch`, by the file's first 16 bytes; `undefined` where it is neither.
    pub fn sniff(first: &[u8]) -> Option<String> {
        sniff(first).map(|format| format.id().to_owned())
    }

    /// Plans the model that `config` (text of config.json) asks for, on an opened device.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, fallback_labels: Option<Vec<String>>, id: String, device: &str) -> JsResult<Self> {
        let (device, binding) = device_of(device).map_err(throw)?;
        let inner = load::Loader::new(config, fallback_labels, &device).map_err(throw)?;
        inner.fits(binding).map_err(throw)?;
        Ok(Self { inner, device, id })
    }

    /// Takes the next piece of model.safetensors.
    pub fn feed(&mut self, bytes: &[u8]) -> JsResult<()> {
        self.inner.feed(bytes).map_err(throw)
    }

    /// Builds the engine.
    pub fn finish(self) -> JsResult<Engine> {
        let explainer = Explainer::new(self.inner.finish().map_err(throw)?, &self.device);
        Ok(Engine { slot: Rc::new(RefCell::new(Some(explainer))), id: self.id })
    }
}

/// What [`guess_config`] found.
#[derive(Serialize)]
struct Guessed {
    config: String,
    note: String,
}

/// A config for weights without one, from their safetensors header (JSON, without the leading
/// length).
#[wasm_bindgen(js_name = guessConfig)]
pub fn guess_config(header: &[u8]) -> JsResult<JsValue> {
    let guess::Guess { config, note, .. } = guess::guess(header).map_err(throw)?;
    to_js(&Guessed { config, note })
}

/// Reads a PyTorch state dict by byte ranges.
#[wasm_bindgen]
pub struct StateDictReader {
    inner: pth::Reader,
}

#[wasm_bindgen]
impl StateDictReader {
    /// For a file of `size` bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(size: f64) -> Self {
        Self { inner: pth::Reader::new(size as u64) }
    }

    /// The range [begin, end) that it needs next; `undefined` once it has all.
    pub fn wants(&self) -> Option<Vec<f64>> {
        self.inner.wants().map(|range| vec![range.start as f64, range.end as f64])
    }

    /// Takes the bytes of this range.
    pub fn supply(&mut self, bytes: &[u8]) -> JsResult<()> {
        self.inner.supply(bytes).map_err(throw)
    }

    /// The same tensors as a safetensors file: `header` (with the leading length), then the file's
    /// `ranges`, flat [begin, end, ...].
    pub fn finish(self) -> JsResult<JsValue> {
        let found = self.inner.finish().map_err(throw)?;
        let ranges: Vec<f64> = found.ranges.iter().flat_map(|r| [r.start as f64, r.end as f64]).collect();
        let result = Object::new();
        set(&result, "header", &Uint8Array::from(found.header.as_slice()))?;
        set(&result, "ranges", &js_sys::Float64Array::from(ranges.as_slice()))?;
        Ok(result.into())
    }
}

/// The SHA-256 of bytes that arrive in pieces, as `crypto.subtle` cannot compute it.
#[wasm_bindgen]
#[derive(Default)]
pub struct Digest {
    inner: Sha256,
}

#[wasm_bindgen]
impl Digest {
    /// An empty hash.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
    }

    /// 64 hexadecimal digits.
    pub fn finish(self) -> String {
        format!("{:x}", self.inner.finalize())
    }
}
