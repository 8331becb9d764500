use std::cell::RefCell;

use sightline::ask::control::Control;

/// A map as it was so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    pub values: Vec<f32>,
    pub shape: Vec<usize>,
}

/// A caller that keeps all it is told, looks at every estimate, and stops or withdraws after so
/// many reports of progress.
#[derive(Default)]
pub struct Watcher {
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
        self.stop_after.is_some_and(|reports| self.reports() >= reports)
    }
    fn cancelled(&self) -> bool {
        self.cancel_after.is_some_and(|reports| self.reports() >= reports)
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
