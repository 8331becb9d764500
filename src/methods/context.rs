//! What a method may use.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

use crate::ask::control::Run;
use crate::ask::fill::Baseline;
use crate::ask::warning::{PARTIAL, Warning};
use crate::device::is_cpu;
use crate::error::{Error, Result};
use crate::methods::options::{Options, Reference};
use crate::methods::predicted::Predicted;
use crate::nn::model::{Layer, Model, ModelSpec};
use crate::nn::target::Target;
use crate::photo::preprocess::PreprocessConfig;

/// What a method may use: the image's prediction, the model, the request, and a device that is only
/// ever awaited.
pub struct Context<'a> {
    pub(crate) model: &'a dyn Model,
    pub(crate) preprocess: &'a PreprocessConfig,
    pub(crate) device: &'a Device,
    pub(crate) predicted: &'a Predicted,
    pub(crate) target: Target,
    pub(crate) layers: Vec<Layer>,
    pub(crate) options: Options,
    pub(crate) run: &'a Run<'a>,
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
    /// Those of [`Context::breathe`].
    pub async fn progress(&self, done: usize, total: usize) -> Result<()> {
        self.run.control.progress(done, total);
        if done < total { self.run.breathe().await } else { self.run.last_breath().await }
    }

    /// Gives an abort the chance to arrive within work that is no pass. Awaited every few
    /// milliseconds, so that no stretch is long.
    ///
    /// # Errors
    /// [`Error::Aborted`]; [`Error::Unsupported`] where the caller wants to stop a method that has
    /// nothing to show before its end.
    pub async fn breathe(&self) -> Result<()> {
        self.run.breathe().await
    }

    /// Inputs per pass that begins before `stage`: `asked`, or what keeps a chunk short on this
    /// device.
    fn chunk_size_from(&self, stage: usize, asked: Option<usize>) -> usize {
        // A chunk is the unit of progress and of cancelling: about 100 ms on the CPU; a GPU wants
        // larger ones.
        let budget = if is_cpu(self.device) { 5e8 } else { 4e9 };
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
        // All but the last are of one size, so that the peak of memory does not depend on how many
        // there are.
        let size = self.chunk_size_from(stage, asked).clamp(1, total.max(1));
        Ok((0..total).step_by(size).map(|first| first..(first + size).min(total)).collect())
    }

    /// The baseline images that the options `baseline`, `blurSigma` and `seed` describe, each `[C,
    /// H, W]` as fed to the model.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a tensor of another shape; those of [`Context::breathe`].
    pub async fn references(&self) -> Result<Vec<Vec<f32>>> {
        let shape = self.spec().input_size;
        let sigma = if self.options.has("blurSigma") { self.options.number("blurSigma")? } else { 10.0 };
        let seed = if self.options.has("seed") { self.options.count("seed")? as u64 } else { 0 };
        let mut pictures = Vec::new();
        for reference in self.options.references("baseline")? {
            pictures.push(match reference {
                Reference::Named(id) => {
                    let baseline = Baseline::from_id(id, sigma, seed)
                        .ok_or_else(|| Error::Internal(format!("there is no baseline {id}")))?;
                    let breathe = async || self.breathe().await;
                    baseline.of(self.input(), shape, self.preprocess, &breathe).await?
                }
                Reference::Given(given) if given.shape == shape => given.data.clone(),
                Reference::Given(given) => {
                    return Err(Error::BadOption(format!(
                        "baseline: the model takes a tensor of shape {shape:?}; got {:?}",
                        given.shape
                    )));
                }
            });
        }
        Ok(pictures)
    }

    /// Whether the caller wants to stop and keep what there is so far. Methods without
    /// [`estimates`](crate::methods::MethodSpec::estimates) need not ask: they are refused it.
    pub fn stopped(&self) -> bool {
        self.run.control.stopped()
    }

    /// The warning that a stopped method adds to its output.
    pub fn stopped_after(&self, done: usize, total: usize) -> Warning {
        PARTIAL.with([("done", done as f64), ("total", total as f64)])
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

    /// The target: what makes a score of logits.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

pub(crate) fn upload(input: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(input.to_vec(), [1, c, h, w]), device)
}

pub(crate) async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor
        .into_data_async()
        .await
        .map_err(|e| Error::DeviceLost(format!("the device stopped responding: {e}; try again to restart it")))?;
    data.try_into_vec::<f32>().map_err(|e| Error::Internal(format!("the device did not return f32 values: {e}")))
}
