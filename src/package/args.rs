//! `model_args`: what a package hands to its architecture's constructor.

use serde_json::{Map, Value};

use crate::error::{Error, Result, bad_model};
use crate::package::shown;

/// `model_args`: every argument is taken by name with its bounds; those left over are an error.
///
/// timm opens a package with its arguments as they are: a null is passed on, not taken for an
/// argument that is absent. What that means is the argument's own matter ([`Args::read_null_as`]);
/// most models of timm cannot be made so, and neither are they here.
#[derive(Debug, Clone, Default)]
pub struct Args(Map<String, Value>);

impl Args {
    /// The arguments of a package, none of them taken yet.
    pub fn new(args: Map<String, Value>) -> Self {
        Self(args)
    }

    /// Takes an argument as it is given; `None` where it is absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

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
                "{} with model_args.{} = {} is not supported",
                shown(architecture),
                shown(name),
                shown(&value.to_string())
            ))),
        }
    }
}
