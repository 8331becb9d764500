//! What an attribution method is, the registry of methods, and the reading of their options.

use std::collections::BTreeMap;
use std::pin::Pin;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::explainer::Context;

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
    /// Positive speaks for the target, negative against it.
    Signed,
    /// Magnitudes.
    Positive,
}

/// How channels reduce for painting.
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

/// What a method needs of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A backward pass.
    Gradients,
}

/// An option's type, range and default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Kind {
    /// A whole number; a default of `None` means that the device decides.
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
}

/// An option of a method.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionSpec {
    /// camelCase, as in the JS API.
    pub id: &'static str,
    /// Type, range, default.
    #[serde(flatten)]
    pub kind: Kind,
    /// Unit, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// One line.
    pub help: &'static str,
}

/// A method's description; pickers, types, tables and contract tests are made from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodSpec {
    /// snake_case name of the paper.
    pub id: &'static str,
    /// As people write it.
    pub name: &'static str,
    /// What it asks, in one sentence.
    pub summary: &'static str,
    /// Authors and year.
    pub citation: &'static str,
    /// arXiv id.
    pub arxiv: &'static str,
    /// The equation, in plain text.
    pub equation: &'static str,
    /// Passes that it takes, in words.
    pub cost: &'static str,
    /// Where the result lives.
    pub space: Space,
    /// The result's shape.
    pub shape: &'static str,
    /// Whether the result has a sign.
    pub sign: Sign,
    /// How channels reduce for painting.
    pub channels: Channels,
    /// Whether it draws random numbers.
    pub random: bool,
    /// What it needs of a pass.
    pub needs: &'static [Need],
    /// Its options beside `target` and, in layer space, `layer`.
    pub options: &'static [OptionSpec],
}

/// What a method computes.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Row-major.
    pub values: Vec<f32>,
    /// Their shape.
    pub shape: Vec<usize>,
    /// For methods with that axiom.
    pub completeness: Option<Completeness>,
}

/// How well an attribution adds up to the difference of the scores.
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
    integrated_gradients,
}

/// The method of that id.
///
/// # Errors
/// [`Error::BadOption`] naming those that exist.
pub fn find(id: &str) -> Result<&'static Method> {
    METHODS.iter().find(|m| m.spec.id == id).ok_or_else(|| {
        let known: Vec<&str> = METHODS.iter().map(|m| m.spec.id).collect();
        Error::BadOption(format!("method: there is no {id:?}; choose one of {}", known.join(", ")))
    })
}

#[derive(Debug, Clone, PartialEq)]
enum Given {
    Integer(Option<u32>),
    Number(f64),
    Choice(&'static str),
}

/// A request's options, checked against the method's description.
#[derive(Debug, Clone, Default)]
pub struct Options(BTreeMap<&'static str, Given>);

impl Options {
    /// Reads what is left of a request; absent options take their defaults.
    ///
    /// # Errors
    /// [`Error::BadOption`] naming the option that is unknown or out of range.
    pub fn parse(spec: &MethodSpec, mut given: Map<String, Value>) -> Result<Self> {
        let mut options = BTreeMap::new();
        for option in spec.options {
            let value = given.remove(option.id).filter(|v| !v.is_null());
            let bad = |expected: String| {
                Error::BadOption(format!(
                    "{}: {} must be {expected}, got {}",
                    option.id,
                    option.help,
                    value.clone().unwrap_or_default()
                ))
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
            };
            options.insert(option.id, read);
        }
        match given.keys().next() {
            None => Ok(Self(options)),
            Some(unknown) => {
                let known: Vec<&str> = spec.options.iter().map(|o| o.id).collect();
                Err(Error::BadOption(format!("{unknown}: {} has no such option; it has {}", spec.id, known.join(", "))))
            }
        }
    }

    fn get(&self, id: &str) -> Result<&Given> {
        self.0.get(id).ok_or_else(|| Error::Internal(format!("the method does not describe its option {id:?}")))
    }

    /// A whole number, `None` where the device decides.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method does not describe the option.
    pub fn integer(&self, id: &str) -> Result<Option<usize>> {
        match self.get(id)? {
            Given::Integer(v) => Ok(v.map(|v| v as usize)),
            _ => Err(Error::Internal(format!("option {id:?} is not a whole number"))),
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
            _ => Err(Error::Internal(format!("option {id:?} is not a word"))),
        }
    }
}
