//! Counts what a thread allocates, so that a test can say what a few bytes may cost.
//!
//! A program that measures declares it as its global allocator:
//! `#[global_allocator] static MEMORY: Counting = Counting;`.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait; it only counts and passes on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with counts for each thread: tests that run at the same time do not
/// disturb each other.
pub struct Counting;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most bytes held at once, beyond what was held before.
    pub peak: usize,
    /// The largest piece that was asked for.
    pub largest: usize,
}

#[derive(Clone, Copy)]
struct Counts {
    live: isize,
    peak: isize,
    largest: usize,
}

impl Counts {
    const ZERO: Self = Self { live: 0, peak: 0, largest: 0 };
}

thread_local! {
    // Neither made when first used nor dropped, for both could allocate.
    static COUNTS: Cell<Counts> = const { Cell::new(Counts::ZERO) };
}

fn count(taken: usize, given_back: usize) {
    // No counts while a thread ends.
    let _ = COUNTS.try_with(|cell| {
        let mut counts = cell.get();
        counts.live = counts.live.saturating_add_unsigned(taken);
        counts.peak = counts.peak.max(counts.live);
        counts.largest = counts.largest.max(taken);
        counts.live = counts.live.saturating_sub_unsigned(given_back);
        cell.set(counts);
    });
}

// SAFETY: every call goes to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the system allocator's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // To grow, the old and the new piece at once: wasm has no other way to move a large one.
        match layout.size().checked_sub(size) {
            Some(less) => count(0, less),
            None => count(size, layout.size()),
        }
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs `work` and counts what this thread allocates meanwhile. Not for work that measures itself.
pub fn measured<T>(work: impl FnOnce() -> T) -> (T, Usage) {
    let before = COUNTS.replace(Counts::ZERO);
    let result = work();
    let counts = COUNTS.get();
    COUNTS.set(Counts { live: before.live + counts.live, peak: before.peak.max(before.live + counts.peak), ..before });
    (result, Usage { peak: counts.peak.unsigned_abs(), largest: counts.largest })
}
