//! Occlusion. Zeiler and Fergus 2013, arXiv 1311.2901, section 4.1.
//!
//! F(x) - F(x with a window replaced by the baseline); a pixel's value is the mean over the windows
//! that cover it. Windows begin at multiples of the stride in rows and columns and end with the
//! first that reaches the last row or column, which is cut off at the border (captum's `Occlusion`
//! with a window over all channels, checked against 0.9.0). One forward pass a window.
//!
//! Output `[1, H, W]`, signed: positive where hiding lowers the score. Without options the window
//! is an eighth of the shorter side and the stride half of it: 15 x 15 windows on a square input,
//! whatever its size. They come from coarse to fine, so that an early estimate has seen all of the
//! photo; a pixel that no window has covered yet has 0. `details`: `window`, `stride`, in input
//! pixels, and `windows`.
//!
//! The paper shows the score itself and paints the window grey; PAIR adds up where captum takes the
//! mean.

use std::cmp::Reverse;

use serde_json::json;

use crate::error::{Error, Result};
use crate::methods::Context;
use crate::methods::black_box::BLACK_BOX;
use crate::methods::black_box::{self, Estimator};
use crate::methods::{BASELINE, BLUR_SIGMA, CHUNK_SIZE, Kind, MethodSpec, OptionSpec, Output, SEED};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "occlusion",
    name: "Occlusion",
    summary: "How far does the score fall when a window hides this place?",
    caveat: "Evidence that is visible in two places is missed, because hiding one leaves the other, and the window's \
             edge is itself a new feature.",
    citation: "Zeiler and Fergus 2013",
    arxiv: "1311.2901",
    equation: "mean over windows W with the pixel of F(x) - F(x outside W, x' inside)",
    cost: "one forward pass per window: 225 by default, about 18 s if a pass takes 0.08 s",
    random: false,
    options: &[
        OptionSpec {
            id: "window",
            kind: Kind::Integer { default: None, min: 1, max: 1024 },
            unit: Some("input pixels"),
            help: "side of the window, at most the input's shorter side; an eighth of that by default",
        },
        OptionSpec {
            id: "stride",
            kind: Kind::Integer { default: None, min: 1, max: 1024 },
            unit: Some("input pixels"),
            help: "step from window to window, at most the window's side; half of that by default",
        },
        BASELINE,
        BLUR_SIGMA,
        SEED,
        CHUNK_SIZE,
    ],
    ..BLACK_BOX
};

struct Occlusion {
    shape: [usize; 2],
    window: usize,
    /// First row and column of each.
    windows: Vec<[usize; 2]>,
    score: f64,
    sums: Vec<f64>,
    counts: Vec<u32>,
}

impl Estimator for Occlusion {
    fn samples(&self) -> usize {
        self.windows.len()
    }

    fn mask(&self, index: usize) -> Vec<f32> {
        let [h, w] = self.shape;
        let mut mask = vec![1.0; h * w];
        self.pixels(index).for_each(|i| mask[i] = 0.0);
        mask
    }

    fn add(&mut self, index: usize, _: &[f32], score: f64) {
        for i in self.pixels(index) {
            self.sums[i] += self.score - score;
            self.counts[i] += 1;
        }
    }

    async fn map(&self, _: &Context<'_>) -> Result<Vec<f32>> {
        Ok(self.sums.iter().zip(&self.counts).map(|(sum, &count)| (sum / f64::from(count.max(1))) as f32).collect())
    }
}

impl Occlusion {
    fn pixels(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let ([h, w], side) = (self.shape, self.window);
        let [top, left] = self.windows.get(index).copied().unwrap_or([h, w]);
        (top..(top + side).min(h)).flat_map(move |y| (left..(left + side).min(w)).map(move |x| y * w + x))
    }
}

/// Computes the attribution.
///
/// # Errors
/// [`Error::BadOption`] for a window larger than the input or a stride larger than the window;
/// [`Error::Aborted`] between chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let [_, h, w] = context.spec().input_size;
    let options = context.options();
    let shorter = h.min(w);
    let window = options.integer("window")?.unwrap_or((shorter / 8).max(1));
    if window > shorter {
        return Err(Error::BadOption(format!(
            "window must be at most {shorter}, the input's shorter side; got {window}"
        )));
    }
    let stride = options.integer("stride")?.unwrap_or((window / 2).max(1));
    if stride > window {
        return Err(Error::BadOption(format!(
            "stride must be at most {window}, the window's side, or some pixels are never hidden; got {stride}"
        )));
    }
    let [rows, columns] = [h, w].map(|n| (n - window).div_ceil(stride) + 1);
    let mut steps: Vec<[usize; 2]> = (0..rows * columns).map(|i| [i / columns, i % columns]).collect();
    // Every 2^k-th window of every 2^k-th row, with k falling.
    steps.sort_by_key(|[y, x]| Reverse((y | x).trailing_zeros()));
    let windows = steps.into_iter().map(|step| step.map(|n| n * stride)).collect();
    let (sums, counts) = (vec![0.0; h * w], vec![0; h * w]);
    let mut occlusion = Occlusion { shape: [h, w], window, windows, score: context.score(), sums, counts };
    let output = black_box::estimate(context, &black_box::baseline(context).await?, &mut occlusion).await?;
    let details = json!({ "window": window, "stride": stride, "windows": [rows, columns] });
    Ok(Output { details: Some(details), ..output })
}
