//! What a photo's prediction leaves for the methods that follow.

use std::cell::Cell;

use burn::tensor::Tensor;

use crate::ask::warning::Warning;
use crate::nn::pass::{Activation, Pass};
use crate::photo::preprocess::Crop;

pub(crate) struct Predicted {
    pub(crate) key: u64,
    pub(crate) input: Vec<f32>,
    pub(crate) crop: Option<Crop>,
    /// What there is to say of the photo itself.
    pub(crate) warnings: Vec<Warning>,
    /// The state before each stage.
    pub(crate) states: Vec<Activation>,
    pub(crate) logits: Vec<f32>,
    pub(crate) tail: Cell<Option<Tail>>,
}

impl Predicted {
    /// Lets go of the tail, if the call that it was made for has not used it.
    pub(crate) fn release_tail(&self) {
        if let Some(tail) = self.tail.take() {
            tail.release();
        }
    }
}

/// The prediction's own pass from the default layer on, ready for a backward pass: a CAM there that
/// is asked for together with it runs nothing forward again. It lives as long as that call.
pub(crate) struct Tail {
    pub(crate) pass: Pass<'static>,
    pub(crate) logits: Tensor<2>,
}

impl Tail {
    /// burn keeps a graph until a backward pass has gone through it.
    pub(crate) fn release(self) {
        self.logits.sum().backward();
    }
}
