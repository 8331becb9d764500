//! Models: their layers, the pass through them, what is asked of their logits, and the families.

pub mod families;
pub mod guess;
pub mod layers;
pub mod load;
pub mod model;
pub mod net;
pub mod pass;
pub mod target;
pub mod weights;
