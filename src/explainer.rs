//! Orchestrates: a photo's prediction with the states at the stage boundaries, then any number of attributions from there;
//! progress, cancellation, chunking, and the awaited readback.

use std::cell::Cell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::methods::{self, Completeness, LocalFuture, Options, Output, Space};
use crate::models::{Layer, Model, ModelSpec};
use crate::package::Package;
use crate::pass::{Activation, Pass, Tappable};
use crate::photo::Photo;
use crate::preprocess::{Crop, PreprocessConfig, preprocess};
use crate::target::{Target, softmax, top};

/// What a caller hands over to be explained.
#[derive(Debug, Clone, PartialEq)]
pub enum Image {
    /// An encoded picture.
    Encoded(Vec<u8>),
    /// Pixels, row-major, not premultiplied.
    Rgba {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// 4 x width x height bytes.
        data: Vec<u8>,
    },
    /// An input as the model takes it.
    Tensor {
        /// Row-major.
        data: Vec<f32>,
        /// `[C, H, W]`
        shape: Vec<usize>,
    },
}

impl Image {
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Encoded(bytes) => (0, bytes).hash(&mut hasher),
            Self::Rgba { width, height, data } => (1, width, height, data).hash(&mut hasher),
            Self::Tensor { data, shape } => {
                (2, shape).hash(&mut hasher);
                data.iter().for_each(|v| v.to_bits().hash(&mut hasher));
            }
        }
        hasher.finish()
    }
}

/// Passes through the model, in units of one whole pass of one input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Passes {
    /// Forward.
    pub forward: f64,
    /// Backward.
    pub backward: f64,
}

/// The caller's side of a running call.
pub trait Control {
    /// Whether the caller has withdrawn.
    fn cancelled(&self) -> bool {
        false
    }
    /// `done` of `total` parts are there.
    fn progress(&self, _done: usize, _total: usize) {}
    /// The passes so far.
    fn passes(&self, _passes: Passes) {}
    /// Lets messages in.
    fn breathe(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// A clock in milliseconds.
    fn now(&self) -> f64 {
        0.0
    }
}

/// A call that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;
impl Control for Unwatched {}

/// A class and how sure the model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Class index.
    pub index: usize,
    /// Class name.
    pub label: String,
    /// Logit.
    pub logit: f32,
    /// Softmax over all classes, at the package's temperature.
    pub probability: f32,
}

/// What a model says of a photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Classification {
    /// The likeliest classes, likeliest first.
    pub predictions: Vec<Prediction>,
    /// All K.
    #[serde(skip)]
    pub logits: Vec<f32>,
    /// What the model saw of the photo; `None` for a tensor.
    pub crop: Option<Crop>,
    /// What it took.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
}

/// Something a reader of a map should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable.
    pub code: &'static str,
    /// In words.
    pub message: String,
}

/// Raw signed scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// Method id.
    pub method: &'static str,
    /// What is explained.
    pub target: Value,
    /// In layer space, the layer.
    pub layer: Option<String>,
    /// Row-major, finite.
    #[serde(skip)]
    pub values: Vec<f32>,
    /// Their shape.
    pub shape: Vec<usize>,
    /// Where they live.
    pub space: Space,
    /// The target's score.
    pub score: f32,
    /// For methods with that axiom.
    pub completeness: Option<Completeness>,
    /// What the model saw of the photo; `None` for a tensor.
    pub crop: Option<Crop>,
    /// What it took, the prediction included where it was not there yet.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
}

struct Predicted {
    key: u64,
    input: Vec<f32>,
    crop: Option<Crop>,
    /// The state before each stage.
    states: Vec<Activation>,
    logits: Vec<f32>,
}

/// A model on a device, and the photo it last saw.
pub struct Explainer {
    package: Package,
    device: Device,
    predicted: Option<Predicted>,
}

impl Explainer {
    /// Takes a loaded package; `device` is where its weights are.
    pub fn new(package: Package, device: &Device) -> Self {
        Self { package, device: device.clone(), predicted: None }
    }

    /// The package.
    pub fn package(&self) -> &Package {
        &self.package
    }

    fn spec(&self) -> &ModelSpec {
        self.package.model.spec()
    }

    /// The tensor that the model is fed, `[C, H, W]`, and the part of the photo that it shows.
    ///
    /// # Errors
    /// [`Error::UnsupportedImage`], [`Error::ImageTooLarge`]; [`Error::BadOption`] for a tensor of another shape.
    pub fn prepare(&self, image: &Image) -> Result<(Vec<f32>, Option<Crop>)> {
        let photo = match image {
            Image::Encoded(bytes) => Photo::decode(bytes)?,
            Image::Rgba { width, height, data } => Photo::from_rgba(*width, *height, data)?,
            Image::Tensor { data, shape } => {
                let expected = self.spec().input_size;
                if shape != &expected || data.len() != expected.iter().product::<usize>() {
                    return Err(Error::BadOption(format!(
                        "image: the model takes a tensor of shape {expected:?}, got {shape:?} with {} values",
                        data.len()
                    )));
                }
                if data.iter().any(|v| !v.is_finite()) {
                    return Err(Error::BadOption("image: the tensor holds values that are not finite".into()));
                }
                return Ok((data.clone(), None));
            }
        };
        let prepared = preprocess(&photo, &self.package.preprocess)?;
        Ok((prepared.data, Some(prepared.crop)))
    }

    async fn predict(&mut self, image: &Image, run: &Run<'_>) -> Result<&Predicted> {
        let key = image.key();
        let predicted = match self.predicted.take().filter(|p| p.key == key) {
            Some(predicted) => predicted,
            None => {
                let (input, crop) = self.prepare(image)?;
                run.check()?;
                let model = &*self.package.model;
                let mut state = upload(&input, self.spec().input_size, &self.device).wrap();
                let mut states = Vec::new();
                for stage in 0..self.spec().stages.len() {
                    states.push(state.clone());
                    state = model.run(stage..stage + 1, state, &mut Pass::new())?;
                }
                run.count(1.0, 0.0);
                let logits = read(Tensor::<2>::unwrap(state)?).await?;
                if logits.len() != self.spec().num_classes || logits.iter().any(|l| !l.is_finite()) {
                    return Err(Error::BadModel(
                        "the model's logits are not finite; its weights are damaged or were saved in a type too small"
                            .into(),
                    ));
                }
                Predicted { key, input, crop, states, logits }
            }
        };
        Ok(self.predicted.insert(predicted))
    }

    /// The likeliest `top_k` classes (5 unless told otherwise).
    ///
    /// # Errors
    /// Those of [`Explainer::prepare`]; [`Error::BadOption`] for a `top_k` of 0; [`Error::Aborted`].
    pub async fn classify(
        &mut self,
        image: &Image,
        top_k: Option<usize>,
        control: &dyn Control,
    ) -> Result<Classification> {
        let top_k = top_k.unwrap_or(5);
        if top_k == 0 {
            return Err(Error::BadOption("topK: it must be at least 1".into()));
        }
        let run = Run::new(control);
        let predicted = self.predict(image, &run).await?;
        let (logits, crop) = (predicted.logits.clone(), predicted.crop);
        run.check()?;
        let probabilities = softmax(&logits, self.package.temperature);
        let labels = &self.package.labels;
        let predictions = top(&logits, top_k)
            .into_iter()
            .map(|index| Prediction {
                index,
                label: labels.get(index).cloned().unwrap_or_default(),
                logit: logits.get(index).copied().unwrap_or(f32::NAN),
                probability: probabilities.get(index).copied().unwrap_or(f32::NAN),
            })
            .collect();
        Ok(Classification { predictions, logits, crop, passes: run.passes.get(), elapsed_ms: run.elapsed() })
    }

    /// Runs the method that `request` (`{ method, target, layer, ...options }`) names.
    ///
    /// # Errors
    /// Those of [`Explainer::prepare`]; [`Error::BadOption`] naming what is wrong with the request; [`Error::Aborted`].
    pub async fn attribute(
        &mut self,
        image: &Image,
        mut request: Map<String, Value>,
        control: &dyn Control,
    ) -> Result<Attribution> {
        let run = Run::new(control);
        let method = match request.remove("method") {
            Some(Value::String(id)) => methods::find(&id)?,
            _ => return Err(Error::BadOption("method: name the method, for example \"grad_cam\"".into())),
        };
        let layer = match (method.spec.space, request.remove("layer")) {
            (Space::Layer, None | Some(Value::Null)) => Some(self.spec().layer(&self.spec().default_layer)?.clone()),
            (Space::Layer, Some(Value::String(id))) => Some(self.spec().layer(&id)?.clone()),
            (Space::Input, None | Some(Value::Null)) => None,
            (Space::Layer, Some(other)) => {
                return Err(Error::BadOption(format!("layer: {other} is not a layer's name")));
            }
            (Space::Input, Some(_)) => {
                return Err(Error::BadOption(format!(
                    "layer: {} works on the input and reads no layer",
                    method.spec.id
                )));
            }
        };
        let target = request.remove("target");
        let options = Options::parse(method.spec, request)?;
        self.predict(image, &run).await?;
        let Some(predicted) = &self.predicted else { return Err(Error::Internal("the prediction is gone".into())) };
        let target = Target::parse(target.as_ref(), &predicted.logits)?;
        run.breathe().await?;
        let context = Context {
            model: &*self.package.model,
            preprocess: &self.package.preprocess,
            device: &self.device,
            predicted,
            target,
            layer,
            options,
            run: &run,
        };
        let Output { mut values, shape, completeness } = (method.run)(&context).await?;
        run.check()?;
        let warnings = examine(&mut values);
        let (target, layer) = (context.target, context.layer);
        Ok(Attribution {
            method: method.spec.id,
            target: target.to_json(),
            layer: layer.map(|l| l.id),
            values,
            shape,
            space: method.spec.space,
            score: target.score_of(&predicted.logits),
            completeness,
            crop: predicted.crop,
            passes: run.passes.get(),
            elapsed_ms: run.elapsed(),
            warnings,
        })
    }
}

/// Makes a map presentable, never prettier: values that are not finite become 0, and what makes a map meaningless is said.
fn examine(values: &mut [f32]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code, message: String| warnings.push(Warning { code, message });
    let broken = values.iter().filter(|v| !v.is_finite()).count();
    values.iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = 0.0);
    if broken > 0 {
        warn(
            "non-finite",
            format!(
                "{broken} of {} values were not finite and are shown as 0: the score's gradient overflows here",
                values.len()
            ),
        );
    }
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    if low == 0.0 && high == 0.0 {
        warn("zero-map", "every value is 0: the score does not depend on this layer's grid here (dead ReLUs, a saturated unit, or a layer that the score does not read)".into());
    } else if low == high && values.len() > 1 {
        warn("constant-map", format!("every value is {low}: the map says nothing about where"));
    }
    warnings
}

/// A running call's bookkeeping.
struct Run<'a> {
    control: &'a dyn Control,
    passes: Cell<Passes>,
    start: f64,
}

impl<'a> Run<'a> {
    fn new(control: &'a dyn Control) -> Self {
        Self { control, passes: Cell::default(), start: control.now() }
    }

    fn check(&self) -> Result<()> {
        if self.control.cancelled() { Err(Error::Aborted) } else { Ok(()) }
    }

    async fn breathe(&self) -> Result<()> {
        self.control.breathe().await;
        self.check()
    }

    fn count(&self, forward: f64, backward: f64) {
        let Passes { forward: f, backward: b } = self.passes.get();
        let passes = Passes { forward: f + forward, backward: b + backward };
        self.passes.set(passes);
        self.control.passes(passes);
    }

    fn elapsed(&self) -> f64 {
        self.control.now() - self.start
    }
}

/// What a method may use: the photo's prediction, the model, the request, and a device that is only ever awaited.
pub struct Context<'a> {
    model: &'a dyn Model,
    preprocess: &'a PreprocessConfig,
    device: &'a Device,
    predicted: &'a Predicted,
    target: Target,
    layer: Option<Layer>,
    options: Options,
    run: &'a Run<'a>,
}

impl Context<'_> {
    /// The model's description.
    pub fn spec(&self) -> &ModelSpec {
        self.model.spec()
    }
    /// The package's preprocessing.
    pub fn preprocess(&self) -> &PreprocessConfig {
        self.preprocess
    }
    /// The device.
    pub fn device(&self) -> &Device {
        self.device
    }
    /// The request's options.
    pub fn options(&self) -> &Options {
        &self.options
    }
    /// x, `[C, H, W]` row-major, as fed to the model.
    pub fn input(&self) -> &[f32] {
        &self.predicted.input
    }
    /// F(x)
    pub fn score(&self) -> f32 {
        self.target.score_of(&self.predicted.logits)
    }

    /// An input `[C, H, W]` on the device, `[1, C, H, W]`.
    pub fn upload(&self, input: &[f32]) -> Tensor<4> {
        upload(input, self.spec().input_size, self.device)
    }

    /// Awaits a tensor's values, row-major.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]
    pub async fn read<const D: usize>(&self, tensor: Tensor<D>) -> Result<Vec<f32>> {
        read(tensor).await
    }

    /// Waits until the device has computed `tensor`, so that no more than one chunk is ever under way.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]
    pub async fn settle(&self, tensor: &Tensor<4>) -> Result<()> {
        let first = tensor.clone().slice([0..1, 0..1, 0..1, 0..1]);
        self.read(first).await.map(drop)
    }

    /// Reports progress and lets an abort in.
    ///
    /// # Errors
    /// [`Error::Aborted`]
    pub async fn progress(&self, done: usize, total: usize) -> Result<()> {
        self.run.control.progress(done, total);
        self.run.breathe().await
    }

    /// Inputs per pass: `asked`, or what keeps a chunk short on this device.
    pub fn chunk_size(&self, asked: Option<usize>) -> usize {
        // A chunk is the unit of progress and of cancelling: about 100 ms on the CPU; a GPU wants larger ones.
        let budget = if *self.device == Device::flex() { 2.5e8 } else { 4e9 };
        let macs: f64 = self.spec().stages.iter().map(|s| s.macs).sum();
        asked.unwrap_or(((budget / macs.max(1.0)) as usize).clamp(1, 16))
    }

    /// The activations of the request's layer and the score's gradient there, both folded to `[1, C, h, w]`. Resumes at the
    /// boundary before the layer's stage.
    ///
    /// # Errors
    /// Those of the model.
    pub async fn layer_gradient(&self) -> Result<(Tensor<4>, Tensor<4>)> {
        let Some(layer) = &self.layer else { return Err(Error::Internal("the method reads no layer".into())) };
        let stages = layer.stage..self.spec().stages.len();
        let Some(state) = self.predicted.states.get(layer.stage) else {
            return Err(Error::Internal(format!("layer {} names a stage that does not exist", layer.id)));
        };
        let mut pass = Pass::new().keep_gradient(&layer.id);
        let logits = Tensor::<2>::unwrap(self.model.run(stages.clone(), state.clone(), &mut pass)?)?;
        let share = self.spec().share(stages);
        self.run.count(share, share);
        let gradients = self.target.score(logits).sum().backward();
        let tapped = pass.tapped(&layer.id)?;
        let gradient = tapped.gradient(&gradients)?;
        Ok((layer.fold.grid(tapped.value.clone())?, layer.fold.grid(gradient)?))
    }

    /// d score / dx at each of the inputs `[N, C, H, W]`.
    ///
    /// # Errors
    /// Those of the model.
    pub fn input_gradient(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        let [n, ..] = x.dims();
        let x = x.autodiff().require_grad();
        let logits = self.forward(x.clone())?;
        self.run.count(0.0, n as f64);
        let gradients = self.target.score(logits).sum().backward();
        Ok(x.grad(&gradients).unwrap_or_else(|| x.inner().zeros_like()))
    }

    /// F of one input `[C, H, W]`.
    ///
    /// # Errors
    /// Those of the model and the device.
    pub async fn score_of_input(&self, input: &[f32]) -> Result<f64> {
        let logits = self.forward(self.upload(input))?;
        let score = self.read(self.target.score(logits)).await?;
        score.first().copied().map(f64::from).ok_or_else(|| Error::Internal("the score is empty".into()))
    }

    fn forward(&self, x: Tensor<4>) -> Result<Tensor<2>> {
        let [n, ..] = x.dims();
        self.run.count(n as f64, 0.0);
        Tensor::<2>::unwrap(self.model.run(0..self.spec().stages.len(), x.wrap(), &mut Pass::new())?)
    }
}

fn upload(input: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(input.to_vec(), [1, c, h, w]), device)
}

async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data =
        tensor.into_data_async().await.map_err(|e| Error::DeviceLost(format!("the device stopped answering: {e}")))?;
    data.try_into_vec::<f32>().map_err(|e| Error::Internal(format!("the device returned no f32: {e}")))
}
