//! # Sightline's core: the architecture page
//!
//! Encoded photo bytes become a tensor, a model turns it into logits, a target turns logits into
//! one score, a method turns (model, input, score) into an **attribution** (raw signed numbers),
//! and only then does rendering (`pkg/picture/render.js`) turn numbers into a **heatmap** (an
//! image). Numbers are computed once; rendering never changes them.
//!
//! ## The rooms
//! A room is a folder, or a file beside this one. Each line is a floor: code may use its own room
//! and the floors below, never those above. `cargo xtask lint` fails when an import runs upwards or
//! a room is missing here.
//!
//! ```text rooms
//! wasm: the boundary to JavaScript, the only room with wasm_bindgen
//! explain: a photo's prediction and its attributions, on one model; why a map is empty
//! inside: what is inside a model, one file per part that can be inspected (attention heads)
//! methods: the attribution methods by group, one file per method, and what they share
//! ask: the running call (progress, stop, passes, warnings), and what replaces hidden pixels
//! nn: models: layers, passes, targets, the reading of packages, and families/, one file per family
//! package: files to config and named tensors; knows no network, no model and no device
//! photo: encoded bytes to upright RGB to the tensor that a model takes
//! device: convolutions, products, norms, attention and activations on the CPU, on WebGPU, by burn
//! math: grids, quadrature, random numbers, superpixels, eigenvectors, Cholesky factors
//! error: one enum of everything that can go wrong, by whose fault it is
//! ```
//!
//! Metrics will stand in `evaluate`, on the floor of `inside`. The loops of the CPU's kernels are a
//! crate of their own, `kernels/`, which depends neither on burn nor on a browser.
//!
//! ## One photo, followed through
//! 1. `pkg/engine/worker.js` calls [`Engine::attribute`](wasm) with the photo's bytes and a request
//!    `{ method, target, layer, ...options }`.
//! 2. [`explain::Explainer`] has the photo decoded ([`photo::decode`]) and resized, cropped and
//!    normalised as timm does it with Pillow ([`photo::preprocess`]).
//! 3. It runs the model forward once. A model ([`nn::model::Model`]) is a list of **stages** with a
//!    single tensor between them; the tensors at their boundaries are kept, so that another class
//!    or another CAM resumes at the boundary before its layer ([`methods::predicted`]).
//! 4. The method ([`methods::METHODS`]) gets a [`methods::Context`]. Whatever it wants to see or
//!    change inside the model goes through a **pass** ([`nn::pass::Pass`]): it taps an activation
//!    or an attention matrix and its gradient, replaces it, or changes the rule of an operation.
//!    Burn has no retained gradients: a tap becomes the leaf of the autodiff graph, or receives a
//!    zero leaf where something before it is tracked already.
//! 5. Every layer ([`nn::layers`]) hands its weights to [`device`], which chooses the kernel.
//! 6. The numbers are read back, always awaited ([`methods::Context::read`]); an empty map is
//!    diagnosed ([`explain::diagnose`]), and the [`explain::Attribution`] crosses to JavaScript.
//!
//! A package is read before that: [`package`] reads config.json and PyTorch's archives, a family's
//! **plan** ([`nn::model::Plan`]) knows every tensor's name and shape before a byte of the weights
//! is read, and [`nn::load`] checks the file against it. Packages are hostile input: sizes are
//! checked before anything is allocated.
//!
//! ## Why it stands there
//! * `nn/guess.rs`, not `package/`: a file without config.json is guessed by asking every family
//!   for its plan.
//! * `inside/heads.rs`, not `methods/`: the table of attention heads is about a model, not a map.
//! * Activation functions are the device's; their names are the kernels'.
//!
//! ## Adding a method
//! One file in `src/methods/<group>/` with a `SPEC` and a `run` function, its `mod` line, and one
//! line in [`methods::METHODS`]. A SPEC starts from its group's base and says only what is its own.
//! Pickers, option controls, TypeScript ids, docs tables and contract tests come from the registry.
//!
//! ## Adding a model family
//! One file in `src/nn/families/` with a `FAMILY` and a plan, its `mod` line, and one line in
//! [`nn::families::FAMILIES`]. A convolutional net is written as data ([`nn::net::Op`]): its
//! shapes, costs, tensors, loading and running follow.
//!
//! `CONTRIBUTING.md` gives the steps for both, with goldens and commands.
//!
//! ## Vocabulary
//! | use | meaning |
//! |---|---|
//! | attribution | raw signed scores, input- or layer-shaped |
//! | heatmap | the coloured image of an attribution |
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

pub use error::{Error, Result};
pub use explain::Explainer;

/// The crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
