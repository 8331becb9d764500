//! The boundary to JavaScript: the only file with `wasm_bindgen`. `pkg/worker.js` is its only caller.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use burn::tensor::Device;
use js_sys::{Array, Error as JsError, Float32Array, Function, Object, Reflect, Uint8Array};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::error::Error;
use crate::explainer::{Attribution, Classification, Control, Explainer, Image, Passes, Tensors};
use crate::methods::{LocalFuture, METHODS};
use crate::models::FAMILIES;
use crate::preprocess::Crop;
use crate::{guess, package, pth};

type JsResult<T> = Result<T, JsValue>;

thread_local! {
    static ON_PANIC: RefCell<Option<Function>> = const { RefCell::new(None) };
    #[cfg(feature = "webgpu")]
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

unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs once, before anything else.
#[wasm_bindgen(start)]
pub fn start() {
    // SAFETY: the linker defines this symbol, and nothing has called it yet. cubecl registers its operations through constructors;
    // a call of our own keeps the linker from running all of them on every call into the module.
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

/// The registry of model families.
#[wasm_bindgen(js_name = listFamilies)]
pub fn list_families() -> JsResult<JsValue> {
    to_js(&FAMILIES)
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

/// What a JavaScript error says, without its stack.
#[cfg(feature = "webgpu")]
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace("JsValue(", "").trim_end_matches(')').to_owned()
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

/// A device that is open, and the most bytes that a tensor can have on it.
fn device_of(kind: &str) -> crate::Result<(Device, u64)> {
    match kind {
        "cpu" => Ok((Device::flex(), u64::MAX)),
        #[cfg(feature = "webgpu")]
        "webgpu" => GPU
            .with_borrow(|gpu| gpu.as_ref().map(|gpu| (gpu.device.clone(), gpu.binding)))
            .ok_or_else(|| Error::DeviceUnavailable("open the WebGPU device first".into())),
        other => Err(Error::DeviceUnavailable(format!("this build has no device {other:?}"))),
    }
}

/// Reads a package whose weights arrive in pieces.
#[wasm_bindgen]
pub struct Loader {
    inner: package::Loader,
    device: Device,
    id: String,
}

#[wasm_bindgen]
impl Loader {
    /// Plans the model that `config` (text of config.json) asks for, on an opened device.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str, fallback_labels: Option<Vec<String>>, id: String, device: &str) -> JsResult<Self> {
        let (device, binding) = device_of(device).map_err(throw)?;
        let inner = package::Loader::new(config, fallback_labels, &device).map_err(throw)?;
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

/// Between estimates.
const ESTIMATE_MS: f64 = 250.0;

/// One call's progress, passes, estimates and cancellation.
#[wasm_bindgen]
#[derive(Clone)]
pub struct Job {
    inner: Rc<JobState>,
}

struct JobState {
    cancelled: Cell<bool>,
    stopped: Cell<bool>,
    passes: Cell<Passes>,
    on_progress: Option<Function>,
    on_estimate: Option<Function>,
    estimated: Cell<f64>,
    crop: Cell<Option<Crop>>,
    breath: Cell<f64>,
}

#[wasm_bindgen]
impl Job {
    /// `onProgress(done, total)`; `onEstimate(values, shape, crop)` at most every [`ESTIMATE_MS`].
    #[wasm_bindgen(constructor)]
    pub fn new(on_progress: Option<Function>, on_estimate: Option<Function>) -> Self {
        Self {
            inner: Rc::new(JobState {
                cancelled: Cell::new(false),
                stopped: Cell::new(false),
                passes: Cell::default(),
                on_progress,
                on_estimate,
                estimated: Cell::new(now()),
                crop: Cell::default(),
                breath: Cell::new(now()),
            }),
        }
    }

    /// Ends the call after its current chunk.
    pub fn cancel(&self) {
        self.inner.cancelled.set(true);
    }

    /// Ends the call after its current chunk and keeps the estimate, if its method has one.
    pub fn stop(&self) {
        self.inner.stopped.set(true);
    }

    /// Forward passes so far.
    #[wasm_bindgen(getter)]
    pub fn forward(&self) -> f64 {
        self.inner.passes.get().forward
    }

    /// Backward passes so far.
    #[wasm_bindgen(getter)]
    pub fn backward(&self) -> f64 {
        self.inner.passes.get().backward
    }
}

impl Control for JobState {
    fn cancelled(&self) -> bool {
        self.cancelled.get()
    }

    fn stopped(&self) -> bool {
        self.stopped.get()
    }

    fn wants_estimate(&self) -> bool {
        self.on_estimate.is_some() && now() - self.estimated.get() >= ESTIMATE_MS
    }

    fn estimate(&self, values: &[f32], shape: &[usize]) {
        if let (Some(callback), Ok(shape), Ok(crop)) = (&self.on_estimate, to_js(shape), to_js(&self.crop.get())) {
            // A listener's failure is not the computation's.
            let _ = callback.call3(&JsValue::NULL, &Float32Array::from(values), &shape, &crop);
        }
        self.estimated.set(now());
    }

    fn crop(&self, crop: Option<Crop>) {
        self.crop.set(crop);
    }

    fn progress(&self, done: usize, total: usize) {
        if let Some(callback) = &self.on_progress {
            // A listener's failure is not the computation's.
            let _ = callback.call2(&JsValue::NULL, &JsValue::from(done as f64), &JsValue::from(total as f64));
        }
    }

    fn passes(&self, passes: Passes) {
        self.passes.set(passes);
    }

    fn breathe(&self) -> LocalFuture<'_, ()> {
        Box::pin(async {
            // On the CPU awaits are microtasks: without a macrotask now and then no message arrives.
            if now() - self.breath.get() > 25.0 {
                let channel = web_sys::MessageChannel::new().ok();
                let promise = js_sys::Promise::new(&mut |resolve, _| macrotask(channel.as_ref(), &resolve));
                let _ = JsFuture::from(promise).await;
                // A port that listens is kept for as long as its channel is open.
                if let Some(channel) = channel {
                    channel.port1().close();
                }
                self.breath.set(now());
            }
        })
    }

    fn now(&self) -> f64 {
        now()
    }
}

/// Calls `resolve` from a macrotask. A message channel, because timers are held back to 4 ms; one of its own for each call, because several
/// engines may wait at the same time.
fn macrotask(channel: Option<&web_sys::MessageChannel>, resolve: &Function) {
    let sent = channel.is_some_and(|channel| {
        channel.port1().set_onmessage(Some(resolve));
        channel.port2().post_message(&JsValue::NULL).is_ok()
    });
    if !sent {
        let _ = resolve.call0(&JsValue::NULL);
    }
}

fn now() -> f64 {
    let performance = Reflect::get(&js_sys::global(), &JsValue::from_str("performance")).ok();
    performance.and_then(|p| p.dyn_into::<web_sys::Performance>().ok()).map_or_else(js_sys::Date::now, |p| p.now())
}

/// A model on a device. One call at a time.
#[wasm_bindgen]
pub struct Engine {
    slot: Rc<RefCell<Option<Explainer>>>,
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerInfo {
    id: String,
    shape: Vec<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelInfo {
    id: String,
    architecture: String,
    input_size: [usize; 3],
    labels: Vec<String>,
    parameters: usize,
    layers: Vec<LayerInfo>,
    default_layer: String,
    methods: Vec<&'static str>,
    attention: Option<AttentionInfo>,
}

#[derive(Serialize)]
struct AttentionInfo {
    blocks: usize,
    heads: usize,
    special: Vec<&'static str>,
    grid: [usize; 2],
}

/// The explainer while a call has it; back in its slot when the call ends in any way.
struct Taken {
    slot: Rc<RefCell<Option<Explainer>>>,
    explainer: Option<Explainer>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        *self.slot.borrow_mut() = self.explainer.take();
    }
}

impl Taken {
    fn from(slot: &Rc<RefCell<Option<Explainer>>>) -> JsResult<Self> {
        let explainer = slot.borrow_mut().take();
        if explainer.is_none() {
            return Err(throw(Error::Internal("the engine is busy; calls on one engine must queue".into())));
        }
        Ok(Self { slot: slot.clone(), explainer })
    }

    fn get(&mut self) -> JsResult<&mut Explainer> {
        self.explainer.as_mut().ok_or_else(|| throw(Error::Internal("the engine is gone".into())))
    }
}

#[wasm_bindgen]
impl Engine {
    /// The model's description.
    pub fn info(&self) -> JsResult<JsValue> {
        let mut taken = Taken::from(&self.slot)?;
        let package = taken.get()?.package();
        let spec = package.model.spec();
        to_js(&ModelInfo {
            id: self.id.clone(),
            architecture: spec.architecture.clone(),
            input_size: spec.input_size,
            labels: package.labels.clone(),
            parameters: package.parameters,
            layers: spec.layers.iter().map(|l| LayerInfo { id: l.id.clone(), shape: l.fold.shape() }).collect(),
            default_layer: spec.default_layer.clone(),
            methods: METHODS.iter().map(|m| m.spec).filter(|m| m.works_on(spec)).map(|m| m.id).collect(),
            attention: spec.attention.as_ref().map(|a| AttentionInfo {
                blocks: a.blocks,
                heads: a.heads,
                special: a.special.clone(),
                grid: a.grid,
            }),
        })
    }

    /// The most likely classes.
    pub async fn classify(&self, input: JsValue, top_k: Option<f64>, job: &Job) -> JsResult<JsValue> {
        let (job, mut taken) = (job.inner.clone(), Taken::from(&self.slot)?);
        let image = read_image(&input)?;
        let top_k = match top_k {
            None => None,
            Some(k) if k.fract() == 0.0 && (1.0..=1e6).contains(&k) => Some(k as usize),
            Some(k) => {
                return Err(throw(Error::BadOption(format!("topK must be a whole number of at least 1; got {k}"))));
            }
        };
        let result: Classification = taken.get()?.classify(&image, top_k, &*job).await.map_err(throw)?;
        let object = to_js(&result)?;
        set(&object, "logits", &Float32Array::from(result.logits.as_slice()))?;
        Ok(object)
    }

    /// The attribution that `request` (`{ method, target, layer, ...options }`) asks for.
    pub async fn attribute(&self, input: JsValue, request: JsValue, job: &Job) -> JsResult<JsValue> {
        let (job, mut taken) = (job.inner.clone(), Taken::from(&self.slot)?);
        let image = read_image(&input)?;
        let result: Attribution = taken.get()?.attribute(&image, read_request(request)?, &*job).await.map_err(throw)?;
        let object = to_js(&result)?;
        set(&object, "values", &Float32Array::from(result.values.as_slice()))?;
        let layers: Array = Reflect::get(&object, &"layers".into())?.unchecked_into();
        for (described, layer) in layers.iter().zip(&result.layers) {
            set(&described, "values", &Float32Array::from(layer.values.as_slice()))?;
        }
        Ok(object)
    }

    /// A layer's activations; by default the default layer's.
    pub async fn activations(&self, input: JsValue, layer: Option<String>, job: &Job) -> JsResult<JsValue> {
        let (job, mut taken) = (job.inner.clone(), Taken::from(&self.slot)?);
        let image = read_image(&input)?;
        tensors(&taken.get()?.activations(&image, layer.as_deref(), &*job).await.map_err(throw)?)
    }

    /// The gradients that `request` (`{ target, output, layer }`) asks for.
    pub async fn gradients(&self, input: JsValue, request: JsValue, job: &Job) -> JsResult<JsValue> {
        let (job, mut taken) = (job.inner.clone(), Taken::from(&self.slot)?);
        let image = read_image(&input)?;
        tensors(&taken.get()?.gradients(&image, read_request(request)?, &*job).await.map_err(throw)?)
    }

    /// The head table for what `request` (`{ target, output }`) asks about.
    pub async fn heads(&self, input: JsValue, request: JsValue, job: &Job) -> JsResult<JsValue> {
        let (job, mut taken) = (job.inner.clone(), Taken::from(&self.slot)?);
        let image = read_image(&input)?;
        let result = taken.get()?.heads(&image, read_request(request)?, &*job).await.map_err(throw)?;
        to_js(&result)
    }

    /// The tensor that the model is fed and the part of the photo that it shows.
    pub fn prepare(&self, input: JsValue) -> JsResult<JsValue> {
        let mut taken = Taken::from(&self.slot)?;
        let explainer = taken.get()?;
        let (data, crop) = explainer.prepare(&read_image(&input)?).map_err(throw)?;
        let object: JsValue = Object::new().into();
        set(&object, "data", &Float32Array::from(data.as_slice()))?;
        set(&object, "shape", &to_js(&explainer.package().model.spec().input_size)?)?;
        set(&object, "crop", &to_js(&crop)?)?;
        Ok(object)
    }
}

fn tensors(result: &Tensors) -> JsResult<JsValue> {
    let object = to_js(result)?;
    set(&object, "values", &Float32Array::from(result.values.as_slice()))?;
    Ok(object)
}

fn read_request(request: JsValue) -> JsResult<Map<String, Value>> {
    serde_wasm_bindgen::from_value(request).map_err(|e| {
        throw(Error::BadOption(format!(
            "an option has an unsupported type; use numbers, strings, booleans, lists and objects: {e}"
        )))
    })
}

fn read_image(input: &JsValue) -> JsResult<Image> {
    let bad = |what: &str| throw(Error::BadOption(format!("image: {what}")));
    let get = |key: &str| Reflect::get(input, &JsValue::from_str(key)).map_err(|_| bad("it must be an object"));
    let side = |key: &str| -> JsResult<u32> {
        let value = get(key)?.as_f64().filter(|v| v.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(v));
        value.map(|v| v as u32).ok_or_else(|| bad("width and height must be whole numbers"))
    };
    let bytes = |key: &str| -> JsResult<Vec<u8>> {
        let value = get(key)?;
        let view = value
            .dyn_ref::<js_sys::Uint8ClampedArray>()
            .map(|a| Uint8Array::new_with_byte_offset_and_length(&a.buffer(), a.byte_offset(), a.length()));
        let view =
            view.or_else(|| value.dyn_ref::<Uint8Array>().cloned()).ok_or_else(|| bad("the bytes are missing"))?;
        Ok(view.to_vec())
    };
    match get("kind")?.as_string().as_deref() {
        Some("encoded") => Ok(Image::Encoded(bytes("bytes")?)),
        Some("rgba") => Ok(Image::Rgba { width: side("width")?, height: side("height")?, data: bytes("data")? }),
        Some("tensor") => {
            let data =
                get("data")?.dyn_into::<Float32Array>().map_err(|_| bad("a tensor's data must be a Float32Array"))?;
            let shape: Array = get("shape")?.dyn_into().map_err(|_| bad("a tensor's shape must be a list"))?;
            let shape: Option<Vec<usize>> =
                shape.iter().map(|v| v.as_f64().filter(|v| *v >= 0.0).map(|v| v as usize)).collect();
            Ok(Image::Tensor {
                data: data.to_vec(),
                shape: shape.ok_or_else(|| bad("a tensor's shape must contain whole numbers"))?,
            })
        }
        _ => Err(bad("its kind must be encoded, rgba or tensor")),
    }
}

fn set(object: &JsValue, key: &str, value: &JsValue) -> JsResult<()> {
    Reflect::set(object, &JsValue::from_str(key), value).map(drop)
}

fn to_js<T: Serialize + ?Sized>(value: &T) -> JsResult<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|e| throw(Error::Internal(e.to_string())))
}

/// An `Error` object with the stable code as its own property.
fn throw(error: Error) -> JsValue {
    let object = JsError::new(&error.to_string());
    let _ = Reflect::set(&object, &JsValue::from_str("code"), &JsValue::from_str(error.code()));
    object.into()
}
