//! What a method says of itself: pickers, option controls, types, tables and contract tests are
//! made from it.

use serde::Serialize;

use crate::ask::fill::Baseline;
use crate::error::{Error, Result};
use crate::methods::METHODS;
use crate::methods::output::Space;
use crate::nn::model::{Feature, ModelSpec};

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
pub enum ChannelReduction {
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
    Integer { default: Option<u32>, min: u32, max: u32 },
    /// A number.
    Number { default: f64, min: f64, max: f64 },
    /// One of some words.
    Choice {
        default: &'static str,
        /// All of them.
        choices: &'static [&'static str],
    },
    /// Yes or no.
    Boolean { default: bool },
    /// A reference picture: one of [`Baseline::CHOICES`] or a tensor `{ data, shape }` as fed to
    /// the model.
    Baseline {
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
    pub channels: ChannelReduction,
    /// Whether the map is the same for every class.
    pub class_free: bool,
    /// Whether it draws random numbers.
    pub random: bool,
    /// What it needs from a pass and from the model.
    pub needs: &'static [Need],
    /// Whether the request may name layers.
    pub reads: Reads,
    /// Whether it shows estimates, and stopping keeps the last one; else stopping is refused.
    pub estimates: bool,
    /// Its options, apart from `target`, `output` and, if it reads one, `layer`.
    pub options: &'static [OptionSpec],
}

impl MethodSpec {
    /// What a group's base begins with: a signed map that asks about the class, from gradients. The
    /// texts are each method's own.
    pub const fn base(group: Group, space: Space, shape: &'static str) -> Self {
        Self {
            id: "",
            name: "",
            group,
            summary: "",
            caveat: "",
            citation: "",
            arxiv: "",
            equation: "",
            cost: "",
            space,
            shape,
            sign: Sign::Signed,
            channels: ChannelReduction::None,
            class_free: false,
            random: false,
            needs: &[Need::Gradients],
            reads: Reads::Input,
            estimates: false,
            options: &[],
        }
    }

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
