//! A call's progress, passes, estimates and end.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Float32Array, Function, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::ask::control::{Control, LocalFuture, Passes};
use crate::photo::preprocess::Crop;
use crate::wasm::convert::to_js;

/// Between estimates.
const ESTIMATE_MS: f64 = 250.0;

/// One call's progress, passes, estimates and cancellation.
#[wasm_bindgen]
#[derive(Clone)]
pub struct Job {
    pub(super) inner: Rc<JobState>,
}

pub(super) struct JobState {
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
            // On the CPU awaits are microtasks: without a macrotask now and then no message
            // arrives.
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

/// Calls `resolve` from a macrotask. A message channel, because timers are held back to 4 ms; one
/// of its own for each call, because several engines may wait at the same time.
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
