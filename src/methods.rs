//! What an attribution method is, the registry of methods, and the reading of their options.

use std::collections::BTreeMap;
use std::pin::Pin;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::baseline::Baseline;
use crate::error::{Error, Result};
use crate::explainer::{Context, Warning};
use crate::models::{Feature, ModelSpec};

/// Where an attribution lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// On a layer's grid.
    Layer,
    /// On the input's pixels.
    Input,
}

/// Whether an attribution has a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Positive values support the target, negative ones oppose it.
    Signed,
    /// Magnitudes.
    Positive,
}

/// How channels are reduced for painting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// There are none.
    None,
    /// By their sum.
    Sum,
    /// By their largest magnitude.
    MaxAbs,
}

/// What a method needs from a pass and from the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A backward pass.
    Gradients,
    /// Attention between tokens, and its maps.
    Attention,
    /// An image divided into superpixels.
    Superpixels,
    /// ReLU or ReLU6 as the only activation function outside gates.
    Rectifiers,
    /// Only convolutions, linear layers, pooling, sums and concatenations: no attention, layer
    /// norms or gates.
    PlainConvolutions,
}

impl Need {
    /// What the model lacks of it, in words.
    fn lacking(self, model: &ModelSpec) -> Option<&'static str> {
        use Feature::*;
        let any = |features: &[Feature]| features.iter().any(|f| model.features.contains(f));
        match self {
            Self::Gradients | Self::Superpixels => None,
            Self::Attention => model.attention.is_none().then_some("it reads attention, which only transformers have"),
            Self::Rectifiers => (!any(&[Rectifier]) || any(&[SmoothActivation])).then_some(
                "its rule is defined only for ReLU and ReLU6, and this model has other activation functions",
            ),
            Self::PlainConvolutions => any(&[Attention, LayerNorm, Gate]).then_some(
                "its rules are defined only for convolutions, linear layers and pooling, and this model has attention, \
                 layer norms or gates",
            ),
        }
    }
}

/// What a method is made of, for grouping in pickers and tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A weighted sum of a layer's channels.
    Cam,
    /// Gradients at the input, and their means.
    Gradient,
    /// Gradients along a path from a baseline.
    Path,
    /// The score passed back layer by layer.
    Relevance,
    /// Scores of changed images.
    BlackBox,
    /// Attention between tokens.
    Transformer,
    /// Objects without labels.
    Discovery,
}

/// How many layers a method reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// Only the input; the request names no layer.
    Input,
    /// One layer, `layer: "id"`.
    Layer,
    /// One layer, or several at once, `layer: ["id", ..]` or `"all"`.
    Layers,
}

/// An option's type, range and default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Kind {
    /// A whole number; a default of `None` means that the device, the model or the input decides.
    Integer {
        /// Default.
        default: Option<u32>,
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
    /// A number.
    Number {
        /// Default.
        default: f64,
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// One of some words.
    Choice {
        /// Default.
        default: &'static str,
        /// All of them.
        choices: &'static [&'static str],
    },
    /// Yes or no.
    Boolean {
        /// Default.
        default: bool,
    },
    /// A reference picture: one of [`Baseline::CHOICES`] or a tensor `{ data, shape }` as fed to the model.
    Baseline {
        /// Default.
        default: &'static str,
        /// The named ones: [`Baseline::CHOICES`].
        choices: &'static [&'static str],
        /// Whether a list of them may be given.
        many: bool,
    },
    /// Numbers `{ data, shape }` in place of what the method would draw itself; absent by default.
    Tensor {
        /// The axes, in words.
        shape: &'static str,
    },
}

/// The option of every method that draws random numbers.
pub const SEED: OptionSpec = OptionSpec {
    id: "seed",
    kind: Kind::Integer { default: Some(0), min: 0, max: u32::MAX },
    unit: None,
    help: "the same seed gives the same map",
};

/// The option of every method that works in chunks.
pub const CHUNK_SIZE: OptionSpec = OptionSpec {
    id: "chunkSize",
    kind: Kind::Integer { default: None, min: 1, max: 64 },
    unit: Some("inputs"),
    help: "inputs per pass; changes speed and memory, never the map",
};

/// The baseline image of methods that compare with one; used with [`BLUR_SIGMA`] and [`SEED`].
pub const BASELINE: OptionSpec = OptionSpec {
    id: "baseline",
    kind: Kind::Baseline { default: "mean", choices: Baseline::CHOICES, many: false },
    unit: None,
    help: "the baseline image",
};

/// The width of the blur baseline.
pub const BLUR_SIGMA: OptionSpec = OptionSpec {
    id: "blurSigma",
    kind: Kind::Number { default: 10.0, min: 0.1, max: 100.0 },
    unit: Some("input pixels"),
    help: "standard deviation of the blur that makes the blur baseline",
};

/// An option of a method.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionSpec {
    /// camelCase, as in the JS API.
    pub id: &'static str,
    /// Type, range, default.
    #[serde(flatten)]
    pub kind: Kind,
    /// Unit, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// One line.
    pub help: &'static str,
}

/// A method's description, from which pickers, types, tables and contract tests are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodSpec {
    /// snake_case name of the paper.
    pub id: &'static str,
    /// As people write it.
    pub name: &'static str,
    /// What it is made of.
    pub group: Group,
    /// What it asks, in one sentence.
    pub summary: &'static str,
    /// The failure to watch for, in one sentence.
    pub caveat: &'static str,
    /// Authors and year.
    pub citation: &'static str,
    /// arXiv id, or a DOI if the paper is not on arXiv.
    pub arxiv: &'static str,
    /// The equation, in plain text.
    pub equation: &'static str,
    /// The passes it takes, in words.
    pub cost: &'static str,
    /// Where the result lives.
    pub space: Space,
    /// The result's shape.
    pub shape: &'static str,
    /// Whether the result has a sign.
    pub sign: Sign,
    /// How channels are reduced for painting.
    pub channels: Channels,
    /// Whether the map is the same for every class.
    pub class_free: bool,
    /// Whether it draws random numbers.
    pub random: bool,
    /// What it needs from a pass and from the model.
    pub needs: &'static [Need],
    /// Whether the request may name layers.
    pub reads: Reads,
    /// Whether it shows estimates, and stopping keeps the last one.
    pub estimates: bool,
    /// Its options, apart from `target`, `output` and, if it reads one, `layer`.
    pub options: &'static [OptionSpec],
}

impl MethodSpec {
    /// Whether the method works on a model.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with the reason and the methods that do work.
    pub fn supports(&self, model: &ModelSpec) -> Result<()> {
        let Some(reason) = self.needs.iter().find_map(|need| need.lacking(model)) else { return Ok(()) };
        let mut working: Vec<&MethodSpec> = METHODS.iter().map(|m| m.spec).filter(|m| m.works_on(model)).collect();
        working.sort_by_key(|m| m.group != self.group);
        let working: Vec<&str> = working.into_iter().map(|m| m.id).collect();
        Err(Error::Unsupported(format!(
            "{} does not work on {}: {reason}; these do: {}",
            self.id,
            model.architecture,
            working.join(", ")
        )))
    }

    /// Whether the method works on a model.
    pub fn works_on(&self, model: &ModelSpec) -> bool {
        self.needs.iter().all(|need| need.lacking(model).is_none())
    }
}

/// One layer's map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerMap {
    /// The layer.
    pub id: String,
    /// `[h, w]`
    pub shape: [usize; 2],
    /// Row-major, raw.
    #[serde(skip)]
    pub values: Vec<f32>,
}

/// What a method computes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// Row-major.
    pub values: Vec<f32>,
    /// Their shape.
    pub shape: Vec<usize>,
    /// For methods with that axiom.
    pub completeness: Option<Completeness>,
    /// If several layers were requested, the map of each.
    pub layers: Vec<LayerMap>,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
    /// Further findings; the method's documentation describes them.
    pub details: Option<Value>,
}

impl Output {
    /// A map and nothing else.
    pub fn new(values: Vec<f32>, shape: impl Into<Vec<usize>>) -> Self {
        Self { values, shape: shape.into(), ..Self::default() }
    }
}

/// How well an attribution adds up to the score difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completeness {
    /// F(x')
    pub baseline_score: f64,
    /// F(x)
    pub score: f64,
    /// Sum of the attribution.
    pub sum: f64,
    /// sum - (F(x) - F(x')).
    pub delta: f64,
}

/// A future that stays on its thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A method: description and computation.
#[derive(Clone, Copy)]
pub struct Method {
    /// Its description.
    pub spec: &'static MethodSpec,
    /// Its computation.
    pub run: for<'a> fn(&'a Context<'a>) -> LocalFuture<'a, Result<Output>>,
}

macro_rules! methods {
    ($($method:ident),* $(,)?) => {
        $(pub mod $method;)*
        /// Every attribution method.
        pub static METHODS: &[Method] = &[$(Method { spec: &$method::SPEC, run: |context| Box::pin($method::run(context)) }),*];
    };
}

// One line per method.
methods! {
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
    xgrad_cam,
    norm_grad,
    eigen_cam,
    eigen_grad_cam,
    score_cam,
    ablation_cam,
    saliency,
    input_x_gradient,
    smooth_grad,
    smooth_grad_sq,
    var_grad,
    guided_backprop,
    guided_grad_cam,
    integrated_gradients,
    blur_ig,
    guided_ig,
    xrai,
    lrp,
    deep_lift,
    salient_relevance,
    attention_rollout,
    chefer,
    raw_attention,
    token_cut,
    occlusion,
    rise,
    lime,
    kernel_shap,
}

/// The method with this id.
///
/// # Errors
/// [`Error::BadOption`] naming those that exist.
pub fn find(id: &str) -> Result<&'static Method> {
    METHODS.iter().find(|m| m.spec.id == id).ok_or_else(|| {
        let known: Vec<&str> = METHODS.iter().map(|m| m.spec.id).collect();
        Error::BadOption(format!("method: there is no {id:?}; choose one of {}", known.join(", ")))
    })
}

/// Numbers in a request, `{ data, shape }`.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenTensor {
    /// Row-major, finite.
    pub data: Vec<f32>,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl GivenTensor {
    /// At most so many numbers come in a request.
    const LIMIT: usize = 1 << 27;

    fn read(value: &Value) -> Option<Self> {
        let fields = value.as_object().filter(|fields| fields.len() == 2)?;
        let list = fields.get("data")?.as_array()?;
        let axes = fields.get("shape")?.as_array()?;
        let shape: Vec<usize> = axes
            .iter()
            .map(|n| {
                n.as_f64().filter(|n| n.fract() == 0.0 && (1.0..=Self::LIMIT as f64).contains(n)).map(|n| n as usize)
            })
            .collect::<Option<_>>()?;
        let count = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n).filter(|&all| all <= Self::LIMIT))?;
        if shape.is_empty() || shape.len() > 6 || list.len() != count {
            return None;
        }
        let data =
            list.iter().map(|v| v.as_f64().map(|v| v as f32).filter(|v| v.is_finite())).collect::<Option<_>>()?;
        Some(Self { data, shape })
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Given {
    Integer(Option<u32>),
    Number(f64),
    Choice(&'static str),
    Boolean(bool),
    Baselines(Vec<Reference>),
    Tensor(Option<GivenTensor>),
}

/// A baseline image as a request names it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reference {
    /// One of [`Baseline::CHOICES`].
    Named(&'static str),
    /// As fed to the model.
    Given(GivenTensor),
}

impl Reference {
    fn read(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some(id) => Baseline::CHOICES.iter().find(|c| **c == id).map(|c| Self::Named(c)),
            None => GivenTensor::read(value).map(Self::Given),
        }
    }
}

/// A request's options, checked against the method's description.
#[derive(Debug, Clone, Default)]
pub struct Options(BTreeMap<&'static str, Given>);

impl Options {
    /// Reads the rest of a request; absent options take their defaults.
    ///
    /// # Errors
    /// [`Error::BadOption`] naming the option that is unknown or out of range.
    pub fn parse(spec: &MethodSpec, mut given: Map<String, Value>) -> Result<Self> {
        let mut options = BTreeMap::new();
        for option in spec.options {
            let value = given.remove(option.id).filter(|v| !v.is_null());
            let bad = |expected: String| {
                Error::BadOption(format!("{} must be {expected}; got {}", option.id, brief(value.as_ref())))
            };
            let read = match option.kind {
                Kind::Integer { default, min, max } => Given::Integer(match &value {
                    None => default,
                    Some(v) => Some(
                        v.as_f64()
                            .filter(|v| v.fract() == 0.0 && *v >= f64::from(min) && *v <= f64::from(max))
                            .map(|v| v as u32)
                            .ok_or_else(|| bad(format!("a whole number from {min} to {max}")))?,
                    ),
                }),
                Kind::Number { default, min, max } => Given::Number(match &value {
                    None => default,
                    Some(v) => v
                        .as_f64()
                        .filter(|v| (min..=max).contains(v))
                        .ok_or_else(|| bad(format!("a number from {min} to {max}")))?,
                }),
                Kind::Choice { default, choices } => Given::Choice(match &value {
                    None => default,
                    Some(v) => choices
                        .iter()
                        .find(|c| Some(**c) == v.as_str())
                        .ok_or_else(|| bad(format!("one of {}", choices.join(", "))))?,
                }),
                Kind::Boolean { default } => Given::Boolean(match &value {
                    None => default,
                    Some(v) => v.as_bool().ok_or_else(|| bad("true or false".into()))?,
                }),
                Kind::Baseline { default, many, .. } => Given::Baselines(match &value {
                    None => vec![Reference::Named(default)],
                    Some(Value::Array(list)) if many && (1..=16).contains(&list.len()) => {
                        list.iter().map(Reference::read).collect::<Option<_>>().ok_or_else(|| bad(reference(many)))?
                    }
                    Some(v) => vec![Reference::read(v).ok_or_else(|| bad(reference(many)))?],
                }),
                Kind::Tensor { shape } => Given::Tensor(match &value {
                    None => None,
                    Some(v) => Some(
                        GivenTensor::read(v)
                            .ok_or_else(|| bad(format!("a tensor {{ data, shape }} of {shape} with finite values")))?,
                    ),
                }),
            };
            options.insert(option.id, read);
        }
        match given.keys().next() {
            None => Ok(Self(options)),
            Some(unknown) => {
                let known: Vec<&str> = spec.options.iter().map(|o| o.id).collect();
                Err(Error::BadOption(format!(
                    "{unknown}: {} has no such option; its options are: {}",
                    spec.id,
                    known.join(", ")
                )))
            }
        }
    }

    /// Whether the method describes the option.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    fn get(&self, id: &str) -> Result<&Given> {
        self.0.get(id).ok_or_else(|| Error::Internal(format!("the method does not describe its option {id:?}")))
    }

    /// A whole number; `None` if none is given and there is no default.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method does not describe the option.
    pub fn integer(&self, id: &str) -> Result<Option<usize>> {
        match self.get(id)? {
            Given::Integer(v) => Ok(v.map(|v| v as usize)),
            _ => Err(Error::Internal(format!("option {id:?} is not a whole number"))),
        }
    }

    /// A whole number that has a default.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method does not describe the option.
    pub fn count(&self, id: &str) -> Result<usize> {
        self.integer(id)?.ok_or_else(|| Error::Internal(format!("option {id:?} has no default")))
    }

    /// Yes or no.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method does not describe the option.
    pub fn boolean(&self, id: &str) -> Result<bool> {
        match self.get(id)? {
            Given::Boolean(v) => Ok(*v),
            _ => Err(Error::Internal(format!("option {id:?} is not a boolean"))),
        }
    }

    /// Baseline images, at least one.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method does not describe the option.
    pub fn references(&self, id: &str) -> Result<&[Reference]> {
        match self.get(id)? {
            Given::Baselines(v) => Ok(v),
            _ => Err(Error::Internal(format!("option {id:?} is not a baseline image"))),
        }
    }

    /// Numbers to use instead of drawing them, in the shape that the method expects.
    ///
    /// # Errors
    /// [`Error::BadOption`] where the shape is another; [`Error::Internal`] where the method does not describe the option.
    pub fn tensor(&self, id: &str, fits: impl Fn(&[usize]) -> bool, expected: &str) -> Result<Option<&GivenTensor>> {
        match self.get(id)? {
            Given::Tensor(Some(v)) if !fits(&v.shape) => {
                Err(Error::BadOption(format!("{id}: its shape must be {expected}; got {:?}", v.shape)))
            }
            Given::Tensor(v) => Ok(v.as_ref()),
            _ => Err(Error::Internal(format!("option {id:?} is not a tensor"))),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method does not describe the option.
    pub fn number(&self, id: &str) -> Result<f64> {
        match self.get(id)? {
            Given::Number(v) => Ok(*v),
            _ => Err(Error::Internal(format!("option {id:?} is not a number"))),
        }
    }

    /// A word.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method does not describe the option.
    pub fn choice(&self, id: &str) -> Result<&'static str> {
        match self.get(id)? {
            Given::Choice(v) => Ok(v),
            _ => Err(Error::Internal(format!("option {id:?} is not a choice"))),
        }
    }
}

fn reference(many: bool) -> String {
    let one = format!("one of {} or a tensor {{ data, shape }} as fed to the model", Baseline::CHOICES.join(", "));
    if many { format!("{one}, or a list of up to 16 of these") } else { one }
}

/// A value as an error message quotes it.
fn brief(value: Option<&Value>) -> String {
    let text = value.map(Value::to_string).unwrap_or_default();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
