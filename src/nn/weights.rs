//! The tensors of a package, by name: those that a plan wants, and those that wait to be taken.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use crate::error::{Result, bad_model, quote};

/// A tensor that a model needs: its name in the package and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// timm's key, for example `blocks.0.attn.qkv.weight`.
    pub name: String,
    /// timm's shape: convolutions `[O, I / groups, kh, kw]`, linear layers `[out, in]`.
    pub shape: Vec<usize>,
}

impl Param {
    /// A parameter named `prefix` + `.` + `leaf`.
    pub fn new(prefix: &str, leaf: &str, shape: &[usize]) -> Self {
        let name = if prefix.is_empty() { leaf.to_owned() } else { format!("{prefix}.{leaf}") };
        Self { name, shape: shape.to_vec() }
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
            Some((has, _)) => {
                let has = quote(format_args!("{has:?}"));
                bad_model(format!("tensor {} has shape {has}, expected {shape:?}", quote(name)))
            }
            None => bad_model(format!("tensor {} is missing", quote(name))),
        }
    }
}
