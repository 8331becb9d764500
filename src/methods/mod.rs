//! The registry of attribution methods: one file per method, one line in [`METHODS`].

pub mod attention;
pub mod black_box;
pub mod cam;
pub mod context;
pub mod gradient;
pub mod options;
pub mod output;
pub mod passes;
pub mod path;
pub mod predicted;
pub mod relevance;
pub mod spec;

pub use context::Context;
pub use options::{GivenTensor, Options, Reference};
pub use output::{Completeness, LayerMap, Output, Space};
pub use spec::{
    BASELINE, BLUR_SIGMA, CHUNK_SIZE, ChannelReduction, Group, Kind, MethodSpec, Need, OptionSpec, Reads, SEED, Sign,
};

use crate::ask::control::LocalFuture;
use crate::error::{Error, Result, quote};

/// A method: description and computation.
#[derive(Clone, Copy)]
pub struct Method {
    pub spec: &'static MethodSpec,
    /// Its computation.
    pub run: for<'a> fn(&'a Context<'a>) -> LocalFuture<'a, Result<Output>>,
}

macro_rules! methods {
    ($($group:ident::$method:ident),* $(,)?) => {
        &[$(Method { spec: &$group::$method::SPEC, run: |context| Box::pin($group::$method::run(context)) }),*]
    };
}

/// Every attribution method, one line each.
#[rustfmt::skip]
pub static METHODS: &[Method] = methods![
    cam::grad_cam,
    cam::grad_cam_plus_plus,
    cam::hires_cam,
    cam::layer_cam,
    cam::xgrad_cam,
    cam::norm_grad,
    cam::eigen_cam,
    cam::eigen_grad_cam,
    cam::score_cam,
    cam::ablation_cam,
    gradient::saliency,
    gradient::input_x_gradient,
    gradient::smooth_grad,
    gradient::smooth_grad_sq,
    gradient::var_grad,
    gradient::guided_backprop,
    gradient::guided_grad_cam,
    path::integrated_gradients,
    path::blur_ig,
    path::guided_ig,
    path::xrai,
    relevance::lrp,
    relevance::deep_lift,
    relevance::salient_relevance,
    attention::attention_rollout,
    attention::chefer,
    attention::raw_attention,
    attention::token_cut,
    black_box::occlusion,
    black_box::rise,
    black_box::lime,
    black_box::kernel_shap,
];

/// The method with this id.
///
/// # Errors
/// [`Error::BadOption`] naming those that exist.
pub fn find(id: &str) -> Result<&'static Method> {
    METHODS.iter().find(|m| m.spec.id == id).ok_or_else(|| {
        let known: Vec<&str> = METHODS.iter().map(|m| m.spec.id).collect();
        Error::BadOption(format!("method: there is no \"{}\"; choose one of {}", quote(id), known.join(", ")))
    })
}
