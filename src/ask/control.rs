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
    /// Whether the caller wants what there is so far; a method that has nothing is refused it.
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
    /// Lets messages in. Awaited every few milliseconds, and after every pass.
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
    /// The id of a method that has nothing to show before its end.
    whole: Cell<Option<&'static str>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(control: &'a dyn Control) -> Self {
        Self { control, passes: Cell::default(), start: control.now(), whole: Cell::default() }
    }

    /// From now on, a wish to stop is refused: this method has nothing to show before its end.
    pub(crate) fn refuse_to_stop(&self, method: &'static str) {
        self.whole.set(Some(method));
    }

    /// Whether the caller still wants the result.
    pub(crate) fn wanted(&self) -> Result<()> {
        if self.control.cancelled() { Err(Error::Aborted) } else { Ok(()) }
    }

    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<()> {
        self.wanted()?;
        match self.whole.get() {
            Some(method) if self.control.stopped() => Err(Error::Unsupported(format!(
                "{method} cannot be stopped early, because it has no map to show before its end; let it finish or \
                 abort it"
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) async fn breathe(&self) -> Result<()> {
        self.control.breathe().await;
        self.check()
    }

    /// The breath after the last part: the result is there, and a wish to stop comes too late.
    pub(crate) async fn last_breath(&self) -> Result<()> {
        self.control.breathe().await;
        self.wanted()
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
