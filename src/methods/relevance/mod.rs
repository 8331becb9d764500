//! The score handed back layer by layer.

pub mod deep_lift;
pub mod lrp;
pub mod rules;
pub mod salient_relevance;

use crate::methods::{ChannelReduction, Group, MethodSpec, Need, Space};

/// Defaults for the SPEC of a relevance method.
pub const RELEVANCE: MethodSpec = MethodSpec {
    channels: ChannelReduction::Sum,
    needs: &[Need::Gradients, Need::PlainConvolutions],
    ..MethodSpec::base(Group::Relevance, Space::Input, "[C, H, W]")
};
