use std::cell::{Cell, RefCell};

use sightline::ask::control::{Control, LocalFuture, Passes};

/// A map as it was so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub values: Vec<f32>,
    pub shape: Vec<usize>,
}

/// What a caller wants in the middle of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Stop,
    Cancel,
}

/// A caller that keeps all it is told, looks at every estimate, and stops or withdraws after so
/// many reports of progress, or at a certain breath.
#[derive(Default)]
pub struct Watcher {
    /// At which breath, counted from 1.
    pub wish: Option<(usize, Wish)>,
    pub breaths: Cell<usize>,
    /// The most passes between two breaths, forward and backward.
    pub between: Cell<f64>,
    /// Passes and reports when the wish came up.
    pub wished: Cell<Option<(f64, usize)>>,
    passes: Cell<f64>,
    breathed: Cell<f64>,
    pub stop_after: Option<usize>,
    pub cancel_after: Option<usize>,
    /// Parts that are done, of how many, as reported one after the other.
    pub progress: RefCell<Vec<(usize, usize)>>,
    pub estimates: RefCell<Vec<Estimate>>,
}

impl Watcher {
    pub fn stop_after(reports: usize) -> Self {
        Self { stop_after: Some(reports), ..Self::default() }
    }

    pub fn wishing(breath: usize, wish: Wish) -> Self {
        Self { wish: Some((breath, wish)), ..Self::default() }
    }

    /// Passes and reports since the wish came up; none if it has not.
    pub fn since(&self) -> Option<(f64, usize)> {
        self.wished.get().map(|(passes, reports)| (self.passes.get() - passes, self.reports() - reports))
    }

    fn wishes(&self, wanted: Wish) -> bool {
        self.wish.is_some_and(|(_, wish)| wish == wanted) && self.wished.get().is_some()
    }

    pub fn cancel_after(reports: usize) -> Self {
        Self { cancel_after: Some(reports), ..Self::default() }
    }

    pub fn reports(&self) -> usize {
        self.progress.borrow().len()
    }

    /// (done, total) of the last report.
    pub fn last(&self) -> (usize, usize) {
        *self.progress.borrow().last().expect("progress is reported")
    }
}

impl Control for Watcher {
    fn progress(&self, done: usize, total: usize) {
        let before = self.progress.borrow().last().map_or(0, |(done, _)| *done);
        assert!(done > before && done <= total, "{done} of {total} after {before}");
        self.progress.borrow_mut().push((done, total));
    }
    fn stopped(&self) -> bool {
        self.wishes(Wish::Stop) || self.stop_after.is_some_and(|reports| self.reports() >= reports)
    }
    fn cancelled(&self) -> bool {
        self.wishes(Wish::Cancel) || self.cancel_after.is_some_and(|reports| self.reports() >= reports)
    }
    fn passes(&self, passes: Passes) {
        self.passes.set(passes.forward + passes.backward);
    }
    fn breathe(&self) -> LocalFuture<'_, ()> {
        self.breaths.set(self.breaths.get() + 1);
        self.between.set(self.between.get().max(self.passes.get() - self.breathed.get()));
        self.breathed.set(self.passes.get());
        if self.wish.is_some_and(|(breath, _)| breath == self.breaths.get()) {
            self.wished.set(Some((self.passes.get(), self.reports())));
        }
        Box::pin(std::future::ready(()))
    }
    fn wants_estimate(&self) -> bool {
        true
    }
    fn estimate(&self, values: &[f32], shape: &[usize]) {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        assert!(values.iter().all(|value| value.is_finite()));
        self.estimates.borrow_mut().push(Estimate { values: values.to_vec(), shape: shape.to_vec() });
    }
}
