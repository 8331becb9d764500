//! A model that answers calls.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Object, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::error::Error;
use crate::explain::{Attribution, Classification, Explainer};
use crate::methods::METHODS;
use crate::wasm::convert::{JsResult, read_image, read_request, set, tensors, throw, to_js};
use crate::wasm::job::Job;

/// A model on a device. One call at a time.
#[wasm_bindgen]
pub struct Engine {
    pub(super) slot: Rc<RefCell<Option<Explainer>>>,
    pub(super) id: String,
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
