//! The boundary to JavaScript: the only room with `wasm_bindgen`. `pkg/engine/worker.js` is its
//! only caller.

mod convert;
mod device;
mod engine;
mod job;
mod loader;
mod photos;

use std::cell::RefCell;
use std::collections::BTreeMap;

use js_sys::Function;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::ask::warning::WARNINGS;
use crate::methods::METHODS;
use crate::nn::families::FAMILIES;
use crate::package::limits::{
    MAX_CONFIG_BYTES, MAX_CONFIG_DEPTH, MAX_CONFIG_VALUES, MAX_HEADER_BYTES, MAX_LABEL_CHARS, MAX_PARAMETERS,
    MAX_WEIGHTS_BYTES,
};
use crate::photo::limits::{MAX_DECODING_BYTES, MAX_ENCODED_BYTES, MAX_KEPT_PIXELS, MAX_PIXELS, MAX_SIDE};
use crate::wasm::convert::{JsResult, to_js};

thread_local! {
    static ON_PANIC: RefCell<Option<Function>> = const { RefCell::new(None) };
}

#[allow(unsafe_code, reason = "the linker defines the symbol; see start")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs once, before anything else.
#[wasm_bindgen(start)]
#[allow(unsafe_code, reason = "the constructors have no safe name")]
pub fn start() {
    // SAFETY: the linker defines this symbol, and nothing has called it yet. cubecl registers its
    // operations through constructors; a call of our own keeps the linker from running all of them
    // on every call into the module.
    unsafe { __wasm_call_ctors() };
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        ON_PANIC.with_borrow(|callback| {
            if let Some(callback) = callback {
                // Nothing is left to do where the callback itself fails.
                let _ = callback.call1(&JsValue::NULL, &JsValue::from_str(&info.to_string()));
            }
        });
    }));
}

/// The crate's version.
#[wasm_bindgen]
pub fn version() -> String {
    crate::VERSION.into()
}

/// Calls `callback(message)` on a panic, after which the instance is dead.
#[wasm_bindgen(js_name = onPanic)]
pub fn on_panic(callback: Function) {
    ON_PANIC.set(Some(callback));
}

/// The registry of methods.
#[wasm_bindgen(js_name = listMethods)]
pub fn list_methods() -> JsResult<JsValue> {
    to_js(&METHODS.iter().map(|m| m.spec).collect::<Vec<_>>())
}

/// How large what comes from outside may be, for those who refuse it before it gets here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    encoded_bytes: usize,
    pixels: u64,
    side: u32,
    kept_pixels: u64,
    decoding_bytes: u64,
    config_bytes: usize,
    config_depth: usize,
    config_values: usize,
    label_chars: usize,
    header_bytes: u64,
    parameters: usize,
    weights_bytes: u64,
}

/// The limits of the core.
#[wasm_bindgen(js_name = limits)]
pub fn limits() -> JsResult<JsValue> {
    to_js(&Limits {
        encoded_bytes: MAX_ENCODED_BYTES,
        pixels: MAX_PIXELS,
        side: MAX_SIDE,
        kept_pixels: MAX_KEPT_PIXELS,
        decoding_bytes: MAX_DECODING_BYTES,
        config_bytes: MAX_CONFIG_BYTES,
        config_depth: MAX_CONFIG_DEPTH,
        config_values: MAX_CONFIG_VALUES,
        label_chars: MAX_LABEL_CHARS,
        header_bytes: MAX_HEADER_BYTES,
        parameters: MAX_PARAMETERS,
        weights_bytes: MAX_WEIGHTS_BYTES,
    })
}

/// The kinds of warnings by their keys, each with its English.
#[wasm_bindgen(js_name = listWarnings)]
pub fn list_warnings() -> JsResult<JsValue> {
    let english = WARNINGS.iter().map(|warning| (warning.key(), warning.text));
    to_js(&english.collect::<BTreeMap<_, _>>())
}

/// The registry of model families.
#[wasm_bindgen(js_name = listFamilies)]
pub fn list_families() -> JsResult<JsValue> {
    to_js(&FAMILIES)
}
