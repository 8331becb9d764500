//! Orchestrates: a photo's prediction with the states at the stage boundaries, then any number of attributions from there;
//! progress, cancellation, chunking, and the awaited readback.

use std::cell::Cell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::baseline::Baseline;
use crate::error::{Error, Result};
use crate::grid::bilinear;
use crate::heads::{self, Heads};
use crate::methods::{
    self, Completeness, LayerMap, LocalFuture, MethodSpec, Need, Options, Output, Reads, Reference, Space,
};
use crate::models::{Layer, Model, ModelSpec};
use crate::package::Package;
use crate::pass::{Activation, Pass, Tappable};
use crate::photo::Photo;
use crate::preprocess::{Crop, PreprocessConfig, preprocess};
use crate::target::{Quantity, Target, softmax, top};

/// What a caller hands over to be explained.
#[derive(Debug, Clone, PartialEq)]
pub enum Image {
    /// An encoded image.
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
                // Two at a time: the hasher takes as long for four bytes as for eight.
                let bits = |two: &[f32]| two.iter().fold(0, |bits, value| bits << 32 | u64::from(value.to_bits()));
                data.chunks(2).for_each(|two| hasher.write_u64(bits(two)));
            }
        }
        hasher.finish()
    }
}

/// Passes through the model, in units of one full pass of one input.
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
    /// Whether the caller wants what there is so far, of a method that estimates.
    fn stopped(&self) -> bool {
        false
    }
    /// Whether the caller would look at an estimate now.
    fn wants_estimate(&self) -> bool {
        false
    }
    /// The map as it would be if the method ended now.
    fn estimate(&self, _values: &[f32], _shape: &[usize]) {}
    /// What the model sees of the photo, before anything is estimated; `None` for a tensor.
    fn crop(&self, _crop: Option<Crop>) {}
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

/// A call without progress, estimates or cancellation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;
impl Control for Unwatched {}

/// A class and the model's confidence in it.
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

/// A model's predictions for an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Classification {
    /// The most likely classes, best first.
    pub predictions: Vec<Prediction>,
    /// All K.
    #[serde(skip)]
    pub logits: Vec<f32>,
    /// The part of the photo that the model saw; `None` for a tensor.
    pub crop: Option<Crop>,
    /// The passes it took.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
}

/// Something that a reader of a map should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable.
    pub code: &'static str,
    /// Why a map is all zeros: `dead-relu`, `saturated`, `disconnected` or `cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
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
    /// The score's quantity: `logit` or `log_probability`.
    pub output: &'static str,
    /// The layer that was read, if it was a single one.
    pub layer: Option<String>,
    /// If several layers were read, the map of each.
    pub layers: Vec<LayerMap>,
    /// Row-major, finite.
    #[serde(skip)]
    pub values: Vec<f32>,
    /// Their shape.
    pub shape: Vec<usize>,
    /// Where they live.
    pub space: Space,
    /// The target's score.
    pub score: f64,
    /// For methods with that axiom.
    pub completeness: Option<Completeness>,
    /// Further findings; the method's documentation describes them.
    pub details: Option<Value>,
    /// The part of the photo that the model saw; `None` for a tensor.
    pub crop: Option<Crop>,
    /// The passes it took, including the prediction if that was not there yet.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
}

/// A model's raw numbers for one input.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tensors {
    /// The layer; `None` for the input.
    pub layer: Option<String>,
    /// Row-major.
    #[serde(skip)]
    pub values: Vec<f32>,
    /// The layer's shape as listed, or `[C, H, W]`.
    pub shape: Vec<usize>,
    /// For gradients: what was differentiated.
    #[serde(flatten)]
    pub of: Option<Differentiated>,
    /// The part of the photo that the model saw; `None` for a tensor.
    pub crop: Option<Crop>,
    /// The passes it took, including the prediction if that was not there yet.
    pub passes: Passes,
    /// Milliseconds.
    pub elapsed_ms: f64,
}

/// The score that was differentiated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Differentiated {
    /// The target.
    pub target: Value,
    /// The score's quantity: `logit` or `log_probability`.
    pub output: &'static str,
    /// Its value.
    pub score: f64,
}

struct Predicted {
    key: u64,
    input: Vec<f32>,
    crop: Option<Crop>,
    /// The state before each stage.
    states: Vec<Activation>,
    logits: Vec<f32>,
    tail: Cell<Option<Tail>>,
}

/// The prediction's own pass from the default layer on, ready for a backward pass: a CAM there that is asked for together with it runs nothing forward again.
struct Tail {
    pass: Pass<'static>,
    logits: Option<Tensor<2>>,
}

impl Drop for Tail {
    fn drop(&mut self) {
        // burn keeps a graph until a backward pass has gone through it.
        if let Some(logits) = self.logits.take() {
            logits.sum().backward();
        }
    }
}

/// A model on a device, and the last image it saw.
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
                        "image: the model takes a tensor of shape {expected:?}; got {shape:?} with {} values",
                        data.len()
                    )));
                }
                if data.iter().any(|v| !v.is_finite()) {
                    return Err(Error::BadOption("image: the tensor contains values that are not finite".into()));
                }
                return Ok((data.clone(), None));
            }
        };
        let prepared = preprocess(&photo, &self.package.preprocess)?;
        Ok((prepared.data, Some(prepared.crop)))
    }

    /// `tail`: whether a CAM at the default layer follows.
    async fn predict(&mut self, image: &Image, tail: bool, run: &Run<'_>) -> Result<&Predicted> {
        let key = image.key();
        let predicted = match self.predicted.take().filter(|p| p.key == key) {
            Some(predicted) => predicted,
            None => {
                let (input, crop) = self.prepare(image)?;
                run.check()?;
                let model = &*self.package.model;
                let layer = self.spec().layer(&self.spec().default_layer).ok().filter(|_| tail);
                let mut pass = layer.iter().fold(Pass::new(), |pass, layer| pass.keep_gradient(&layer.id));
                let mut state = upload(&input, self.spec().input_size, &self.device).wrap();
                let mut states = Vec::new();
                for stage in 0..self.spec().stages.len() {
                    states.push(state.clone().inner());
                    let pass =
                        if layer.is_some_and(|layer| layer.stage <= stage) { &mut pass } else { &mut Pass::new() };
                    state = model.run(stage..stage + 1, state, pass)?;
                }
                run.count(1.0, 0.0);
                let logits = Tensor::<2>::unwrap(state)?;
                let tail = layer.map(|_| Tail { pass, logits: Some(logits.clone()) });
                let logits = read(logits.inner()).await?;
                if logits.len() != self.spec().num_classes || logits.iter().any(|l| !l.is_finite()) {
                    return Err(Error::BadModel(
                        "the model's logits are not finite: its weights are damaged or were saved in too narrow a \
                         type; download or save them again"
                            .into(),
                    ));
                }
                Predicted { key, input, crop, states, logits, tail: Cell::new(tail) }
            }
        };
        run.control.crop(predicted.crop);
        Ok(self.predicted.insert(predicted))
    }

    /// The `top_k` most likely classes (5 by default).
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
            return Err(Error::BadOption("topK must be at least 1".into()));
        }
        let run = Run::new(control);
        let predicted = self.predict(image, false, &run).await?;
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
        let spec = match request.remove("method") {
            Some(Value::String(id)) => methods::find(&id)?,
            _ => return Err(Error::BadOption("method: name one, for example \"grad_cam\"".into())),
        };
        let (method, spec) = (spec, spec.spec);
        spec.supports(self.spec())?;
        let layers = self.layers(spec, request.remove("layer"))?;
        let question = Question::take(&mut request)?;
        let options = Options::parse(spec, request)?;
        let context =
            self.begin(image, &question, layers, spec.needs.contains(&Need::Gradients), options, &run).await?;
        let Output { mut values, shape, completeness, mut layers, mut warnings, details } =
            (method.run)(&context).await?;
        run.check()?;
        // What the method itself says of an empty map is nearer to the cause.
        let said: Vec<&str> = warnings.iter().map(|w| w.code).collect();
        for values in layers.iter_mut().map(|layer| &mut layer.values).chain([&mut values]) {
            for warning in examine(values) {
                if !warnings.contains(&warning) && !said.contains(&warning.code) {
                    warnings.push(warning);
                }
            }
        }
        if spec.needs.contains(&Need::Gradients) || spec.reads != Reads::Input {
            for warning in warnings.iter_mut().filter(|w| w.code == "zero-map") {
                *warning = context.why_zero().await?;
            }
        }
        let layer = match context.layers.as_slice() {
            [only] => Some(only.id.clone()),
            _ => None,
        };
        Ok(Attribution {
            method: spec.id,
            target: context.target.to_json(),
            output: question.quantity.id(),
            layer,
            layers,
            values,
            shape,
            space: spec.space,
            score: context.score(),
            completeness,
            details,
            crop: context.predicted.crop,
            passes: run.passes.get(),
            elapsed_ms: run.elapsed(),
            warnings,
        })
    }

    /// Ranks a transformer's attention heads for what `request` (`{ target, output }`) asks about; see [`crate::heads`].
    ///
    /// # Errors
    /// Those of [`Explainer::attribute`]; [`Error::Unsupported`] for a model without attention.
    pub async fn heads(
        &mut self,
        image: &Image,
        mut request: Map<String, Value>,
        control: &dyn Control,
    ) -> Result<Heads> {
        let run = Run::new(control);
        if self.spec().attention.is_none() {
            return Err(heads::unsupported(&self.spec().architecture));
        }
        let question = Question::take(&mut request)?;
        if let Some(unknown) = request.keys().next() {
            return Err(Error::BadOption(format!(
                "{unknown}: the head table has no such option; its options are target and output"
            )));
        }
        let context = self.begin(image, &question, Vec::new(), false, Options::default(), &run).await?;
        let table = heads::table(&context).await?;
        Ok(Heads {
            target: context.target.to_json(),
            output: question.quantity.id(),
            score: context.score(),
            heads: table,
            passes: run.passes.get(),
            elapsed_ms: run.elapsed(),
        })
    }

    /// A layer's activations for an image, in the layer's shape; by default the model's default
    /// layer.
    ///
    /// # Errors
    /// Those of [`Explainer::prepare`]; [`Error::BadOption`] for a layer that there is not; [`Error::Aborted`].
    pub async fn activations(&mut self, image: &Image, layer: Option<&str>, control: &dyn Control) -> Result<Tensors> {
        let run = Run::new(control);
        let layer = self.spec().layer(layer.unwrap_or(&self.spec().default_layer))?.clone();
        let (id, stage) = (layer.id.clone(), layer.stage);
        let context = self.begin(image, &Question::default(), vec![layer], false, Options::default(), &run).await?;
        let mut pass = Pass::new().keep(&id);
        context.rerun(stage, &mut pass)?;
        context.tensors(pass.tapped(&id)?.value.clone(), None).await
    }

    /// d score / d input, `[C, H, W]`; or, if `request` (`{ target, output, layer }`) names a
    /// layer, d score / d its activations, in the layer's shape.
    ///
    /// # Errors
    /// Those of [`Explainer::activations`], and [`Error::BadOption`] naming what is wrong with the request.
    pub async fn gradients(
        &mut self,
        image: &Image,
        mut request: Map<String, Value>,
        control: &dyn Control,
    ) -> Result<Tensors> {
        let run = Run::new(control);
        let question = Question::take(&mut request)?;
        let layers = match request.remove("layer").filter(|layer| !layer.is_null()) {
            None => Vec::new(),
            Some(asked) => vec![self.layer(&asked)?],
        };
        if let Some(unknown) = request.keys().next() {
            return Err(Error::BadOption(format!(
                "{unknown}: gradients have no such option; their options are target, output and layer"
            )));
        }
        let context = self.begin(image, &question, layers, true, Options::default(), &run).await?;
        let gradient = match context.layers.first() {
            None => context.input_gradient(context.upload(context.input()))?.wrap(),
            Some(layer) => {
                let (pass, gradients) = context.backward_to_layers()?;
                pass.tapped(&layer.id)?.gradient(&gradients)?
            }
        };
        let of =
            Differentiated { target: context.target.to_json(), output: question.quantity.id(), score: context.score() };
        context.tensors(gradient, Some(of)).await
    }

    /// What a method works on: the photo's prediction is there, and messages were let in. `gradients`: whether those at the layers are what it begins with.
    async fn begin<'a>(
        &'a mut self,
        image: &Image,
        question: &Question,
        layers: Vec<Layer>,
        gradients: bool,
        options: Options,
        run: &'a Run<'a>,
    ) -> Result<Context<'a>> {
        let tail = gradients && layers.iter().map(|layer| &layer.id).eq([&self.spec().default_layer]);
        self.predict(image, tail, run).await?;
        run.breathe().await?;
        let Some(predicted) = &self.predicted else { return Err(Error::Internal("the prediction is gone".into())) };
        Ok(Context {
            model: &*self.package.model,
            preprocess: &self.package.preprocess,
            device: &self.device,
            predicted,
            target: Target::parse(question.target.as_ref(), question.quantity, &predicted.logits)?,
            layers,
            options,
            run,
        })
    }

    /// The layer with this name.
    fn layer(&self, asked: &Value) -> Result<Layer> {
        match asked.as_str() {
            Some(id) => self.spec().layer(id).cloned(),
            None => Err(Error::BadOption(format!("layer: {asked} is not the name of a layer"))),
        }
    }

    /// The layers that a request means.
    fn layers(&self, method: &MethodSpec, asked: Option<Value>) -> Result<Vec<Layer>> {
        match (method.reads, asked.filter(|asked| !asked.is_null())) {
            (Reads::Input, None) => Ok(Vec::new()),
            (Reads::Input, Some(_)) => {
                Err(Error::BadOption(format!("layer: {} does not read a layer; leave it out", method.id)))
            }
            (_, None) => Ok(vec![self.spec().layer(&self.spec().default_layer)?.clone()]),
            (Reads::Layers, Some(Value::String(all))) if all == "all" => Ok(self.spec().layers.clone()),
            (Reads::Layers, Some(Value::Array(ids))) if !ids.is_empty() && ids.len() <= self.spec().layers.len() => {
                let mut layers = ids.iter().map(|id| self.layer(id)).collect::<Result<Vec<_>>>()?;
                layers.sort_by_key(|layer| self.spec().layers.iter().position(|l| l.id == layer.id));
                layers.dedup_by(|a, b| a.id == b.id);
                Ok(layers)
            }
            (_, Some(asked)) => Ok(vec![self.layer(&asked)?]),
        }
    }
}

/// Makes a map presentable, never prettier: values that are not finite become 0, and what makes a map meaningless is said.
fn examine(values: &mut [f32]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code, message: String| warnings.push(Warning { code, cause: None, message });
    let broken = values.iter().filter(|v| !v.is_finite()).count();
    values.iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = 0.0);
    if broken > 0 {
        warn(
            "non-finite",
            format!(
                "{broken} of {} values are not finite and are shown as 0: numbers overflowed during the computation",
                values.len()
            ),
        );
    }
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    if low == 0.0 && high == 0.0 {
        warn("zero-map", "every value is 0: the score does not change with what this method looks at".into());
    } else if low == high && values.len() > 1 {
        warn("constant-map", format!("every value is {low}: the map singles out no place"));
    }
    warnings
}

/// What a request asks about: its `target` and `output`.
#[derive(Default)]
struct Question {
    target: Option<Value>,
    quantity: Quantity,
}

impl Question {
    fn take(request: &mut Map<String, Value>) -> Result<Self> {
        let target = request.remove("target");
        Ok(Self { target, quantity: Quantity::parse(request.remove("output").as_ref())? })
    }
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

/// What a method may use: the image's prediction, the model, the request, and a device that is only
/// ever awaited.
pub struct Context<'a> {
    model: &'a dyn Model,
    preprocess: &'a PreprocessConfig,
    device: &'a Device,
    predicted: &'a Predicted,
    target: Target,
    layers: Vec<Layer>,
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
    pub fn score(&self) -> f64 {
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

    /// Waits until the device has computed `tensor`, so that at most one chunk is under way.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]
    pub async fn settle(&self, tensor: &Tensor<4>) -> Result<()> {
        let first = tensor.clone().slice([0..1, 0..1, 0..1, 0..1]);
        self.read(first).await.map(drop)
    }

    /// Reports progress and gives an abort the chance to arrive.
    ///
    /// # Errors
    /// [`Error::Aborted`]
    pub async fn progress(&self, done: usize, total: usize) -> Result<()> {
        self.run.control.progress(done, total);
        self.run.breathe().await
    }

    /// Inputs per pass that begins before `stage`: `asked`, or what keeps a chunk short on this device.
    fn chunk_size_from(&self, stage: usize, asked: Option<usize>) -> usize {
        // A chunk is the unit of progress and of cancelling: about 100 ms on the CPU; a GPU wants larger ones.
        let budget = if *self.device == Device::flex() { 5e8 } else { 4e9 };
        let macs: f64 = self.spec().stages.iter().skip(stage).map(|s| s.macs).sum();
        asked.unwrap_or(((budget / macs.max(1.0)) as usize).clamp(1, 16))
    }

    /// Splits `0..total` into ranges, whose size the option `chunkSize` and the device decide.
    pub fn chunks(&self, total: usize) -> Result<Vec<Range<usize>>> {
        self.chunks_from(0, total)
    }

    /// [`Context::chunks`] of passes that begin before `stage`.
    pub fn chunks_from(&self, stage: usize, total: usize) -> Result<Vec<Range<usize>>> {
        let asked = if self.options.has("chunkSize") { self.options.integer("chunkSize")? } else { None };
        // All but the last are of one size, so that the peak of memory does not depend on how many there are.
        let size = self.chunk_size_from(stage, asked).clamp(1, total.max(1));
        Ok((0..total).step_by(size).map(|first| first..(first + size).min(total)).collect())
    }

    /// The baseline images that the options `baseline`, `blurSigma` and `seed` describe, each `[C,
    /// H, W]` as fed to the model.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a tensor of another shape.
    pub fn references(&self) -> Result<Vec<Vec<f32>>> {
        let shape = self.spec().input_size;
        let sigma = if self.options.has("blurSigma") { self.options.number("blurSigma")? } else { 10.0 };
        let seed = if self.options.has("seed") { self.options.count("seed")? as u64 } else { 0 };
        let picture = |reference: &Reference| match reference {
            Reference::Named(id) => Baseline::from_id(id, sigma, seed)
                .map(|baseline| baseline.of(self.input(), shape, self.preprocess))
                .ok_or_else(|| Error::Internal(format!("there is no baseline {id}"))),
            Reference::Given(given) if given.shape == shape => Ok(given.data.clone()),
            Reference::Given(given) => Err(Error::BadOption(format!(
                "baseline: the model takes a tensor of shape {shape:?}; got {:?}",
                given.shape
            ))),
        };
        self.options.references("baseline")?.iter().map(picture).collect()
    }

    /// Whether the caller wants to stop and keep what there is so far.
    pub fn stopped(&self) -> bool {
        self.run.control.stopped()
    }

    /// The warning that a stopped method adds to its output.
    pub fn stopped_after(&self, done: usize, total: usize) -> Warning {
        Warning {
            code: "partial",
            cause: None,
            message: format!("stopped after {done} of {total} samples: the map is an estimate"),
        }
    }

    /// Whether the caller wants an estimate now; making one costs a readback.
    pub fn wants_estimate(&self) -> bool {
        self.run.control.wants_estimate()
    }

    /// Shows the map as it would be if the method ended now.
    pub fn estimate(&self, values: &[f32], shape: &[usize]) {
        self.run.control.estimate(values, shape);
    }

    /// The layers that the request names, from shallow to deep.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The one layer that the request names.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method reads none.
    pub fn layer(&self) -> Result<&Layer> {
        self.layers.first().ok_or_else(|| Error::Internal("the method reads no layer".into()))
    }

    /// The activations of the request's layers and the score's gradients there, both folded to `[1, C, h, w]`; from one forward and one backward pass
    /// that begin at the boundary before the first layer's stage.
    ///
    /// # Errors
    /// Those of the model.
    pub fn layer_gradients(&self) -> Result<Vec<(Tensor<4>, Tensor<4>)>> {
        let (pass, gradients) = self.backward_to_layers()?;
        let folded = |layer: &Layer| {
            let tapped = pass.tapped(&layer.id)?;
            Ok((layer.fold.grid(tapped.value.clone())?, layer.fold.grid(tapped.gradient(&gradients)?)?))
        };
        self.layers.iter().map(folded).collect()
    }

    /// The activations of the request's layers, each folded to `[1, C, h, w]`; from one forward pass between the boundaries around them.
    ///
    /// # Errors
    /// Those of the model.
    pub fn layer_activations(&self) -> Result<Vec<Tensor<4>>> {
        let mut pass = self.layers.iter().fold(Pass::new(), |pass, layer| pass.keep(&layer.id));
        let first = self.first_stage();
        let last = self.layers.iter().map(|l| l.stage).max().unwrap_or(first);
        self.model.run(first..last + 1, self.state(first)?, &mut pass)?;
        self.run.count(self.spec().share(first..last + 1), 0.0);
        self.layers.iter().map(|layer| layer.fold.grid(pass.tapped(&layer.id)?.value.clone())).collect()
    }

    /// Reads a state `[1, ..]` of the request's layer or of the input.
    async fn tensors(&self, state: Activation, of: Option<Differentiated>) -> Result<Tensors> {
        let shape = state.shape().split_off(1);
        let values = match state {
            Activation::Map(x) => self.read(x).await?,
            Activation::Tokens(x) => self.read(x).await?,
            Activation::Logits(x) => self.read(x).await?,
        };
        self.run.check()?;
        Ok(Tensors {
            layer: self.layers.first().map(|layer| layer.id.clone()),
            values,
            shape,
            of,
            crop: self.predicted.crop,
            passes: self.run.passes.get(),
            elapsed_ms: self.run.elapsed(),
        })
    }

    /// A CAM: `map` turns a layer's activations and gradients, both `[1, C, h, w]`, into `[1, 1, h, w]`.
    ///
    /// # Errors
    /// Those of the model and the device.
    pub async fn cam(&self, map: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>) -> Result<Output> {
        let maps: Vec<Tensor<4>> = self.layer_gradients()?.into_iter().map(|(a, g)| map(a, g)).collect();
        self.combine(maps).await
    }

    /// The output of a method that has a map `[1, 1, h, w]` of each of the request's layers; see [`Context::combined`].
    ///
    /// # Errors
    /// Those of the device.
    pub async fn combine(&self, maps: Vec<Tensor<4>>) -> Result<Output> {
        let sizes: Vec<usize> = maps.iter().map(|map| map.shape().num_elements()).collect();
        let flat = maps.into_iter().map(|map| map.flatten::<1>(0, 3)).collect();
        let all = self.read(Tensor::cat(flat, 0)).await?;
        let mut rest = all.as_slice();
        let split = sizes.into_iter().map(|size| {
            let (map, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            map.to_vec()
        });
        Ok(self.combined(split.collect()))
    }

    /// The output of a method that has a map, row-major, of each of the request's layers, or of the first of them. Of several, the whole is the mean of all, each divided
    /// by its largest magnitude and shown on the finest of the grids.
    pub fn combined(&self, maps: Vec<Vec<f32>>) -> Output {
        let named = self.layers.iter().zip(maps);
        let mut layers: Vec<LayerMap> =
            named.map(|(l, values)| LayerMap { id: l.id.clone(), shape: l.fold.grid_shape(), values }).collect();
        if self.layers.len() < 2 {
            return layers.pop().map_or_else(Output::default, |only| Output::new(only.values, only.shape));
        }
        let finest = layers.iter().map(|l| l.shape).max_by_key(|[h, w]| h * w).unwrap_or_default();
        let mut whole = vec![0f32; finest.iter().product()];
        for layer in &layers {
            let largest = layer.values.iter().fold(0f32, |m, v| m.max(v.abs()));
            if largest > 0.0 && largest.is_finite() {
                let shown = bilinear(&layer.values, layer.shape, finest);
                let share = 1.0 / (largest * layers.len() as f32);
                whole.iter_mut().zip(shown).for_each(|(sum, v)| *sum += v * share);
            }
        }
        Output { layers, ..Output::new(whole, finest) }
    }

    /// A pass with the score's gradients at the request's layers, from the boundary before the first layer's stage or, once, from the prediction's.
    fn backward_to_layers(&self) -> Result<(Pass<'static>, Gradients)> {
        if let [only] = self.layers.as_slice()
            && only.id == self.spec().default_layer
            && let Some(mut tail) = self.predicted.tail.take()
            && let Some(logits) = tail.logits.take()
        {
            return Ok((std::mem::take(&mut tail.pass), self.backward(only.stage, logits)));
        }
        let mut pass = self.layers.iter().fold(Pass::new(), |pass, layer| pass.keep_gradient(&layer.id));
        let gradients = self.backward_from(self.first_stage(), &mut pass)?;
        Ok((pass, gradients))
    }

    fn first_stage(&self) -> usize {
        self.layers.iter().map(|l| l.stage).min().unwrap_or_default()
    }

    /// The state `[1, ..]` before a stage.
    ///
    /// # Errors
    /// [`Error::Internal`] where there is no such stage.
    pub fn state(&self, stage: usize) -> Result<Activation> {
        let state = self.predicted.states.get(stage).cloned();
        state.ok_or_else(|| Error::Internal(format!("the model has no stage {stage}")))
    }

    /// Logits `[N, K]` from a state `[N, ..]` before `stage` on.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn resume(&self, stage: usize, state: Activation, pass: &mut Pass) -> Result<Tensor<2>> {
        let n = state.shape().first().copied().unwrap_or_default();
        let stages = stage..self.spec().stages.len();
        self.run.count(n as f64 * self.spec().share(stages.clone()), 0.0);
        Tensor::<2>::unwrap(self.model.run(stages, state, pass)?)
    }

    /// Runs one stage again, on the state before it, for what the pass takes there.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn rerun(&self, stage: usize, pass: &mut Pass) -> Result<()> {
        self.run.count(self.spec().share(stage..stage + 1), 0.0);
        self.model.run(stage..stage + 1, self.state(stage)?, pass).map(drop)
    }

    /// One step of a backward pass through a transformer that holds one stage's graph at a time: from the score's gradient behind `stage`,
    /// `[1, T, D]` (`None` behind the last stage), the gradient before it, `[1, T, D]`, and those at what `pass` keeps.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn backward_stage(
        &self,
        stage: usize,
        behind: Option<Tensor<3>>,
        pass: &mut Pass,
    ) -> Result<(Tensor<3>, Gradients)> {
        let share = self.spec().share(stage..stage + 1);
        self.run.count(share, share);
        let before = Tensor::<3>::unwrap(self.state(stage)?)?.autodiff().require_grad();
        let out = self.model.run(stage..stage + 1, before.clone().wrap(), pass)?;
        let score = match behind {
            None => self.target.score(Tappable::unwrap(out)?).sum(),
            Some(gradient) => (Tensor::<3>::unwrap(out)? * gradient).sum(),
        };
        let gradients = score.backward();
        Ok((before.grad(&gradients).unwrap_or_else(|| before.inner().zeros_like()), gradients))
    }

    /// The score's gradients, from `stage` on, where the pass keeps them.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn backward_from(&self, stage: usize, pass: &mut Pass) -> Result<Gradients> {
        let logits = self.resume(stage, self.state(stage)?, pass)?;
        Ok(self.backward(stage, logits))
    }

    fn backward(&self, stage: usize, logits: Tensor<2>) -> Gradients {
        self.run.count(0.0, self.spec().share(stage..self.spec().stages.len()));
        self.target.score(logits).sum().backward()
    }

    /// The scores `[N]` of inputs `[N, C, H, W]`.
    ///
    /// # Errors
    /// Those of the model.
    pub fn scores(&self, x: Tensor<4>) -> Result<Tensor<1>> {
        Ok(self.target.score(self.resume(0, x.wrap(), &mut Pass::new())?))
    }

    /// The target: what makes a score of logits.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// d score / dx at each of the inputs `[N, C, H, W]`.
    ///
    /// # Errors
    /// Those of the model.
    pub fn input_gradient(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        self.input_gradient_by(x, &mut Pass::new())
    }

    /// d score / dx at each of the inputs `[N, C, H, W]`, by the rules of a pass.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn input_gradient_by(&self, x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<4>> {
        let gradient = self.gradient_of(x.clone(), pass, |logits| self.target.score(logits))?;
        Ok(gradient.unwrap_or_else(|| x.zeros_like()))
    }

    /// What a backward pass by the rules of a pass makes of a seed at the logits: `seed` turns logits `[N, K]` into one of that shape, the
    /// result is shaped as the inputs `[N, C, H, W]`.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn pull_back(
        &self,
        x: Tensor<4>,
        pass: &mut Pass,
        seed: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Result<Tensor<4>> {
        let seeded = |logits: Tensor<2>| {
            let seed = seed(logits.clone().inner()).autodiff();
            (logits * seed).sum()
        };
        Ok(self.gradient_of(x.clone(), pass, seeded)?.unwrap_or_else(|| x.zeros_like()))
    }

    /// The gradient at inputs `[N, C, H, W]` of the sum of what `of` makes of the logits `[N, K]`; `None` where that does not read the inputs.
    fn gradient_of(
        &self,
        x: Tensor<4>,
        pass: &mut Pass,
        of: impl FnOnce(Tensor<2>) -> Tensor<1>,
    ) -> Result<Option<Tensor<4>>> {
        let [n, ..] = x.dims();
        let x = x.autodiff().require_grad();
        let logits = self.resume(0, x.clone().wrap(), pass)?;
        self.run.count(0.0, n as f64);
        Ok(x.grad(&of(logits).sum().backward()))
    }

    /// F of one input `[C, H, W]`.
    ///
    /// # Errors
    /// Those of the model and the device.
    pub async fn score_of_input(&self, input: &[f32]) -> Result<f64> {
        let score = self.read(self.scores(self.upload(input))?).await?;
        score.first().copied().map(f64::from).ok_or_else(|| Error::Internal("the score is empty".into()))
    }

    /// The cause of a map of zeros, from the gradient that it was made of.
    async fn why_zero(&self) -> Result<Warning> {
        let (mut reached, mut active) = (false, false);
        let mut largest = 0f32;
        if self.layers.is_empty() {
            let input = self.upload(self.input());
            if let Some(gradient) = self.gradient_of(input, &mut Pass::new(), |logits| self.target.score(logits))? {
                reached = true;
                largest = self.largest(gradient).await?;
            }
            active = true;
        } else {
            let (pass, gradients) = self.backward_to_layers()?;
            for layer in &self.layers {
                let tapped = pass.tapped(&layer.id)?;
                reached |= tapped.reached(&gradients);
                active |= self.largest(layer.fold.grid(tapped.value.clone())?).await? > 0.0;
                largest = largest.max(self.largest(layer.fold.grid(tapped.gradient(&gradients)?)?).await?);
            }
        }
        let (cause, message) = match (reached, active, largest > 0.0) {
            (false, ..) => ("disconnected", "every value is 0: the score does not depend on what this method looks at"),
            (_, false, _) => {
                ("dead-relu", "every value is 0: no unit of this layer is active for this image (dead ReLUs)")
            }
            (_, _, false) => (
                "saturated",
                "every value is 0: the gradient vanishes on its way back from the score (saturated units or dead \
                 ReLUs)",
            ),
            _ => (
                "cancelled",
                "every value is 0 although activations and gradients are not: they cancel out under this method's rule",
            ),
        };
        Ok(Warning { code: "zero-map", cause: Some(cause), message: message.into() })
    }

    async fn largest(&self, tensor: Tensor<4>) -> Result<f32> {
        Ok(self.read(tensor.abs().max()).await?.first().copied().unwrap_or_default())
    }
}

fn upload(input: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(input.to_vec(), [1, c, h, w]), device)
}

async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor
        .into_data_async()
        .await
        .map_err(|e| Error::DeviceLost(format!("the device stopped responding: {e}; try again to restart it")))?;
    data.try_into_vec::<f32>().map_err(|e| Error::Internal(format!("the device did not return f32 values: {e}")))
}
