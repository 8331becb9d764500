//! The registry of model families: one file per family, one line in [`FAMILIES`].

pub mod alexnet;
pub mod convnext;
pub mod deit;
pub mod densenet;
pub mod dinov2;
pub mod efficientnet;
pub mod inception_resnet_v2;
pub mod inception_v3;
mod inverted_residual;
pub mod mobilenet_v2;
pub mod mobilenet_v3;
pub mod regnety;
pub mod resnet;
pub mod squeezenet;
pub mod vgg;
pub mod vit;

use serde::Serialize;

use crate::error::{Error, Result, bad_model, quote};
use crate::nn::model::Plan;
use crate::nn::weights::Param;
use crate::package::Config;

/// A family of architectures.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Family {
    /// snake_case, like the file.
    pub id: &'static str,
    /// As people write it.
    pub title: &'static str,
    /// The architectures' names, alternatives in braces as in a shell.
    pub names: &'static [&'static str],
    /// The default layer of CAM methods, in words.
    pub default_layer: &'static str,
    /// The libraries that its results are compared with.
    pub checked_against: &'static str,
    /// Describes the model that a package's config asks for.
    #[serde(skip)]
    pub plan: fn(&Config) -> Result<Box<dyn Plan>>,
}

impl Family {
    /// Every architecture's name.
    pub fn architectures(&self) -> Vec<String> {
        self.names.iter().flat_map(|pattern| expand(pattern)).collect()
    }
}

/// `a{b,c}d` as `abd`, `acd`.
fn expand(pattern: &str) -> Vec<String> {
    let parts = pattern.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?)));
    let Some((head, (choices, tail))) = parts else { return vec![pattern.to_owned()] };
    let tails = expand(tail);
    choices.split(',').flat_map(|choice| tails.iter().map(move |tail| format!("{head}{choice}{tail}"))).collect()
}

macro_rules! families {
    ($($family:ident),* $(,)?) => {
        &[$($family::FAMILY),*]
    };
}

/// Every model family, one line each; where a file without config.json fits several, the earlier is
/// taken.
#[rustfmt::skip]
pub static FAMILIES: &[Family] = families![
    alexnet,
    convnext,
    densenet,
    efficientnet,
    inception_resnet_v2,
    inception_v3,
    mobilenet_v2,
    mobilenet_v3,
    regnety,
    resnet,
    squeezenet,
    vgg,
    vit,
    deit,
    dinov2,
];

/// The plan for a package.
///
/// # Errors
/// [`Error::UnsupportedArchitecture`] naming the nearest names where no family has this one;
/// [`Error::BadModel`] where the config contradicts itself.
pub fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let asked = config.architecture.as_str();
    match FAMILIES.iter().find(|f| f.architectures().iter().any(|name| name == asked)) {
        Some(family) => {
            let plan = (family.plan)(config)?;
            check_sizes(&*plan)?;
            Ok(plan)
        }
        None => Err(Error::UnsupportedArchitecture(format!(
            "architecture \"{}\" is not supported; the nearest supported ones are {}",
            quote(asked),
            nearest(asked).join(", ")
        ))),
    }
}

/// Refuses a plan in which a size that follows from the config's numbers came out as 0: every one
/// of them is an axis of some tensor.
fn check_sizes(plan: &dyn Plan) -> Result<()> {
    match plan.params().into_iter().find(|param| param.shape.contains(&0)) {
        None => Ok(()),
        Some(Param { name, shape }) => bad_model(format!(
            "config.json: its model_args leave nothing of {name}, which would have the shape {shape:?}; use the values \
             that the model was trained with"
        )),
    }
}

/// Refuses a value that a config gives to `key`.
fn not_supported<T>(key: &str, value: &str, architecture: &str) -> Result<T> {
    bad_model(format!("config.json: {key} \"{}\" is not supported for {architecture}", quote(value)))
}

/// The five supported names that are most like `asked`.
fn nearest(asked: &str) -> Vec<String> {
    // Longer names cannot be like one of ours, and comparing them takes time.
    let asked: String = asked.chars().take(64).collect();
    let mut names: Vec<(f64, String)> = FAMILIES
        .iter()
        .flat_map(Family::architectures)
        .map(|name| (strsim::jaro_winkler(&asked, &name), name))
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    names.into_iter().take(5).map(|(_, name)| name).collect()
}

/// How the stages of a net share its stride out.
pub(crate) struct Strides {
    stride: usize,
    dilation: usize,
    most: usize,
}

/// A stage's convolutions.
pub(crate) struct Step {
    /// Of the first block.
    pub stride: usize,
    /// Of the first block.
    pub first_dilation: usize,
    /// Of the others.
    pub dilation: usize,
}

impl Strides {
    /// After a stem with this stride; at most `output_stride` in total.
    pub fn new(stem: usize, output_stride: usize) -> Self {
        Self { stride: stem, dilation: 1, most: output_stride }
    }

    /// The next stage. Beyond the output stride, a stride becomes a dilation; a stage's first block
    /// still has the one before.
    pub fn step(&mut self, stride: usize) -> Step {
        let first_dilation = self.dilation;
        let beyond = self.stride >= self.most;
        *(if beyond { &mut self.dilation } else { &mut self.stride }) *= stride;
        Step { stride: if beyond { 1 } else { stride }, first_dilation, dilation: self.dilation }
    }
}
