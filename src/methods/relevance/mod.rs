//! The score handed back layer by layer.

pub mod deep_lift;
pub mod lrp;
pub mod rules;
pub mod salient_relevance;
