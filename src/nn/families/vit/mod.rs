//! Vision transformers: ViT (Dosovitskiy et al. 2020, arXiv 2010.11929), those of CLIP (Radford et
//! al. 2021, arXiv 2103.00020) and those with registers (Darcet et al. 2023, arXiv 2309.16588), by
//! timm's names, keys and `model_args`; and the graph of every family of plain vision transformers.
//!
//! Stages: `embed` (patches, class token, positions), one per block, `head` (norm, pooling,
//! classifier). Between them the residual stream, `[N, T, D]`: class token, distillation token,
//! registers, patches.

mod plan;
mod run;

use sightline_kernels::Act;

use crate::nn::families::Family;

pub(super) use plan::plan;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "vit",
    title: "ViT",
    names: &NAMES,
    default_layer: "norm1 of the last block, tokens folded to the patch grid",
    checked_against: "timm 1.0.31",
    plan: |config| plan(config, &VARIANTS),
};

/// timm's arguments for an architecture where they are not in its name.
#[derive(Clone, Copy)]
pub(super) struct Variant {
    /// Width, depth and heads, if they differ from those of the size in the name.
    pub(super) size: Option<[usize; 3]>,
    pub(super) qkv_bias: bool,
    /// Whether `init_values` is set.
    pub(super) layer_scale: bool,
    pub(super) class_token: bool,
    /// Positions for patches only.
    pub(super) no_embed_class: bool,
    pub(super) pre_norm: bool,
    /// Pooling over patches instead of the class token.
    pub(super) average: bool,
    /// Norm after the pooling instead of before it; `None`: if the pooling averages.
    pub(super) fc_norm: Option<bool>,
    pub(super) epsilon: f64,
    pub(super) act: Act,
    /// A distillation token next to the class token, and a classifier for each; their logits are
    /// averaged.
    pub(super) distilled: bool,
}

pub(super) const PLAIN: Variant = Variant {
    size: None,
    qkv_bias: true,
    layer_scale: false,
    class_token: true,
    no_embed_class: false,
    pre_norm: false,
    average: false,
    fc_norm: None,
    epsilon: 1e-6,
    act: Act::Gelu,
    distilled: false,
};

const GAP: Variant = Variant { class_token: false, average: true, fc_norm: Some(false), ..PLAIN };

const REG_GAP: Variant = Variant { no_embed_class: true, layer_scale: true, fc_norm: None, ..GAP };

const CLIP: Variant = Variant { pre_norm: true, epsilon: 1e-5, ..PLAIN };

const QUICK: Variant = Variant { act: Act::QuickGelu, ..CLIP };

const PLUS: Option<[usize; 3]> = Some([896, 12, 14]);

/// Without timm's huge, giant and gigantic ones, which have more parameters than a package may
/// ([`MAX_PARAMETERS`](crate::package::MAX_PARAMETERS)).
const VARIANTS: [(&str, Variant); 27] = [
    ("vit_tiny_patch16_{224,384}", PLAIN),
    ("vit_{small,base,large}_patch{16,32}_{224,384}", PLAIN),
    ("vit_{small,base}_patch8_224", PLAIN),
    ("vit_large_patch14_224", PLAIN),
    ("vit_base_patch16_224_miil", Variant { qkv_bias: false, ..PLAIN }),
    ("vit_base_patch16_plus_240", Variant { size: PLUS, layer_scale: true, ..PLAIN }),
    ("vit_base_patch32_plus_256", Variant { size: PLUS, layer_scale: true, ..PLAIN }),
    ("vit_small_patch16_36x1_224", Variant { size: Some([384, 36, 6]), layer_scale: true, ..PLAIN }),
    ("vit_medium_patch16_gap_{240,256,384}", Variant { qkv_bias: false, layer_scale: true, ..GAP }),
    ("vit_betwixt_patch16_gap_256", Variant { qkv_bias: false, layer_scale: true, ..GAP }),
    ("vit_base_patch16_gap_224", Variant { size: Some([768, 12, 16]), ..GAP }),
    ("vit_wee_patch16_reg1_gap_256", REG_GAP),
    ("vit_{little,medium,betwixt}_patch16_reg{1,4}_gap_256", REG_GAP),
    ("vit_mediumd_patch16_reg4_gap_{256,384}", REG_GAP),
    ("vit_betwixt_patch16_reg4_gap_384", REG_GAP),
    ("vit_base_patch16_reg4_gap_256", Variant { layer_scale: false, ..REG_GAP }),
    ("vit_so150m_patch16_reg4_gap_{256,384}", GAP),
    ("vit_so150m2_patch16_reg1_gap_{256,384,448}", Variant { qkv_bias: false, no_embed_class: false, ..REG_GAP }),
    ("vit_xsmall_patch16_clip_224", CLIP),
    ("vit_medium_patch{16,32}_clip_224", CLIP),
    ("vit_betwixt_patch32_clip_224", CLIP),
    ("vit_base_patch16_clip_{224,384}", CLIP),
    ("vit_base_patch32_clip_{224,256,384,448}", CLIP),
    ("vit_base_patch16_plus_clip_240", Variant { size: PLUS, ..CLIP }),
    ("vit_large_patch14_clip_{224,336}", CLIP),
    ("vit_base_patch{16,32}_clip_quickgelu_224", QUICK),
    ("vit_large_patch14_clip_quickgelu_{224,336}", QUICK),
];

const NAMES: [&str; VARIANTS.len()] = names(&VARIANTS);

/// The patterns of a table of variants.
pub(super) const fn names<const N: usize>(variants: &[(&'static str, Variant); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut i = 0;
    while i < N {
        names[i] = variants[i].0;
        i += 1;
    }
    names
}
