//! A running call as its caller sees it: progress, estimates, passes, and the wish to end it.

use std::cell::Cell;
use std::pin::Pin;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::photo::preprocess::Crop;

/// A future that stays on its thread.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Passes through the model, in units of one full pass of one input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Passes {
    /// Forward.
    pub forward: f64,
    /// Backward.
    pub backward: f64,
}

/// The caller's side of a running call.
pub trait Control {
    /// Whether the caller has withdrawn.
    fn cancelled(&self) -> bool {
        false
    }
    /// `done` of `total` parts are there.
    fn progress(&self, _done: usize, _total: usize) {}
    /// Whether the caller wants what there is so far, of a method that estimates.
    fn stopped(&self) -> bool {
        false
    }
    /// Whether the caller would look at an estimate now.
    fn wants_estimate(&self) -> bool {
        false
    }
    /// The map as it would be if the method ended now.
    fn estimate(&self, _values: &[f32], _shape: &[usize]) {}
    /// What the model sees of the photo, before anything is estimated; `None` for a tensor.
    fn crop(&self, _crop: Option<Crop>) {}
    /// The passes so far.
    fn passes(&self, _passes: Passes) {}
    /// Lets messages in.
    fn breathe(&self) -> LocalFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    /// A clock in milliseconds.
    fn now(&self) -> f64 {
        0.0
    }
}

/// A call without progress, estimates or cancellation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Control for Unwatched {}

/// A running call's bookkeeping.
pub(crate) struct Run<'a> {
    pub(crate) control: &'a dyn Control,
    pub(crate) passes: Cell<Passes>,
    pub(crate) start: f64,
}

impl<'a> Run<'a> {
    pub(crate) fn new(control: &'a dyn Control) -> Self {
        Self { control, passes: Cell::default(), start: control.now() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.control.cancelled() { Err(Error::Aborted) } else { Ok(()) }
    }

    pub(crate) async fn breathe(&self) -> Result<()> {
        self.control.breathe().await;
        self.check()
    }

    pub(crate) fn count(&self, forward: f64, backward: f64) {
        let Passes { forward: f, backward: b } = self.passes.get();
        let passes = Passes { forward: f + forward, backward: b + backward };
        self.passes.set(passes);
        self.control.passes(passes);
    }

    pub(crate) fn elapsed(&self) -> f64 {
        self.control.now() - self.start
    }
}
