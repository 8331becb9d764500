//! Activation functions and their derivatives, four values at a time.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use wide::f32x4;

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// max(x, 0)
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
    /// x sigmoid(x)
    Silu,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// relu6(x + 3) / 6
    HardSigmoid,
    /// x relu6(x + 3) / 6
    HardSwish,
    /// x (1 + erf(x / sqrt 2)) / 2
    Gelu,
    /// x sigmoid(1.702 x)
    QuickGelu,
}

#[inline(always)]
fn splat(x: f32) -> f32x4 {
    f32x4::splat(x)
}

/// c[0] + c[1] x + c[2] x^2 + ...
#[inline(always)]
fn polynomial<const N: usize>(x: f32x4, c: [f32; N]) -> f32x4 {
    c.iter().rev().fold(splat(0.0), |sum, c| sum * x + splat(*c))
}

/// exp(x) within 2e-7 of itself; 0 below -87, infinite above 88.7; of NaN NaN.
#[inline(always)]
pub fn exp(x: f32x4) -> f32x4 {
    // exp(x) = 2^n exp(r), |r| <= ln(2) / 2. Added to 1.5 x 2^23 a number is rounded and its
    // integer is in the low bits.
    let rounder = splat(12_582_912.0);
    let shifted = x * splat(LOG2_E) + rounder;
    let n = shifted - rounder;
    // ln 2 in two parts, the first of few bits, so that n times it is exact.
    let r = x - n * splat(0.693_359_4) - n * splat(-2.121_944_4e-4);
    // Fitted here: relative error 4e-9.
    let q = polynomial(r, [0.499_999_94, 0.166_665_15, 0.041_668_456, 0.008_369_419, 0.001_381_316_6]);
    let e = splat(1.0) + (r + r * r * q);
    let e = f32x4::from_bits(e.to_bits() + (shifted.to_bits() << 23u32));
    let e = x.simd_lt(splat(-87.0)).select(splat(0.0), e);
    let e = splat(88.7).simd_lt(x).select(splat(f32::INFINITY), e);
    x.is_nan().select(x, e)
}

/// (Phi(x), exp(-x^2 / 2)), Phi the normal distribution's cumulative function, within 1e-7.
#[inline(always)]
fn normal(x: f32x4) -> (f32x4, f32x4) {
    let z = x.abs() * splat(FRAC_1_SQRT_2);
    let density = exp(-(z * z));
    let t = splat(1.0) / (splat(1.0) + splat(0.45) * z);
    // erfc(z) = exp(-z^2) t P(t). Fitted here: absolute error 2e-9.
    let c = [0.258_991_5, 0.201_018_13, 0.460_069_7, -0.375_509_83, 0.856_776_36, -0.493_851_5, 0.092_505_57];
    let tail = splat(0.5) * density * t * polynomial(t, c);
    (x.simd_lt(splat(0.0)).select(tail, splat(1.0) - tail), density)
}

/// 1 / (1 + exp(-x))
#[inline(always)]
fn sigmoid(x: f32x4) -> f32x4 {
    splat(1.0) / (splat(1.0) + exp(-x))
}

/// `x`, or `low` where it is less; NaN stays.
#[inline(always)]
fn at_least(x: f32x4, low: f32x4) -> f32x4 {
    // One instruction there; other processors' would lose a NaN.
    if cfg!(target_feature = "simd128") { x.fast_max(low) } else { x.simd_lt(low).select(low, x) }
}

/// `x` between `low` and `high`; NaN stays.
#[inline(always)]
pub(crate) fn clamp(x: f32x4, low: f32x4, high: f32x4) -> f32x4 {
    let x = at_least(x, low);
    if cfg!(target_feature = "simd128") { x.fast_min(high) } else { high.simd_lt(x).select(high, x) }
}

/// 1 where low < x < high, 0 elsewhere.
#[inline(always)]
fn inside(x: f32x4, low: f32, high: f32) -> f32x4 {
    splat(low).simd_lt(x).select(x.simd_lt(splat(high)).select(splat(1.0), splat(0.0)), splat(0.0))
}

/// A loop for each function instead of a choice at each value.
macro_rules! each {
    ($act:expr, $known:ident => $body:expr) => {
        each!($act, $known => $body, Relu Relu6 Silu Sigmoid HardSigmoid HardSwish Gelu QuickGelu)
    };
    ($act:expr, $known:ident => $body:expr, $($name:ident)*) => {
        match $act {
            $(Act::$name => {
                let $known = Act::$name;
                $body
            })*
        }
    };
}

impl Act {
    /// f(x)
    #[inline(always)]
    pub fn value(self, x: f32x4) -> f32x4 {
        match self {
            Self::Relu => at_least(x, splat(0.0)),
            Self::Relu6 => clamp(x, splat(0.0), splat(6.0)),
            Self::Silu => x * sigmoid(x),
            Self::Sigmoid => sigmoid(x),
            Self::HardSigmoid => clamp(x + splat(3.0), splat(0.0), splat(6.0)) * splat(1.0 / 6.0),
            Self::HardSwish => x * clamp(x + splat(3.0), splat(0.0), splat(6.0)) * splat(1.0 / 6.0),
            Self::Gelu => x * normal(x).0,
            Self::QuickGelu => x * sigmoid(x * splat(1.702)),
        }
    }

    /// f'(x); at a kink the slope of the flat side, as PyTorch.
    #[inline(always)]
    pub fn slope(self, x: f32x4) -> f32x4 {
        let of_sigmoid = |x: f32x4, by: f32| {
            let s = sigmoid(x * splat(by));
            s * (splat(1.0) + splat(by) * x * (splat(1.0) - s))
        };
        match self {
            Self::Relu => splat(0.0).simd_lt(x).select(splat(1.0), splat(0.0)),
            Self::Relu6 => inside(x, 0.0, 6.0),
            Self::Silu => of_sigmoid(x, 1.0),
            Self::Sigmoid => {
                let s = sigmoid(x);
                s * (splat(1.0) - s)
            }
            Self::HardSigmoid => inside(x, -3.0, 3.0) * splat(1.0 / 6.0),
            Self::HardSwish => {
                let rising = inside(x, -3.0, 3.0) * x * splat(1.0 / 6.0);
                rising + clamp(x + splat(3.0), splat(0.0), splat(6.0)) * splat(1.0 / 6.0)
            }
            Self::Gelu => {
                let (cumulative, density) = normal(x);
                cumulative + x * density * splat(0.398_942_3)
            }
            Self::QuickGelu => of_sigmoid(x, 1.702),
        }
    }

    /// Whether f(x) tells f'(x), so that a backward pass needs no more than the values.
    pub fn slope_from_value(self) -> bool {
        matches!(self, Self::Relu | Self::Relu6)
    }

    /// What the value is kept between, where that is all; it costs next to nothing.
    pub(crate) fn bounds(act: Option<Self>) -> Option<[f32; 2]> {
        match act {
            None => Some([f32::NEG_INFINITY, f32::INFINITY]),
            Some(Self::Relu) => Some([0.0, f32::INFINITY]),
            Some(Self::Relu6) => Some([0.0, 6.0]),
            _ => None,
        }
    }

    /// f of every value.
    pub fn apply(self, values: &mut [f32]) {
        each!(self, act => map(values, |x| act.value(x)));
    }

    /// gradient x f'(x); `x` may be f(x) where [`Act::slope_from_value`].
    pub fn apply_slope(self, x: &[f32], gradient: &mut [f32]) {
        each!(self, act => zip(gradient, x, |g, x| g * act.slope(x)));
    }
}

/// Replaces every value by what `f` makes of it.
#[inline(always)]
pub fn map(values: &mut [f32], f: impl Fn(f32x4) -> f32x4) {
    let (fours, rest) = values.as_chunks_mut::<4>();
    for four in fours {
        *four = f(f32x4::new(*four)).to_array();
    }
    if !rest.is_empty() {
        let mut last = [0.0; 4];
        last[..rest.len()].copy_from_slice(rest);
        rest.copy_from_slice(&f(f32x4::new(last)).to_array()[..rest.len()]);
    }
}

/// Replaces every value of `values` by what `f` makes of it and the one of `others` beside it.
#[inline(always)]
pub fn zip(values: &mut [f32], others: &[f32], f: impl Fn(f32x4, f32x4) -> f32x4) {
    let (fours, rest) = values.as_chunks_mut::<4>();
    let (other_fours, other_rest) = others.as_chunks::<4>();
    for (four, other) in fours.iter_mut().zip(other_fours) {
        *four = f(f32x4::new(*four), f32x4::new(*other)).to_array();
    }
    for (value, other) in rest.iter_mut().zip(other_rest) {
        *value = f(f32x4::splat(*value), f32x4::splat(*other)).to_array()[0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Act; 8] =
        [Act::Relu, Act::Relu6, Act::Silu, Act::Sigmoid, Act::HardSigmoid, Act::HardSwish, Act::Gelu, Act::QuickGelu];

    /// f in double precision; Phi by Simpson's rule.
    fn exact(act: Act, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match act {
            Act::Relu => x.max(0.0),
            Act::Relu6 => x.clamp(0.0, 6.0),
            Act::Silu => x * sigmoid(x),
            Act::Sigmoid => sigmoid(x),
            Act::HardSigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Act::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Act::Gelu => {
                let n = 2000;
                let h = x / f64::from(n);
                let density = |i: i32| (-0.5 * (f64::from(i) * h).powi(2)).exp() / std::f64::consts::TAU.sqrt();
                let inner: f64 = (1..n).map(|i| density(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
                x * (0.5 + (density(0) + inner + density(n)) * h / 3.0)
            }
            Act::QuickGelu => x * sigmoid(1.702 * x),
        }
    }

    #[test]
    fn values_and_slopes_are_exact() {
        let points: Vec<f32> = (-1200..=1200).map(|i| i as f32 / 100.0 + 0.0013).collect();
        for act in ALL {
            let mut values = points.clone();
            act.apply(&mut values);
            let mut slopes = vec![1.0; points.len()];
            act.apply_slope(&points, &mut slopes);
            for ((&x, value), slope) in points.iter().zip(values).zip(slopes) {
                let x = f64::from(x);
                let expected = exact(act, x);
                assert!(
                    (f64::from(value) - expected).abs() < 3e-7 * expected.abs().max(1.0),
                    "{act:?}({x}) = {value}, not {expected}"
                );
                let h = 1e-4;
                let expected = (exact(act, x + h) - exact(act, x - h)) / (2.0 * h);
                assert!((f64::from(slope) - expected).abs() < 2e-6, "{act:?}'({x}) = {slope}, not {expected}");
            }
        }
    }

    #[test]
    fn extremes() {
        let e = |x: f32| exp(f32x4::splat(x)).to_array()[0];
        assert_eq!([e(0.0), e(-100.0), e(f32::NEG_INFINITY), e(100.0)], [1.0, 0.0, 0.0, f32::INFINITY]);
        for i in -8600..8800 {
            let x = i as f32 / 100.0;
            let (actual, expected) = (f64::from(e(x)), f64::from(x).exp());
            assert!((actual / expected - 1.0).abs() < 2e-7, "exp({x}) = {actual}, not {expected}");
        }
        for act in ALL {
            assert!(act.value(f32x4::splat(f32::NAN)).to_array()[0].is_nan(), "{act:?}");
            assert!(act.value(f32x4::splat(1e30)).to_array()[0] >= 1.0, "{act:?}");
            assert!(act.value(f32x4::splat(-1e30)).to_array()[0].abs() == 0.0, "{act:?}");
        }
        assert_eq!(Act::Relu6.slope(f32x4::new([0.0, 6.0, 3.0, -1.0])).to_array(), [0.0, 0.0, 1.0, 0.0]);
    }
}
