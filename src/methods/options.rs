//! A request's options, checked against what the method says of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::ask::fill::Baseline;
use crate::error::{Error, Result, quote};
use crate::methods::spec::{Kind, MethodSpec};

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
    /// At most so many in an input: three channels of the largest pictures that a config may ask
    /// for.
    const INPUT: usize = 3 << 20;

    /// Lengths come first: nothing is made of a list that is too long.
    fn read(value: &Value, most: usize) -> Option<Self> {
        let fields = value.as_object().filter(|fields| fields.len() == 2)?;
        let list = fields.get("data")?.as_array().filter(|list| list.len() <= most)?;
        let axes = fields.get("shape")?.as_array().filter(|axes| (1..=6).contains(&axes.len()))?;
        let shape: Vec<usize> = axes
            .iter()
            .map(|n| {
                n.as_f64().filter(|n| n.fract() == 0.0 && (1.0..=Self::LIMIT as f64).contains(n)).map(|n| n as usize)
            })
            .collect::<Option<_>>()?;
        let count = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n).filter(|&all| all <= Self::LIMIT))?;
        if list.len() != count {
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
            None => GivenTensor::read(value, GivenTensor::INPUT).map(Self::Given),
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
                Error::BadOption(format!(
                    "{} must be {expected}; got {}",
                    option.id,
                    value.as_ref().map(quote).unwrap_or_default()
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
                        GivenTensor::read(v, GivenTensor::LIMIT)
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
                    "{}: {} has no such option; its options are: {}",
                    quote(unknown),
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
    /// [`Error::BadOption`] where the shape is another; [`Error::Internal`] where the method does
    /// not describe the option.
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
