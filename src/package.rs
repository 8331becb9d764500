//! A model package: `config.json` and `model.safetensors` in the layout that timm publishes.
//!
//! Packages are hostile input. The config is read with bounds on every dimension; the weights' header is compared with the plan's tensors
//! before memory for a single tensor is set aside; the file is taken in pieces of any size and each tensor goes to the
//! device as soon as its last byte is there, so that no second copy of the weights exists.

use std::collections::{BTreeMap, VecDeque};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::layers::{Param, bad_model};
use crate::models::{self, Model, Plan};
use crate::preprocess::PreprocessConfig;

/// A config.json larger than this is refused.
pub const MAX_CONFIG_BYTES: usize = 4 << 20;
/// A safetensors header larger than this is refused (the largest vision models need less than 1 MiB).
pub const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Models with more parameters than this are refused: as f32 they would not fit the 4 GiB of a wasm memory beside their activations.
pub const MAX_PARAMETERS: usize = 500_000_000;

/// Whose names a package's tensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// timm's, the default.
    Timm,
    /// torchvision's.
    Torchvision,
}

/// What a package's `config.json` says.
#[derive(Debug, Clone)]
pub struct Config {
    /// timm's architecture name without the tag.
    pub architecture: String,
    /// K
    pub num_classes: usize,
    /// `token`, `avg`, ...; `None` for the architecture's default.
    pub global_pool: Option<String>,
    /// Constructor arguments.
    pub args: Args,
    /// How photos become inputs.
    pub preprocess: PreprocessConfig,
    /// K names, where the package has them.
    pub label_names: Option<Vec<String>>,
    /// What logits are divided by before the softmax that gives probabilities (`temperature`, 1 where absent).
    pub temperature: f64,
    /// Whose names the tensors have (`keys`). The loader takes the other ones where they alone fit.
    pub keys: Keys,
}

impl Config {
    /// Reads config.json.
    ///
    /// # Errors
    /// [`Error::BadModel`] saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_CONFIG_BYTES {
            return bad_model(format!("config.json has {} bytes; the limit is {MAX_CONFIG_BYTES}", text.len()));
        }
        let value: Value = serde_json::from_str(text).map_err(|e| {
            Error::BadModel(format!("config.json is not valid JSON ({e}); use the config.json that timm saved"))
        })?;
        let Some(top) = value.as_object() else {
            return bad_model("config.json is not a JSON object");
        };
        let empty = Value::Object(Map::new());
        // Older files keep the preprocessing at the top level.
        let pretrained =
            top.get("pretrained_cfg").unwrap_or(if top.contains_key("input_size") { &value } else { &empty });
        let Some(name) = top.get("architecture").and_then(Value::as_str) else {
            return bad_model("config.json has no \"architecture\"; only timm's layout is supported");
        };
        let architecture = name.split('.').next().unwrap_or(name).to_owned();
        let mut args = Args(match top.get("model_args") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(args)) => args.clone(),
            Some(_) => return bad_model("config.json: \"model_args\" must be an object"),
        });
        let count = args.0.remove("num_classes");
        let count = count.as_ref().or(top.get("num_classes")).or(pretrained.get("num_classes"));
        let num_classes = match count.map(|v| v.as_u64()) {
            Some(Some(n)) if (1..=1_000_000).contains(&n) => n as usize,
            Some(Some(0)) => {
                return bad_model(format!(
                    "config.json: num_classes is 0; this {architecture} is a feature extractor without classes. Open a \
                     classifier instead"
                ));
            }
            Some(_) => return bad_model("config.json: \"num_classes\" must be a number from 1 to 1,000,000"),
            None => return bad_model("config.json has no \"num_classes\""),
        };
        let described = top.get("global_pool").filter(|pool| !pool.is_null());
        let global_pool = match args.0.remove("global_pool").or(described.cloned()) {
            None => None,
            Some(Value::String(pool)) => Some(pool),
            Some(_) => return bad_model("config.json: \"global_pool\" must be a string"),
        };
        let label_names = match top.get("label_names").or(pretrained.get("label_names")) {
            None | Some(Value::Null) => None,
            Some(Value::Array(names)) => {
                let names: Option<Vec<String>> = names.iter().map(|n| n.as_str().map(str::to_owned)).collect();
                match names {
                    Some(names) if names.len() == num_classes => Some(names),
                    Some(names) => {
                        return bad_model(format!(
                            "config.json has {} label_names for {num_classes} classes",
                            names.len()
                        ));
                    }
                    None => return bad_model("config.json: \"label_names\" must contain only strings"),
                }
            }
            Some(_) => return bad_model("config.json: \"label_names\" must be a list"),
        };
        let temperature = match top.get("temperature").map(Value::as_f64) {
            None => 1.0,
            Some(Some(t)) if (0.01..=100.0).contains(&t) => t,
            Some(_) => return bad_model("config.json: \"temperature\" must be a number from 0.01 to 100"),
        };
        let keys = match top.get("keys").map(|v| v.as_str()) {
            None | Some(Some("timm")) => Keys::Timm,
            Some(Some("torchvision")) => Keys::Torchvision,
            Some(_) => return bad_model("config.json: \"keys\" must be \"timm\" or \"torchvision\""),
        };
        let preprocess = PreprocessConfig::from_pretrained_cfg(pretrained)?;
        Ok(Self { architecture, num_classes, global_pool, args, preprocess, label_names, temperature, keys })
    }

    /// Refuses any pooling but `pool`, which is the architecture's only one.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the other.
    pub fn only_pooled_by(&self, pool: &str) -> Result<()> {
        match self.global_pool.as_deref() {
            None => Ok(()),
            Some(asked) if asked == pool => Ok(()),
            Some(other) => bad_model(format!(
                "config.json: global_pool {other:?} is not supported for {}; only {pool:?} is",
                self.architecture
            )),
        }
    }

    /// The K class names: the package's own, else `fallback` where it has K names, else "class 17".
    pub fn labels(&self, fallback: Option<Vec<String>>) -> Vec<String> {
        let named = self.label_names.clone().or(fallback.filter(|names| names.len() == self.num_classes));
        named.unwrap_or_else(|| (0..self.num_classes).map(|k| format!("class {k}")).collect())
    }
}

/// `model_args`: every argument is taken by name with its bounds; those left over are an error.
///
/// timm opens a package with its arguments as they are: a null is passed on, not taken for an argument that is absent. What that means
/// is the argument's own matter ([`Args::read_null_as`]); most models of timm cannot be made so, and neither are they here.
#[derive(Debug, Clone, Default)]
pub struct Args(Map<String, Value>);

impl Args {
    /// Takes a whole number within `range`.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn integer(&mut self, name: &str, default: usize, range: std::ops::RangeInclusive<usize>) -> Result<usize> {
        let [a, b] = self.pair(name, [default; 2], range)?;
        if a == b {
            Ok(a)
        } else {
            bad_model(format!("config.json: model_args.{name} must be one number, not {a} and {b}"))
        }
    }

    /// Takes a size that timm writes as one number or as a pair [height, width].
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn pair(
        &mut self,
        name: &str,
        default: [usize; 2],
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<[usize; 2]> {
        match self.0.remove(name) {
            None => Ok(default),
            Some(Value::Array(pair)) => match pair.as_slice() {
                [a, b] => Ok([self.checked(name, a.as_u64(), range.clone())?, self.checked(name, b.as_u64(), range)?]),
                _ => bad_model(format!("config.json: model_args.{name} must be a number or a pair")),
            },
            Some(value) => self.checked(name, value.as_u64(), range).map(|v| [v; 2]),
        }
    }

    /// Takes a list of `N` whole numbers within `range`.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn list<const N: usize>(
        &mut self,
        name: &str,
        default: [usize; N],
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<[usize; N]> {
        let list = self.list_of(name, &default, N..=N, range)?;
        Ok(list.try_into().unwrap_or(default))
    }

    /// Takes a list of whole numbers within `range`, as many as `lengths` allows.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn list_of(
        &mut self,
        name: &str,
        default: &[usize],
        lengths: std::ops::RangeInclusive<usize>,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Vec<usize>> {
        match self.0.remove(name) {
            None => Ok(default.to_vec()),
            Some(Value::Array(values)) if lengths.contains(&values.len()) => {
                values.iter().map(|value| self.checked(name, value.as_u64(), range.clone())).collect()
            }
            Some(_) => {
                let (least, most) = (lengths.start(), lengths.end());
                let count = if least == most { format!("{most}") } else { format!("{least} to {most}") };
                bad_model(format!("config.json: model_args.{name} must be a list of {count} numbers"))
            }
        }
    }

    /// Takes a list of `N` whole numbers within `range`, or one number that stands for all.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn list_or_one<const N: usize>(
        &mut self,
        name: &str,
        default: [usize; N],
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<[usize; N]> {
        if self.0.get(name).is_some_and(Value::is_number) {
            return self.integer(name, 0, range).map(|one| [one; N]);
        }
        self.list(name, default, range)
    }

    fn checked(&self, name: &str, value: Option<u64>, range: std::ops::RangeInclusive<usize>) -> Result<usize> {
        match value.and_then(|v| usize::try_from(v).ok()) {
            Some(v) if range.contains(&v) => Ok(v),
            _ => bad_model(format!(
                "config.json: model_args.{name} must be a whole number from {} to {}",
                range.start(),
                range.end()
            )),
        }
    }

    /// Takes a number within `range`.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn number(&mut self, name: &str, default: f64, range: std::ops::RangeInclusive<f64>) -> Result<f64> {
        match self.0.remove(name) {
            None => Ok(default),
            Some(value) => match value.as_f64() {
                Some(v) if range.contains(&v) => Ok(v),
                _ => bad_model(format!(
                    "config.json: model_args.{name} must be a number from {} to {}",
                    range.start(),
                    range.end()
                )),
            },
        }
    }

    /// Takes a truth value; null is false, as in Python.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn boolean(&mut self, name: &str, default: bool) -> Result<bool> {
        match self.0.remove(name) {
            None => Ok(default),
            Some(Value::Bool(b)) => Ok(b),
            Some(Value::Null) => Ok(false),
            Some(_) => bad_model(format!("config.json: model_args.{name} must be true or false")),
        }
    }

    /// Takes a string; `None` where it is absent.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the argument.
    pub fn string(&mut self, name: &str) -> Result<Option<String>> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s)),
            Some(_) => bad_model(format!("config.json: model_args.{name} must be a string")),
        }
    }

    /// The argument as it is given, without taking it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Where an argument is null, puts `value` in its place: what timm takes the null for.
    pub fn read_null_as(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(null @ Value::Null) = self.0.get_mut(name) {
            *null = value.into();
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`] naming an argument that nobody took.
    pub fn finish(self, architecture: &str) -> Result<()> {
        // Dropout rates act in training only.
        let inert =
            ["drop_rate", "drop_path_rate", "proj_drop_rate", "attn_drop_rate", "pos_drop_rate", "patch_drop_rate"];
        match self.0.iter().find(|(name, _)| !inert.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, value)) => Err(Error::UnsupportedArchitecture(format!(
                "{architecture} with model_args.{name} = {value} is not supported"
            ))),
        }
    }
}

/// Tensors on the device, by name, waiting to be taken by a plan.
#[derive(Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, (Vec<usize>, Tensor<1>)>,
}

impl Weights {
    /// Adds a tensor, values row-major.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: Vec<f32>, device: &Device) {
        let length = values.len();
        let flat = Tensor::from_data(TensorData::new(values, [length]), device);
        self.tensors.insert(name.to_owned(), (shape.to_vec(), flat));
    }

    /// Takes a tensor out.
    ///
    /// # Errors
    /// [`Error::BadModel`] where it is missing or has another shape.
    pub fn take<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Tensor<D>> {
        match self.tensors.remove(name) {
            Some((has, flat)) if has == shape => Ok(flat.reshape(shape)),
            Some((has, _)) => bad_model(format!("tensor {name} has shape {has:?}, expected {shape:?}")),
            None => bad_model(format!("tensor {name} is missing")),
        }
    }
}

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
    /// Plans the model that `config` (the text of config.json) asks for. `fallback_labels` name the classes where the
    /// package has no names and their number fits.
    ///
    /// # Errors
    /// [`Error::BadModel`], [`Error::UnsupportedArchitecture`].
    pub fn new(config: &str, fallback_labels: Option<Vec<String>>, device: &Device) -> Result<Self> {
        let mut config = Config::parse(config)?;
        let plan = models::plan(&config)?;
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
                    "tensor {name} takes {size} bytes, but a kernel of this device accepts {bytes} at most; use the \
                     CPU or a smaller model"
                )));
            }
        }
        Ok(())
    }

    /// Takes the next piece of model.safetensors.
    ///
    /// # Errors
    /// [`Error::BadModel`] as soon as it can be known, naming the tensors that are missing, extra or misshaped.
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
                    let Ok(plan) = models::plan(&config) else { return Err(error) };
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
                        entry.name, entry.bytes
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
    // `Metadata` checks on reading that the tensors follow each other without gaps and that sizes and shapes agree.
    let metadata: Metadata = serde_json::from_slice(header)
        .map_err(|e| Error::BadModel(format!("the safetensors header of the weights is damaged: {e}")))?;
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
                wrong.push(format!("{name} has shape {:?}, expected {shape:?}", info.shape));
            }
            Some(_) if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) => {
                wrong.push(format!("{name} has type {:?}, expected F32, F16 or BF16", info.dtype));
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
        .map(|(what, names)| {
            let shown = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
            format!("{} {what}: {shown}{more}", names.len())
        })
        .collect();
    if !problems.is_empty() {
        return bad_model(format!(
            "the weights do not match {} as config.json describes it; {}",
            config.architecture,
            problems.join("; ")
        ));
    }
    // Empty tensors share their offset with the next one.
    entries.sort_by_key(|(begin, entry)| (*begin, entry.bytes));
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn to_f32(bytes: &[u8], dtype: Dtype) -> Vec<f32> {
    let halves = bytes.as_chunks::<2>().0.iter();
    match dtype {
        Dtype::F16 => halves.map(|&b| half::f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => halves.map(|&b| half::bf16::from_le_bytes(b).to_f32()).collect(),
        _ => bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
    }
}
