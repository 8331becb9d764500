//! The devices that are open.

#[cfg(feature = "webgpu")]
use std::cell::RefCell;

use burn::tensor::Device;
use js_sys::Function;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::error::Error;
use crate::wasm::convert::{JsResult, throw, to_js};

#[cfg(feature = "webgpu")]
thread_local! {
    static GPU: RefCell<Option<Gpu>> = const { RefCell::new(None) };
}

/// The WebGPU device that is open.
#[cfg(feature = "webgpu")]
struct Gpu {
    device: Device,
    description: String,
    /// The most bytes that a kernel's buffer may have.
    binding: u64,
}

#[derive(Serialize)]
struct DeviceInfo<'a> {
    kind: &'a str,
    description: String,
}

/// Opens a device, once, and returns its description.
#[wasm_bindgen(js_name = openDevice)]
pub async fn open_device(kind: String, on_lost: Function) -> JsResult<JsValue> {
    let description = match kind.as_str() {
        "cpu" => "CPU, WebAssembly SIMD, one thread".into(),
        "webgpu" => open_gpu(on_lost).await.map_err(throw)?,
        other => return Err(throw(Error::BadOption(format!("device must be \"cpu\" or \"webgpu\"; got {other:?}")))),
    };
    to_js(&DeviceInfo { kind: &kind, description })
}

#[cfg(not(feature = "webgpu"))]
async fn open_gpu(_: Function) -> crate::Result<String> {
    Err(Error::DeviceUnavailable("this build does not include WebGPU; use the CPU".into()))
}

#[cfg(feature = "webgpu")]
async fn open_gpu(on_lost: Function) -> crate::Result<String> {
    if let Some(description) = GPU.with_borrow(|gpu| gpu.as_ref().map(|gpu| gpu.description.clone())) {
        return Ok(description);
    }
    let options = Device::wgpu_options().tasks_max(32);
    let (device, setup) = options.init_with_setup_async().await.map_err(|e| {
        Error::DeviceUnavailable(format!("WebGPU is not available: {}; use the CPU", first_line(&e.to_string())))
    })?;
    let lost = on_lost.clone();
    setup.device.set_device_lost_callback(move |reason, message| {
        let text = JsValue::from_str(&format!("the GPU device was lost ({reason:?}): {message}"));
        let _ = lost.call1(&JsValue::NULL, &text);
    });
    setup.device.on_uncaptured_error(std::sync::Arc::new(move |error: wgpu::Error| {
        let text = JsValue::from_str(&format!("the GPU reported an error: {error}"));
        let _ = on_lost.call1(&JsValue::NULL, &text);
    }));
    let info = setup.adapter.get_info();
    let description = if info.name.is_empty() { format!("WebGPU, {:?}", info.device_type) } else { info.name };
    let binding = setup.device.limits().max_storage_buffer_binding_size;
    GPU.set(Some(Gpu { device, description: description.clone(), binding }));
    Ok(description)
}

/// What a JavaScript error says, without its stack.
#[cfg(feature = "webgpu")]
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace("JsValue(", "").trim_end_matches(')').to_owned()
}

/// A device that is open, and the most bytes that a tensor can have on it.
pub(super) fn device_of(kind: &str) -> crate::Result<(Device, u64)> {
    match kind {
        "cpu" => Ok((Device::flex(), u64::MAX)),
        #[cfg(feature = "webgpu")]
        "webgpu" => GPU
            .with_borrow(|gpu| gpu.as_ref().map(|gpu| (gpu.device.clone(), gpu.binding)))
            .ok_or_else(|| Error::DeviceUnavailable("open the WebGPU device first".into())),
        other => Err(Error::DeviceUnavailable(format!("this build has no device {other:?}"))),
    }
}
