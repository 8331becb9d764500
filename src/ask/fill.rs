//! Reference inputs x' for methods that compare with one.

use rand::RngExt;

use crate::error::Result;
use crate::math::random::stream;
use crate::photo::preprocess::PreprocessConfig;

/// A reference input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Baseline {
    /// The data set's mean colour: zeros after normalisation.
    Mean,
    /// Black pixels.
    Black,
    /// White pixels.
    White,
    /// The input blurred by a Gaussian.
    Blur {
        /// Standard deviation in input pixels.
        sigma: f64,
    },
    /// Every pixel and channel drawn evenly between black and white.
    Noise {
        /// The same seed gives the same image.
        seed: u64,
    },
}

impl Baseline {
    /// The baselines by id.
    pub const CHOICES: &'static [&'static str] = &["mean", "black", "white", "blur", "noise"];

    /// The baseline with this id; `sigma` is for `blur`, `seed` for `noise`.
    pub fn from_id(id: &str, sigma: f64, seed: u64) -> Option<Self> {
        match id {
            "mean" => Some(Self::Mean),
            "black" => Some(Self::Black),
            "white" => Some(Self::White),
            "blur" => Some(Self::Blur { sigma }),
            "noise" => Some(Self::Noise { seed }),
            _ => None,
        }
    }

    /// The reference input for `input`, both `[C, H, W]` as fed to the model. `breathe` is awaited
    /// within every few milliseconds.
    ///
    /// # Errors
    /// Those of `breathe`.
    pub async fn of(
        &self,
        input: &[f32],
        shape: [usize; 3],
        config: &PreprocessConfig,
        breathe: &impl AsyncFn() -> Result<()>,
    ) -> Result<Vec<f32>> {
        let [channels, h, w] = shape;
        let flat = |level: f32| {
            let normalised = config.mean.iter().zip(&config.std).map(|(mean, std)| (level - mean) / std);
            normalised.cycle().take(channels).flat_map(|v| std::iter::repeat_n(v, h * w)).collect()
        };
        Ok(match *self {
            Self::Mean => vec![0.0; input.len()],
            Self::Black => flat(0.0),
            Self::White => flat(1.0),
            Self::Noise { seed } => {
                let mut random = stream(seed, 0);
                flat(0.0)
                    .iter()
                    .zip(&flat(1.0))
                    .map(|(low, high)| low + (high - low) * random.random::<f32>())
                    .collect()
            }
            Self::Blur { sigma } => {
                let mut blurred = Vec::with_capacity(input.len());
                for plane in input.chunks(h * w) {
                    blurred.extend(blur(plane, h, w, sigma, breathe).await?);
                }
                blurred
            }
        })
    }
}

/// Half of the Gaussian kernel: the weights at distances 0, 1, .., cut off at 4 sigma; the whole
/// kernel sums to 1, as in scipy's `gaussian_filter`.
pub fn gaussian(sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as usize;
    let weight = |i: usize| if i == 0 { 1.0 } else { (-0.5 * (i as f64 / sigma).powi(2)).exp() };
    let half: Vec<f64> = (0..=radius).map(weight).collect();
    let sum = 2.0 * half.iter().sum::<f64>() - 1.0;
    half.into_iter().map(|weight| weight / sum).collect()
}

/// [`blur_exactly`] in single precision.
///
/// # Errors
/// Those of `breathe`.
pub async fn blur(
    plane: &[f32],
    h: usize,
    w: usize,
    sigma: f64,
    breathe: &impl AsyncFn() -> Result<()>,
) -> Result<Vec<f32>> {
    let plane: Vec<f64> = plane.iter().copied().map(f64::from).collect();
    Ok(blur_exactly(&plane, h, w, sigma, breathe).await?.into_iter().map(|v| v as f32).collect())
}

/// Gaussian blur of one plane: kernel cut off at 4 sigma, edges mirrored (d c b a | a b c d), as in
/// scipy's `gaussian_filter`. `breathe` is awaited after every row and column.
///
/// # Errors
/// Those of `breathe`.
pub async fn blur_exactly(
    plane: &[f64],
    h: usize,
    w: usize,
    sigma: f64,
    breathe: &impl AsyncFn() -> Result<()>,
) -> Result<Vec<f64>> {
    let half = gaussian(sigma);
    let mirrored = |i: i64, n: usize| {
        let n = n as i64;
        let i = i.rem_euclid(2 * n);
        i.min(2 * n - 1 - i) as usize
    };
    let along = async |source: &[f64], length: usize, count: usize, step: usize, skip: usize| {
        let mut out = vec![0.0; source.len()];
        for line in 0..count {
            let value = |at: i64| source[line * skip + mirrored(at, length) * step];
            for at in 0..length {
                let pairs = half.iter().zip(0i64..).skip(1);
                let sides = pairs.map(|(k, i)| k * (value(at as i64 - i) + value(at as i64 + i)));
                out[line * skip + at * step] = half[0] * value(at as i64) + sides.sum::<f64>();
            }
            breathe().await?;
        }
        Ok(out)
    };
    let rows: Vec<f64> = along(plane, w, h, 1, w).await?;
    along(&rows, h, w, w, 1).await
}

#[cfg(test)]
mod tests {
    use crate::math::waiting::{idle, now};

    fn blur(plane: &[f32], h: usize, w: usize, sigma: f64) -> Vec<f32> {
        now(super::blur(plane, h, w, sigma, &idle)).unwrap()
    }

    #[test]
    fn blur_matches_a_direct_sum_and_keeps_flat_planes() {
        let flat = blur(&[3.5; 12], 3, 4, 1.3);
        assert!(flat.iter().all(|v| (v - 3.5).abs() < 1e-6));
        // One bright pixel in the middle of 7 x 7, sigma 0.5 (radius 2): the separable kernel
        // itself.
        let mut plane = [0.0; 49];
        plane[24] = 1.0;
        let out = blur(&plane, 7, 7, 0.5);
        let k: Vec<f64> = (-2..=2).map(|i| (-2.0 * f64::from(i * i)).exp()).collect();
        let sum: f64 = k.iter().sum();
        for (y, ky) in k.iter().enumerate() {
            for (x, kx) in k.iter().enumerate() {
                let expected = ky * kx / sum / sum;
                assert!((f64::from(out[(y + 1) * 7 + x + 1]) - expected).abs() < 1e-7);
            }
        }
        // Mirrored edges: the mass of a corner pixel stays inside.
        let mut corner = [0.0; 49];
        corner[0] = 1.0;
        assert!((blur(&corner, 7, 7, 1.0).iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
