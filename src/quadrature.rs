//! The option that picks the integration rule of a path method.

use crate::error::{Error, Result};
pub use crate::math::quadrature::Rule;
use crate::methods::{Kind, OptionSpec, Options};

/// The option that picks one.
pub const QUADRATURE: OptionSpec = OptionSpec {
    id: "quadrature",
    kind: Kind::Choice { default: "gauss_legendre", choices: Rule::CHOICES },
    unit: None,
    help: "the integration rule",
};

impl Rule {
    /// The rule that the option [`QUADRATURE`] names.
    ///
    /// # Errors
    /// [`Error::Internal`] where the method has no such option.
    pub fn asked(options: &Options) -> Result<Self> {
        Self::from_id(options.choice(QUADRATURE.id)?)
            .ok_or_else(|| Error::Internal("the quadrature's choice has no meaning".into()))
    }
}
