//! What black-box methods share: the loop over masked inputs, superpixels as features, and the sums
//! of a least-squares fit.

pub mod kernel_shap;
pub mod lime;
pub mod occlusion;
pub mod rise;

use burn::tensor::{Tensor, TensorData};
use serde_json::Value;

use crate::error::{Error, Result};
pub use crate::math::cholesky::Cholesky;
use crate::math::superpixels::slic;
pub use crate::math::{dot, quadratic};
use crate::methods::Context;
use crate::methods::{Group, Kind, MethodSpec, OptionSpec, Output, Space};

/// Defaults for the SPEC of a black-box method.
pub const BLACK_BOX: MethodSpec = MethodSpec {
    random: true,
    needs: &[],
    estimates: true,
    ..MethodSpec::base(Group::BlackBox, Space::Input, "[1, H, W]")
};

/// The most features that a least-squares fit may have.
pub const MAX_FEATURES: usize = 1000;

/// How many superpixels.
pub const N_SEGMENTS: OptionSpec = OptionSpec {
    id: "nSegments",
    kind: Kind::Integer { default: Some(50), min: 2, max: 400 },
    unit: Some("superpixels"),
    help: "approximate number of superpixels",
};

/// Their shape.
pub const COMPACTNESS: OptionSpec = OptionSpec {
    id: "compactness",
    kind: Kind::Number { default: 10.0, min: 0.01, max: 1000.0 },
    unit: Some("CIELAB units"),
    help: "colour difference that weighs as much as a superpixel's width; larger values give squarer superpixels",
};

/// Segments given by the caller.
pub const SEGMENTATION: OptionSpec = OptionSpec {
    id: "segmentation",
    kind: Kind::Tensor { shape: "[H, W], ids from 0" },
    unit: None,
    help: "each pixel's segment, to use instead of superpixels",
};

/// Samples given by the caller.
pub const SAMPLES: OptionSpec = OptionSpec {
    id: "samples",
    kind: Kind::Tensor { shape: "[N, segments], 0 or 1" },
    unit: None,
    help: "the segments that each sample shows, to use instead of drawing them",
};

/// A map that improves with every masked input.
#[expect(async_fn_in_trait, reason = "everything stays on its thread")]
pub trait Estimator {
    /// How many samples there are.
    fn samples(&self) -> usize;
    /// The share of the photo at each pixel of sample `index`, `[H * W]`; the rest is baseline.
    fn mask(&self, index: usize) -> Vec<f32>;
    /// Takes a sample's score; samples come in order.
    fn add(&mut self, index: usize, mask: &[f32], score: f64);
    /// The map `[H * W]` by the samples so far.
    ///
    /// # Errors
    /// Those of [`Context::breathe`].
    async fn map(&self, context: &Context<'_>) -> Result<Vec<f32>>;
}

/// Scores an estimator's masked inputs in chunks, shows estimates, and stops when the caller asks
/// for it: a map `[1, H, W]`.
///
/// # Errors
/// [`Error::Aborted`] between chunks; those of the model and the device.
pub async fn estimate(context: &Context<'_>, baseline: &[f32], estimator: &mut impl Estimator) -> Result<Output> {
    let [_, h, w] = context.spec().input_size;
    let (input, baseline) = (context.upload(context.input()), context.upload(baseline));
    let total = estimator.samples();
    let mut warnings = Vec::new();
    for chunk in context.chunks(total)? {
        let mut masks: Vec<Vec<f32>> = Vec::with_capacity(chunk.len());
        for index in chunk.clone() {
            masks.push(estimator.mask(index));
            context.breathe().await?;
        }
        let mask = Tensor::<4>::from_data(TensorData::new(masks.concat(), [masks.len(), 1, h, w]), context.device());
        // Exact where a mask is 0 or 1, which the sum of the baseline and a share of the difference
        // is not.
        let mixed = input.clone() * mask.clone() + baseline.clone() * (mask * -1.0 + 1.0);
        let scores = context.read(context.scores(mixed)?).await?;
        let done = chunk.end;
        for ((index, mask), score) in chunk.zip(&masks).zip(scores) {
            estimator.add(index, mask, f64::from(score));
            context.breathe().await?;
        }
        context.progress(done, total).await?;
        if done < total && context.wants_estimate() {
            context.estimate(&estimator.map(context).await?, &[1, h, w]);
        }
        if done < total && context.stopped() {
            warnings.push(context.stopped_after(done, total));
            break;
        }
    }
    Ok(Output { warnings, ..Output::new(estimator.map(context).await?, [1, h, w]) })
}

/// The one baseline image that the request names.
///
/// # Errors
/// Those of [`Context::references`].
pub async fn baseline(context: &Context<'_>) -> Result<Vec<f32>> {
    context.references().await?.into_iter().next().ok_or_else(|| Error::Internal("there is no baseline".into()))
}

/// An image divided into features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    /// Each pixel's segment.
    ids: Vec<usize>,
    /// How many there are.
    pub count: usize,
}

impl Segments {
    /// The request's `segmentation`, or SLIC superpixels of the input as the model sees it, with
    /// the normalisation undone.
    ///
    /// # Errors
    /// [`Error::BadOption`] for ids that are no whole numbers from 0 to 999; those of
    /// [`Context::breathe`].
    pub async fn of(context: &Context<'_>) -> Result<Self> {
        let [channels, h, w] = context.spec().input_size;
        let options = context.options();
        let given = options.tensor("segmentation", |shape| shape == [h, w], &format!("[{h}, {w}]"))?;
        let ids = match given {
            Some(given) => {
                let id = |&v: &f32| {
                    let fits = v.fract() == 0.0 && (0.0..MAX_FEATURES as f32).contains(&v);
                    fits.then_some(v as usize).ok_or_else(|| {
                        Error::BadOption(format!(
                            "segmentation: {v} is not a whole number from 0 to {}",
                            MAX_FEATURES - 1
                        ))
                    })
                };
                given.data.iter().map(id).collect::<Result<Vec<_>>>()?
            }
            None => {
                let preprocess = context.preprocess();
                // Fewer channels than three are grey.
                let plane = |c: usize| {
                    let plane = context.input().chunks(h * w).nth(c.min(channels.saturating_sub(1)));
                    let (mean, std) = (preprocess.mean[c], preprocess.std[c]);
                    plane.unwrap_or_default().iter().map(move |v| v * std + mean)
                };
                let pixels: Vec<f32> = (0..3).flat_map(plane).collect();
                let (count, compactness) = (options.count("nSegments")?, options.number("compactness")?);
                slic(&pixels, [h, w], count, compactness, &async || context.breathe().await).await?
            }
        };
        let count = ids.iter().max().map_or(0, |last| last + 1);
        Ok(Self { ids, count })
    }

    /// The request's `samples`: the segments that each shows.
    ///
    /// # Errors
    /// [`Error::BadOption`] for other numbers than 0 and 1.
    pub fn samples(&self, context: &Context<'_>) -> Result<Option<Vec<Vec<bool>>>> {
        let fits = |shape: &[usize]| matches!(shape, [_, m] if *m == self.count);
        let given =
            context.options().tensor("samples", fits, &format!("[N, {}], one column per segment", self.count))?;
        let Some(given) = given else { return Ok(None) };
        if let Some(v) = given.data.iter().find(|v| **v != 0.0 && **v != 1.0) {
            return Err(Error::BadOption(format!("samples must be 0 or 1; got {v}")));
        }
        Ok(Some(given.data.chunks(self.count).map(|row| row.iter().map(|&v| v == 1.0).collect()).collect()))
    }

    /// A mask that shows some of the segments.
    pub fn mask(&self, shown: &[bool]) -> Vec<f32> {
        self.ids.iter().map(|&id| f32::from(u8::from(shown.get(id) == Some(&true)))).collect()
    }

    /// Each pixel's value by its segment.
    pub fn paint(&self, values: &[f64]) -> Vec<f32> {
        self.ids.iter().map(|&id| values.get(id).copied().unwrap_or_default() as f32).collect()
    }
}

/// The running sums of a weighted least-squares fit of y to rows of features; memory does not grow
/// with the number of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct LeastSquares {
    features: usize,
    /// How many rows have weight.
    pub rows: usize,
    /// sum w
    pub weight: f64,
    /// sum w z
    pub sum: Vec<f64>,
    /// sum w z z^T, row-major.
    pub gram: Vec<f64>,
    /// sum w y
    pub y: f64,
    /// sum w y^2
    pub yy: f64,
    /// sum w z y
    pub moment: Vec<f64>,
}

impl LeastSquares {
    /// An empty fit.
    pub fn new(features: usize) -> Self {
        Self {
            features,
            rows: 0,
            weight: 0.0,
            sum: vec![0.0; features],
            gram: vec![0.0; features * features],
            y: 0.0,
            yy: 0.0,
            moment: vec![0.0; features],
        }
    }

    /// Adds a sample.
    pub fn add(&mut self, row: &[f64], y: f64, weight: f64) {
        self.rows += 1;
        self.weight += weight;
        self.y += weight * y;
        self.yy += weight * y * y;
        for (i, zi) in row.iter().enumerate().filter(|(_, zi)| **zi != 0.0) {
            let wz = weight * zi;
            self.sum[i] += wz;
            self.moment[i] += wz * y;
            let line = &mut self.gram[i * self.features..(i + 1) * self.features];
            line.iter_mut().zip(row).for_each(|(sum, zj)| *sum += wz * zj);
        }
    }
}

/// A number for `details`; `null` if it is not finite.
pub fn finite(value: f64) -> Value {
    serde_json::json!(value.is_finite().then_some(value))
}
