//! A model package, `config.json` and `model.safetensors`, becomes a model on a device.
//!
//! The file is taken in pieces of any size and each tensor goes to the device as soon as its last
//! byte is there, so that no second copy of the weights exists.

#![warn(clippy::indexing_slicing)]

use std::collections::{BTreeMap, VecDeque};

use burn::tensor::Device;
use safetensors::Dtype;

use crate::device::{is_cpu, kept_beside};
use crate::error::{Error, Result, bad_model, quote, quote_list};
use crate::nn::families;
use crate::nn::model::{Model, Plan};
use crate::nn::weights::{Param, Weights};
use crate::package::dtype::to_f32;
use crate::package::limits::{MAX_HEADER_BYTES, MAX_PARAMETERS, MAX_VALUES};
use crate::package::{Config, Keys, json};
use crate::photo::preprocess::PreprocessConfig;

/// A loaded package.
pub struct Package {
    /// The model, its weights on the device.
    pub model: Box<dyn Model>,
    /// How photos become inputs.
    pub preprocess: PreprocessConfig,
    /// K class names.
    pub labels: Vec<String>,
    /// What logits are divided by before the softmax that gives probabilities.
    pub temperature: f64,
    /// Number of parameters.
    pub parameters: usize,
}

struct Entry {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: usize,
    /// Counters of the training and what the plan ignores: read past.
    skipped: bool,
}

/// Reads a package whose weights arrive in pieces.
pub struct Loader {
    config: Config,
    plan: Box<dyn Plan>,
    labels: Vec<String>,
    parameters: usize,
    device: Device,
    weights: Weights,
    header: Option<VecDeque<Entry>>,
    buffer: Vec<u8>,
}

impl Loader {
    /// Plans the model that `config` (the text of config.json) asks for. `fallback_labels` name the
    /// classes where the package has no names and their number fits.
    ///
    /// # Errors
    /// [`Error::BadModel`], [`Error::UnsupportedArchitecture`]; [`Error::OutOfMemory`] where the
    /// device cannot hold it.
    pub fn new(config: &str, fallback_labels: Option<Vec<String>>, device: &Device) -> Result<Self> {
        let mut config = Config::parse(config)?;
        let plan = families::plan(&config)?;
        // A size in model_args comes before pretrained_cfg's, as in timm.
        config.preprocess.input_size = plan.spec().input_size;
        let mut parameters = 0usize;
        for param in plan.params() {
            if param.name.ends_with("running_mean") || param.name.ends_with("running_var") {
                continue; // statistics, no parameters
            }
            let size = param.shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
            parameters = parameters.saturating_add(size.unwrap_or(usize::MAX));
        }
        if parameters > MAX_PARAMETERS {
            return bad_model(format!(
                "config.json asks for a model of {parameters} parameters; the limit is {MAX_PARAMETERS}, because \
                 WebAssembly has 4 GiB of memory"
            ));
        }
        if is_cpu(device) {
            let size = |param: &Param| param.shape.iter().fold(1usize, |size, &axis| size.saturating_mul(axis));
            let held = |param: &Param| size(param).saturating_add(kept_beside(&param.shape));
            let values = plan.params().iter().fold(0usize, |sum, param| sum.saturating_add(held(param)));
            if values > MAX_VALUES {
                return Err(Error::OutOfMemory(format!(
                    "this model's {parameters} parameters become {values} values on the CPU, whose kernels keep a \
                     second copy of most of them; the limit is {MAX_VALUES}, because WebAssembly has 4 GiB of memory: \
                     use WebGPU or open a smaller model"
                )));
            }
        }
        Ok(Self {
            labels: config.labels(fallback_labels),
            config,
            plan,
            parameters,
            device: device.clone(),
            weights: Weights::default(),
            header: None,
            buffer: Vec::new(),
        })
    }

    /// Checks that no tensor takes more than `bytes` on the device, where all are f32.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] naming one that does.
    pub fn fits(&self, bytes: u64) -> Result<()> {
        for Param { name, shape } in self.plan.params() {
            let size = shape.iter().fold(4u64, |size, &axis| size.saturating_mul(axis as u64));
            if size > bytes {
                return Err(Error::OutOfMemory(format!(
                    "tensor {} takes {size} bytes, but a kernel of this device accepts {bytes} at most; use the CPU \
                     or a smaller model",
                    quote(&name)
                )));
            }
        }
        Ok(())
    }

    /// Takes the next piece of model.safetensors.
    ///
    /// # Errors
    /// [`Error::BadModel`] as soon as it can be known, naming the tensors that are missing, extra
    /// or misshaped.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<()> {
        if self.header.is_none() {
            self.buffer.extend_from_slice(piece);
            let Some(prefix) = self.buffer.first_chunk::<8>() else { return Ok(()) };
            let length = u64::from_le_bytes(*prefix);
            if length > MAX_HEADER_BYTES || self.buffer.get(8).is_some_and(|&b| b != b'{') {
                return bad_model("the weights are not a safetensors file (the header's length is impossible)");
            }
            let end = 8 + length as usize;
            let Some(header) = self.buffer.get(8..end) else { return Ok(()) };
            let entries = match read_header(&self.config, &*self.plan, header) {
                Ok(entries) => entries,
                Err(error) => {
                    let keys = match self.config.keys {
                        Keys::Timm => Keys::Torchvision,
                        Keys::Torchvision => Keys::Timm,
                    };
                    let config = Config { keys, ..self.config.clone() };
                    let Ok(plan) = families::plan(&config) else { return Err(error) };
                    let Ok(entries) = read_header(&config, &*plan, header) else { return Err(error) };
                    (self.config, self.plan) = (config, plan);
                    entries
                }
            };
            self.header = Some(entries);
            let rest = self.buffer.split_off(end);
            self.buffer = Vec::new();
            return self.feed(&rest);
        }
        loop {
            let Some(entry) = self.header.as_ref().and_then(VecDeque::front) else {
                return if piece.is_empty() {
                    Ok(())
                } else {
                    bad_model("the weights file is longer than its header says; download it again")
                };
            };
            let wanted = entry.bytes - self.buffer.len();
            if self.buffer.is_empty() && entry.bytes > 0 {
                self.buffer.try_reserve_exact(entry.bytes).map_err(|_| {
                    Error::OutOfMemory(format!(
                        "there is not enough memory for tensor {} ({} bytes); open a smaller model",
                        quote(&entry.name),
                        entry.bytes
                    ))
                })?;
            }
            let (now, later) = piece.split_at(wanted.min(piece.len()));
            self.buffer.extend_from_slice(now);
            piece = later;
            if now.len() < wanted {
                return Ok(());
            }
            let bytes = std::mem::take(&mut self.buffer);
            if let Some(entry) = self.header.as_mut().and_then(VecDeque::pop_front)
                && !entry.skipped
            {
                let values = to_f32(&bytes, entry.dtype);
                drop(bytes);
                self.weights.insert(&entry.name, &entry.shape, values, &self.device);
            }
        }
    }

    /// Builds the model.
    ///
    /// # Errors
    /// [`Error::BadModel`] where the file ended early.
    pub fn finish(mut self) -> Result<Package> {
        match &self.header {
            Some(entries) if entries.is_empty() => (),
            _ => return bad_model("the weights file is truncated; download it again"),
        }
        let model = self.plan.build(&mut self.weights)?;
        let Self { config, labels, parameters, .. } = self;
        Ok(Package { model, preprocess: config.preprocess, labels, temperature: config.temperature, parameters })
    }
}

/// Checks the header against the plan; the entries in file order.
fn read_header(config: &Config, plan: &dyn Plan, header: &[u8]) -> Result<VecDeque<Entry>> {
    let metadata = json::header(header)?;
    let mut wanted: BTreeMap<String, Vec<usize>> =
        plan.params().into_iter().map(|Param { name, shape }| (name, shape)).collect();
    let mut entries: Vec<(usize, Entry)> = Vec::new();
    let (mut extra, mut wrong) = (Vec::new(), Vec::new());
    for (name, info) in metadata.tensors() {
        let (begin, end) = info.data_offsets;
        let skipped = name.ends_with("num_batches_tracked") || plan.ignores(&name);
        match wanted.remove(&name) {
            _ if skipped => (),
            None => extra.push(name.clone()),
            Some(shape) if shape != info.shape => {
                let has = quote(format_args!("{:?}", info.shape));
                wrong.push(format!("{} has shape {has}, expected {shape:?}", quote(&name)));
            }
            Some(_) if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) => {
                wrong.push(format!("{} has type {:?}, expected F32, F16 or BF16", quote(&name), info.dtype));
            }
            Some(_) => (),
        }
        let shape = info.shape.clone();
        entries.push((begin, Entry { name, shape, dtype: info.dtype, bytes: end - begin, skipped }));
    }
    let missing: Vec<String> = wanted.into_keys().collect();
    extra.sort();
    wrong.sort();
    let problems: Vec<String> = [("missing", missing), ("unexpected", extra), ("of the wrong shape or type", wrong)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{} {what}: {}", names.len(), quote_list(names.iter(), 200)))
        .collect();
    if !problems.is_empty() {
        return bad_model(format!(
            "the weights do not match {} as config.json describes it; {}",
            quote(&config.architecture),
            problems.join("; ")
        ));
    }
    // Empty tensors share their offset with the next one.
    entries.sort_by_key(|(begin, entry)| (*begin, entry.bytes));
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}
