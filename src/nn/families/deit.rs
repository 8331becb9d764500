//! DeiT, plain and distilled (Touvron et al. 2020, arXiv 2012.12877), and DeiT III (Touvron et al.
//! 2022, arXiv 2204.07118), by timm's names, keys and `model_args`: vision transformers as in
//! [`vit`].

use crate::nn::families::Family;
use crate::nn::families::vit::{self, PLAIN, Variant, names};

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "deit",
    title: "DeiT / DeiT III",
    names: &NAMES,
    plan: |config| vit::plan(config, &VARIANTS),
    ..vit::FAMILY
};

const DISTILLED: Variant = Variant { distilled: true, ..PLAIN };
const DEIT3: Variant = Variant { no_embed_class: true, layer_scale: true, ..PLAIN };

const VARIANTS: [(&str, Variant); 6] = [
    ("deit_{tiny,small}_patch16_224", PLAIN),
    ("deit_base_patch16_{224,384}", PLAIN),
    ("deit_{tiny,small}_distilled_patch16_224", DISTILLED),
    ("deit_base_distilled_patch16_{224,384}", DISTILLED),
    ("deit3_{small,base,large}_patch16_{224,384}", DEIT3),
    ("deit3_medium_patch16_224", DEIT3),
];
const NAMES: [&str; VARIANTS.len()] = names(&VARIANTS);
