//! DINOv2 (Oquab et al. 2023, arXiv 2304.07193) with a classifier, without and with registers
//! (Darcet et al. 2023, arXiv 2309.16588), by timm's names, keys and `model_args`: vision
//! transformers as in [`vit`].

use crate::nn::families::Family;
use crate::nn::families::vit::{self, PLAIN, Variant, names};

/// The registry entry.
pub const FAMILY: Family =
    Family { id: "dinov2", title: "DINOv2", names: &NAMES, plan: |config| vit::plan(config, &VARIANTS), ..vit::FAMILY };

const DINO: Variant = Variant { layer_scale: true, ..PLAIN };
const REG: Variant = Variant { no_embed_class: true, ..DINO };

const VARIANTS: [(&str, Variant); 2] =
    [("vit_{small,base,large}_patch14_dinov2", DINO), ("vit_{small,base,large}_patch14_reg4_dinov2", REG)];
const NAMES: [&str; VARIANTS.len()] = names(&VARIANTS);
