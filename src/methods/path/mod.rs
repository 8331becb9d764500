//! Gradients along a path from a baseline.

pub mod blur_ig;
pub mod felzenszwalb;
pub mod guided_ig;
pub mod integrated_gradients;
pub mod xrai;

use crate::error::{Error, Result};
use crate::math::quadrature::Rule;
use crate::methods::{ChannelReduction, Group, Kind, MethodSpec, OptionSpec, Options, Space};

/// Defaults for the SPEC of a path method.
pub const PATH: MethodSpec =
    MethodSpec { channels: ChannelReduction::Sum, ..MethodSpec::base(Group::Path, Space::Input, "[C, H, W]") };

/// The option that picks the integration rule of a path method.
pub const QUADRATURE: OptionSpec = OptionSpec {
    id: "quadrature",
    kind: Kind::Choice { default: "gauss_legendre", choices: Rule::CHOICES },
    unit: None,
    help: "integration rule",
};

/// The rule that the option [`QUADRATURE`] names.
///
/// # Errors
/// [`Error::Internal`] where the method has no such option.
pub fn asked_rule(options: &Options) -> Result<Rule> {
    Rule::from_id(options.choice(QUADRATURE.id)?)
        .ok_or_else(|| Error::Internal("the quadrature's choice has no meaning".into()))
}
