//! Orchestrates: a photo's prediction with the states at the stage boundaries, then any number of
//! attributions from there; progress, cancellation, chunking, and the awaited readback.

pub mod diagnose;
pub mod image;
pub mod request;
pub mod result;

use std::cell::Cell;
use std::rc::Rc;

use burn::tensor::{Device, Tensor};
use serde_json::{Map, Value};

pub use image::Image;
pub use result::{Attribution, Classification, Differentiated, Prediction, Tensors};

use crate::ask::control::{Control, Run};
use crate::ask::warning::{SCALED, Warning, ZERO_MAP};
use crate::error::{Error, Result, quote};
use crate::explain::diagnose::examine;
use crate::explain::request::ScoreRequest;
use crate::inside::heads::{self, Heads};
use crate::methods::context::{Context, read, upload};
use crate::methods::options::Options;
use crate::methods::output::Output;
use crate::methods::predicted::{Predicted, Tail};
use crate::methods::spec::{Need, Reads};
use crate::methods::{self};
use crate::nn::load::Package;
use crate::nn::model::{Layer, ModelSpec};
use crate::nn::pass::{Pass, Tappable};
use crate::nn::target::{Target, softmax, top};
use crate::photo::Photo;
use crate::photo::preprocess::{Crop, preprocess};

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
    /// [`Error::UnsupportedImage`], [`Error::ImageTooLarge`]; [`Error::BadOption`] for a tensor of
    /// another shape.
    pub fn prepare(&self, image: &Image) -> Result<(Vec<f32>, Option<Crop>)> {
        self.read(image).map(|(input, crop, _)| (input, crop))
    }

    /// [`Explainer::prepare`], with what there is to say of the photo.
    fn read(&self, image: &Image) -> Result<(Vec<f32>, Option<Crop>, Vec<Warning>)> {
        let photo = match image {
            Image::Encoded(bytes) => Rc::new(Photo::decode(bytes)?),
            Image::Rgba { width, height, data } => Rc::new(Photo::from_rgba(*width, *height, data)?),
            Image::Photo { photo, .. } => photo.clone(),
            Image::Tensor { data, shape } => {
                let expected = self.spec().input_size;
                if shape != &expected || data.len() != expected.iter().product::<usize>() {
                    return Err(Error::BadOption(format!(
                        "image: the model takes a tensor of shape {expected:?}; got {} with {} values",
                        quote(format_args!("{shape:?}")),
                        data.len()
                    )));
                }
                if data.iter().any(|v| !v.is_finite()) {
                    return Err(Error::BadOption("image: the tensor contains values that are not finite".into()));
                }
                return Ok((data.clone(), None, Vec::new()));
            }
        };
        let prepared = preprocess(&photo, &self.package.preprocess)?;
        let warnings = photo.scaled_from.map(|[width, height]| {
            let [width, height, kept_width, kept_height] = [width, height, photo.width, photo.height].map(f64::from);
            SCALED.with([("width", width), ("height", height), ("keptWidth", kept_width), ("keptHeight", kept_height)])
        });
        Ok((prepared.data, Some(prepared.crop), warnings.into_iter().collect()))
    }

    /// `tail`: whether a CAM at the default layer follows.
    async fn predict(&mut self, image: &Image, tail: bool, run: &Run<'_>) -> Result<&Predicted> {
        let key = image.key();
        let predicted = match self.predicted.take().filter(|p| p.key == key) {
            Some(predicted) => predicted,
            None => {
                let (input, crop, warnings) = self.read(image)?;
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
                    // Not where a graph has begun, which only a backward pass ends.
                    if layer.is_none_or(|layer| stage < layer.stage) {
                        run.breathe().await?;
                    }
                }
                run.count(1.0, 0.0);
                let logits = Tensor::<2>::unwrap(state)?;
                let tail = layer.map(|_| Tail { pass, logits: logits.clone() });
                let read = read(logits.inner()).await.and_then(|logits| finite(logits, self.spec().num_classes));
                let logits = match read {
                    Ok(logits) => logits,
                    Err(error) => {
                        tail.into_iter().for_each(Tail::release);
                        return Err(error);
                    }
                };
                Predicted { key, input, crop, warnings, states, logits, tail: Cell::new(tail) }
            }
        };
        run.control.crop(predicted.crop);
        Ok(self.predicted.insert(predicted))
    }

    /// The `top_k` most likely classes (5 by default).
    ///
    /// # Errors
    /// Those of [`Explainer::prepare`]; [`Error::BadOption`] for a `top_k` of 0;
    /// [`Error::Aborted`].
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
        let (logits, crop, warnings) = (predicted.logits.clone(), predicted.crop, predicted.warnings.clone());
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
        Ok(Classification { predictions, logits, crop, passes: run.passes.get(), elapsed_ms: run.elapsed(), warnings })
    }

    /// Runs the method that `request` (`{ method, target, layer, ...options }`) names.
    ///
    /// # Errors
    /// Those of [`Explainer::prepare`]; [`Error::BadOption`] naming what is wrong with the request;
    /// [`Error::Aborted`].
    pub async fn attribute(
        &mut self,
        image: &Image,
        request: Map<String, Value>,
        control: &dyn Control,
    ) -> Result<Attribution> {
        let attribution = self.explain(image, request, Run::new(control)).await;
        self.predicted.iter().for_each(Predicted::release_tail);
        attribution
    }

    async fn explain(&mut self, image: &Image, mut request: Map<String, Value>, run: Run<'_>) -> Result<Attribution> {
        let spec = match request.remove("method") {
            Some(Value::String(id)) => methods::find(&id)?,
            _ => return Err(Error::BadOption("method: name one, for example \"grad_cam\"".into())),
        };
        let (method, spec) = (spec, spec.spec);
        spec.supports(self.spec())?;
        if !spec.estimates {
            run.refuse_to_stop(spec.id);
        }
        run.check()?;
        let layers = self.layers(spec, request.remove("layer"))?;
        let question = ScoreRequest::take(&mut request)?;
        let options = Options::parse(spec, request)?;
        let context =
            self.begin(image, &question, layers, spec.needs.contains(&Need::Gradients), options, &run).await?;
        let Output { mut values, shape, completeness, mut layers, mut warnings, details } =
            (method.run)(&context).await?;
        run.wanted()?;
        // What the method itself says of an empty map is nearer to the cause.
        let said: Vec<&str> = warnings.iter().map(|w| w.code).collect();
        let knows_why = spec.needs.contains(&Need::Gradients) || spec.reads != Reads::Input;
        let (several, mut empty) = (layers.len(), Vec::new());
        for (index, values) in layers.iter_mut().map(|layer| &mut layer.values).chain([&mut values]).enumerate() {
            for warning in examine(values) {
                if said.contains(&warning.code) {
                    continue;
                }
                if warning.code == ZERO_MAP.code && knows_why {
                    // Of several layers, the whole is empty where each of them is.
                    empty.extend((several == 0 || index < several).then_some(index));
                } else if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        if !empty.is_empty() {
            for warning in context.why_zero(&empty).await? {
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        warnings.extend(context.predicted.warnings.iter().cloned());
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

    /// Ranks a transformer's attention heads for what `request` (`{ target, output }`) asks about;
    /// see [`crate::inside::heads`].
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
        let question = ScoreRequest::take(&mut request)?;
        if let Some(unknown) = request.keys().next() {
            return Err(Error::BadOption(format!(
                "{}: the head table has no such option; its options are target and output",
                quote(unknown)
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
    /// Those of [`Explainer::prepare`]; [`Error::BadOption`] for a layer that there is not;
    /// [`Error::Aborted`].
    pub async fn activations(&mut self, image: &Image, layer: Option<&str>, control: &dyn Control) -> Result<Tensors> {
        let run = Run::new(control);
        let layer = self.spec().layer(layer.unwrap_or(&self.spec().default_layer))?.clone();
        let (id, stage) = (layer.id.clone(), layer.stage);
        let context = self.begin(image, &ScoreRequest::default(), vec![layer], false, Options::default(), &run).await?;
        let mut pass = Pass::new().keep(&id);
        context.rerun(stage, &mut pass)?;
        context.tensors(pass.tapped(&id)?.value.clone(), None).await
    }

    /// d score / d input, `[C, H, W]`; or, if `request` (`{ target, output, layer }`) names a
    /// layer, d score / d its activations, in the layer's shape.
    ///
    /// # Errors
    /// Those of [`Explainer::activations`], and [`Error::BadOption`] naming what is wrong with the
    /// request.
    pub async fn gradients(
        &mut self,
        image: &Image,
        request: Map<String, Value>,
        control: &dyn Control,
    ) -> Result<Tensors> {
        let gradients = self.differentiate(image, request, Run::new(control)).await;
        self.predicted.iter().for_each(Predicted::release_tail);
        gradients
    }

    async fn differentiate(&mut self, image: &Image, mut request: Map<String, Value>, run: Run<'_>) -> Result<Tensors> {
        let question = ScoreRequest::take(&mut request)?;
        let layers = match request.remove("layer").filter(|layer| !layer.is_null()) {
            None => Vec::new(),
            Some(asked) => vec![self.layer(&asked)?],
        };
        if let Some(unknown) = request.keys().next() {
            return Err(Error::BadOption(format!(
                "{}: gradients have no such option; their options are target, output and layer",
                quote(unknown)
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

    /// What a method works on: the photo's prediction is there, and messages were let in.
    /// `gradients`: whether those at the layers are what it begins with.
    async fn begin<'a>(
        &'a mut self,
        image: &Image,
        question: &ScoreRequest,
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
}

/// The logits of so many classes, if they are numbers.
fn finite(logits: Vec<f32>, classes: usize) -> Result<Vec<f32>> {
    if logits.len() == classes && logits.iter().all(|l| l.is_finite()) {
        return Ok(logits);
    }
    Err(Error::BadModel(
        "the model's logits are not finite: its weights are damaged or were saved in too narrow a type; download or \
         save them again"
            .into(),
    ))
}
