//! What a reader of a map should know: every warning that there is, with its English.

use std::collections::BTreeMap;

use serde::Serialize;

/// A kind of warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarningSpec {
    /// Stable.
    pub code: &'static str,
    /// Why a map is all zeros.
    pub cause: Option<&'static str>,
    /// In English; `{name}` stands for a value.
    pub text: &'static str,
}

/// Numbers overflowed.
pub const NON_FINITE: WarningSpec = WarningSpec::new(
    "non-finite",
    "{count} of {cells} values are not finite and are shown as 0: numbers overflowed during the computation",
);
/// Every value is 0.
pub const ZERO_MAP: WarningSpec =
    WarningSpec::new("zero-map", "every value is 0: the score does not change with what this method looks at");
/// No gradient reaches what the method looks at.
pub const DISCONNECTED: WarningSpec =
    ZERO_MAP.because("disconnected", "every value is 0: the score does not depend on what this method looks at");
/// No unit of the layer is active.
pub const DEAD_RELU: WarningSpec =
    ZERO_MAP.because("dead-relu", "every value is 0: no unit of this layer is active for this image (dead ReLUs)");
/// The gradient is 0.
pub const SATURATED: WarningSpec = ZERO_MAP.because(
    "saturated",
    "every value is 0: the gradient vanishes on its way back from the score (saturated units or dead ReLUs)",
);
/// Neither activations nor gradients are 0.
pub const CANCELLED: WarningSpec = ZERO_MAP.because(
    "cancelled",
    "every value is 0 although activations and gradients are not: they cancel out under this method's rule",
);
/// All patches are equally alike.
pub const ALIKE: WarningSpec = ZERO_MAP.because(
    "alike",
    "every value is 0: all patches are equally alike at this tau, so none stands out; try another tau",
);
/// All values are the same.
pub const CONSTANT_MAP: WarningSpec =
    WarningSpec::new("constant-map", "every value is {value}: the map singles out no place");
/// The caller stopped a method that estimates.
pub const PARTIAL: WarningSpec =
    WarningSpec::new("partial", "stopped after {done} of {total} samples: the map is an estimate");
/// Much of a map lies on tokens with large norms.
pub const ATTENTION_SINK: WarningSpec = WarningSpec::new(
    "attention-sink",
    "{percent} % of the map lies on {count} of {patches} patches with unusually large norms after the last block \
     (details.outlierTokens): such attention sinks often represent the whole image, not their own place",
);
/// Several attributions fit the samples.
pub const UNDERDETERMINED: WarningSpec = WarningSpec::new(
    "underdetermined",
    "the coalitions do not determine all {segments} superpixels, so the undetermined part is shared evenly; raise \
     nSamples",
);
/// The sum misses the difference of the scores.
pub const INCOMPLETE: WarningSpec = WarningSpec::new(
    "incomplete",
    "after {steps} steps the attribution still misses the score difference, {difference}, by {residual}, more than \
     the tolerance of {tolerance}; raise maxSteps",
);
/// The photo has more pixels than are kept.
pub const SCALED: WarningSpec = WarningSpec::new(
    "scaled",
    "the photo has {width} x {height} pixels; it was scaled down to {keptWidth} x {keptHeight} while it was read, so \
     the finest details are not seen",
);

/// All kinds.
pub const WARNINGS: [WarningSpec; 13] = [
    NON_FINITE,
    ZERO_MAP,
    DISCONNECTED,
    DEAD_RELU,
    SATURATED,
    CANCELLED,
    ALIKE,
    CONSTANT_MAP,
    PARTIAL,
    ATTENTION_SINK,
    UNDERDETERMINED,
    INCOMPLETE,
    SCALED,
];

impl WarningSpec {
    const fn new(code: &'static str, text: &'static str) -> Self {
        Self { code, cause: None, text }
    }

    const fn because(self, cause: &'static str, text: &'static str) -> Self {
        Self { code: self.code, cause: Some(cause), text }
    }

    /// What translations have it by: `warning.<code>`, or `warning.<code>.<cause>`.
    pub fn key(&self) -> String {
        match self.cause {
            Some(cause) => format!("warning.{}.{cause}", self.code),
            None => format!("warning.{}", self.code),
        }
    }

    /// The warning with its values.
    pub fn with<const N: usize>(self, values: [(&'static str, f64); N]) -> Warning {
        let mut message = self.text.to_owned();
        for (name, value) in values {
            message = message.replace(&format!("{{{name}}}"), &in_words(value));
        }
        Warning { code: self.code, cause: self.cause, key: self.key(), values: values.into(), message }
    }
}

/// Something that a reader of a map should know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    /// Stable.
    pub code: &'static str,
    /// Why a map is all zeros: `dead-relu`, `saturated`, `disconnected`, `cancelled` or `alike`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// [`WarningSpec::key`], by which a language has its text.
    pub key: String,
    /// What goes into that text, by name.
    pub values: BTreeMap<&'static str, f64>,
    /// In English.
    pub message: String,
}

/// Whole numbers as they are, others in at least three digits. Translations say them in the
/// digits and signs of their language.
fn in_words(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    if !(1e-3..1e4).contains(&size) {
        return format!("{value:.1e}");
    }
    let decimals = (2.0 - size.log10().floor()).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_or_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (50_176.0, "50176"),
            (12.345, "12.3"),
            (1234.5, "1234"),
            (0.1, "0.1"),
            (-0.012_34, "-0.0123"),
            (0.000_123, "1.2e-4"),
            (98_765.5, "9.9e4"),
        ] {
            assert_eq!(in_words(value), text);
        }
    }

    #[test]
    fn a_warning_says_its_values_and_keeps_them() {
        let warning = PARTIAL.with([("done", 4.0), ("total", 10.0)]);
        assert_eq!(warning.message, "stopped after 4 of 10 samples: the map is an estimate");
        assert_eq!((warning.key.as_str(), warning.values["total"]), ("warning.partial", 10.0));
        assert_eq!(DEAD_RELU.with([]).key, "warning.zero-map.dead-relu");
    }

    #[test]
    fn keys_are_those_of_one_warning_each() {
        let keys: std::collections::BTreeSet<String> = WARNINGS.iter().map(WarningSpec::key).collect();
        assert_eq!(keys.len(), WARNINGS.len());
    }
}
