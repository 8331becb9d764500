//! # Sightline's core: the architecture page
//!
//! Encoded photo bytes become a tensor, a model turns it into logits, a target turns logits into one score, a method turns
//! (model, input, score) into an **attribution** (raw signed numbers), and only then does rendering (`pkg/render.js`) turn numbers
//! into a **heatmap** (a picture). Numbers are computed once; rendering never changes them.
//!
//! ```text
//! photo.rs ─► preprocess.rs ─► models/*.rs (stages, Pass) ─► target.rs ─► methods/*.rs ─► explainer.rs ─► wasm.rs ─► pkg/
//!               package.rs ──────┘                                          baseline.rs, quadrature.rs
//! ```
//!
//! * A model ([`models::Model`]) is a list of **stages** with a single tensor between them. The explainer keeps the tensors at the stage
//!   boundaries of the current photo, so that another class or another CAM resumes at the boundary before its layer.
//! * Every operation that a method may care about goes through the **pass** ([`pass::Pass`]): it can tap an activation or an
//!   attention matrix (and its gradient), replace it, or change the rule of an operation. Burn has no retained gradients; a tap
//!   becomes the leaf of the autodiff graph, or receives a zero leaf where something before it is tracked already.
//! * A family's **plan** ([`models::Plan`]) knows every tensor's name and shape before a byte of the weights is read. Packages are
//!   hostile input: sizes are checked against the plan before anything is allocated.
//! * Beside attributions there is the table of a transformer's attention heads ([`heads`]).
//! * Nothing reads back from the device synchronously: [`explainer::Context::read`] awaits.
//!
//! ## Adding a method
//! One file in `src/methods/` with a `SPEC` and a `run` function, one line in [`methods`]. Pickers, option controls, TypeScript ids,
//! README tables and contract tests come from the registry.
//!
//! ## Adding a model family
//! One file in `src/models/` with a `FAMILY` and a plan, one line in [`models`]. A convolutional net is written as data ([`net::Op`]): its
//! shapes, costs, tensors, loading and running follow. Goldens from the reference library: `tests/reference/make_model_goldens.py`.
//!
//! ## Vocabulary
//! | use | meaning |
//! |---|---|
//! | attribution | raw signed scores, input- or layer-shaped |
//! | heatmap | the coloured picture of an attribution |
//! | target, score | what is explained, its scalar; the logit |
//! | baseline | reference input x' |
//! | layer, activations, gradients | where a CAM reads |
//! | completeness, delta | sum(attribution) = F(x) - F(x'), and its residual |
//!
//! Axes are N, C, H, W; T tokens; D width; K classes; lower-case h, w for layer grids.

pub mod ask;
pub mod device;
pub mod error;
pub mod explain;
pub mod inside;
pub mod math;
pub mod methods;
pub mod nn;
pub mod package;
pub mod photo;
#[cfg(target_arch = "wasm32")]
mod wasm;

// The rooms' old names, until the tests follow.
pub use ask::fill as baseline;
pub mod explainer {
    pub use crate::ask::control::*;
    pub use crate::explain::*;
}
pub use inside::heads;
pub use math::{grid, random, superpixels};
pub use methods::path::felzenszwalb;
pub use nn::{guess, net, pass, target};
pub use package::pth;
pub mod layers {
    pub use crate::nn::layers::*;
    pub use crate::nn::weights::Param;
    use burn::tensor::Tensor;
    pub use sightline_kernels::Act;
    pub fn forward<const D: usize>(act: Act, x: Tensor<D>) -> Tensor<D> {
        crate::device::act(x, act)
    }
}
pub mod models {
    pub use crate::nn::families::*;
    pub use crate::nn::model::*;
}
pub mod preprocess {
    pub use crate::photo::preprocess::*;
    pub use crate::photo::resize::*;
}

pub use error::{Error, Result};
pub use explain::Explainer;

/// The crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
