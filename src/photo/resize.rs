//! Resampling as Pillow does it: the horizontal axis first and then the vertical one, rounded to u8
//! after each, with fixed-point coefficients of 22 bits. Only the columns and rows that are asked
//! for are computed: the passes are separable, so the numbers are the same, and memory is bounded
//! by the photo's height times the width of what is asked for.

use serde::{Deserialize, Serialize};

use crate::photo::Photo;

/// One of Pillow's resampling filters; stretched by the scale when shrinking (antialiasing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Triangle.
    Bilinear,
    /// Cubic convolution with a = -0.5.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos,
}

impl Interpolation {
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) };
        let a = x.abs();
        match self {
            Self::Bilinear if a < 1.0 => 1.0 - a,
            Self::Bicubic if a < 1.0 => ((A + 2.0) * a - (A + 3.0)) * a * a + 1.0,
            Self::Bicubic if a < 2.0 => (((a - 5.0) * a + 8.0) * a - 4.0) * A,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

/// Resizes a whole photo.
pub fn resize(photo: &Photo, width: usize, height: usize, interpolation: Interpolation) -> Photo {
    let columns = Axis::new(photo.width as usize, width, interpolation).outputs(0, width);
    let rows = Axis::new(photo.height as usize, height, interpolation).outputs(0, height);
    Photo { width: width as u32, height: height as u32, rgb: resample(photo, &columns, &rows), scaled_from: None }
}

const PRECISION: u32 = 32 - 8 - 2;

/// One output position: the first input position that it reads and the coefficients from there on.
pub(super) struct Taps {
    first: usize,
    coefficients: Option<Vec<i32>>,
}

pub(super) struct Axis {
    input: usize,
    output: usize,
    interpolation: Interpolation,
}

impl Axis {
    pub(super) fn new(input: usize, output: usize, interpolation: Interpolation) -> Self {
        Self { input, output, interpolation }
    }

    /// The taps of `count` outputs from `start` on. Without coefficients where the length stays:
    /// Pillow skips such a pass.
    pub(super) fn outputs(&self, start: usize, count: usize) -> Vec<Taps> {
        (start..start + count).map(|i| self.taps(i)).collect()
    }

    fn taps(&self, i: usize) -> Taps {
        if self.input == self.output {
            return Taps { first: i, coefficients: None };
        }
        let scale = self.input as f64 / self.output as f64;
        let stretch = scale.max(1.0);
        let support = self.interpolation.support() * stretch;
        let centre = (i as f64 + 0.5) * scale;
        let first = ((centre - support + 0.5) as i64).max(0) as usize;
        let last = ((centre + support + 0.5) as i64).clamp(0, self.input as i64) as usize;
        let weights: Vec<f64> =
            (first..last).map(|x| self.interpolation.weight((x as f64 - centre + 0.5) * (1.0 / stretch))).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = weights.iter().map(|weight| {
            let weight = if sum != 0.0 { weight / sum } else { *weight } * f64::from(1u32 << PRECISION);
            (weight + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
        });
        Taps { first, coefficients: Some(fixed.collect()) }
    }
}

impl Taps {
    fn end(&self) -> usize {
        self.first + self.coefficients.as_ref().map_or(1, Vec::len)
    }
}

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// RGB of the given columns and rows, rows computed from horizontally resampled ones.
pub(super) fn resample(photo: &Photo, columns: &[Taps], rows: &[Taps]) -> Vec<u8> {
    let stride = photo.width as usize * 3;
    let first_row = rows.iter().map(|t| t.first).min().unwrap_or(0);
    let end_row = rows.iter().map(Taps::end).max().unwrap_or(0);
    let line = columns.len() * 3;
    let mut narrow = Vec::with_capacity((end_row - first_row) * line);
    for source in photo.rgb.chunks_exact(stride).take(end_row).skip(first_row) {
        for Taps { first, coefficients } in columns {
            let pixels = source.get(first * 3..).unwrap_or_default();
            let mut sums = [1i32 << (PRECISION - 1); 3];
            match coefficients {
                None => narrow.extend(pixels.iter().take(3)),
                Some(coefficients) => {
                    for (pixel, k) in pixels.chunks_exact(3).zip(coefficients) {
                        for (sum, &value) in sums.iter_mut().zip(pixel) {
                            *sum += i32::from(value) * k;
                        }
                    }
                    narrow.extend(sums.map(clip));
                }
            }
        }
    }
    let mut out = Vec::with_capacity(rows.len() * line);
    let mut sums = vec![0i32; line];
    for Taps { first, coefficients } in rows {
        let resized = narrow.get((first - first_row) * line..).unwrap_or_default();
        match coefficients {
            None => out.extend(resized.iter().take(line)),
            Some(coefficients) => {
                sums.fill(1 << (PRECISION - 1));
                for (source, k) in resized.chunks_exact(line).zip(coefficients) {
                    for (sum, &value) in sums.iter_mut().zip(source) {
                        *sum += i32::from(value) * k;
                    }
                }
                out.extend(sums.iter().copied().map(clip));
            }
        }
    }
    out
}
