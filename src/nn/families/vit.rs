//! Vision transformers: ViT (Dosovitskiy et al. 2020, arXiv 2010.11929), those of CLIP (Radford et
//! al. 2021, arXiv 2103.00020) and those with registers (Darcet et al. 2023, arXiv 2309.16588), by
//! timm's names, keys and `model_args`; and the graph of every family of plain vision transformers.
//!
//! Stages: `embed` (patches, class token, positions), one per block, `head` (norm, pooling,
//! classifier). Between them the residual stream, `[N, T, D]`: class token, distillation token,
//! registers, patches.

use std::ops::Range;

use burn::tensor::Tensor;
use sightline_kernels::Act;

use crate::device;
use crate::error::{Error, Result, bad_model};
use crate::nn::families::{Family, expand};
use crate::nn::layers::{Conv2d, Conv2dSpec, LayerNorm, LayerNormSpec, Linear, LinearSpec};
use crate::nn::model::{AttentionSpec, Feature, Fold, Layer, Model, ModelSpec, Plan, Stage};
use crate::nn::pass::{Activation, Pass, Tappable};
use crate::nn::weights::Param;
use crate::nn::weights::Weights;
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "vit",
    title: "ViT",
    names: &NAMES,
    default_layer: "norm1 of the last block, tokens folded to the patch grid",
    checked_against: "timm 1.0.31",
    plan: |config| plan(config, &VARIANTS),
};

/// Elements of one block's attention matrices from which on they cannot fit the 4 GiB of a wasm
/// memory.
const MAX_ATTENTION: usize = 1 << 30;

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

/// The size in a name, its width, depth, heads, and hidden units of an MLP over its width.
const SIZES: [(&str, [usize; 3], f64); 12] = [
    ("tiny", [192, 12, 3], 4.0),
    ("xsmall", [256, 10, 4], 4.0),
    ("wee", [256, 14, 4], 5.0),
    ("little", [320, 14, 5], 5.6),
    ("small", [384, 12, 6], 4.0),
    ("medium", [512, 12, 8], 4.0),
    ("mediumd", [512, 20, 8], 4.0),
    ("betwixt", [640, 12, 10], 4.0),
    ("base", [768, 12, 12], 4.0),
    ("so150m2", [832, 21, 13], 34.0 / 13.0),
    ("so150m", [896, 18, 14], 2.572),
    ("large", [1024, 24, 16], 4.0),
];

/// The number behind `mark` in a name: 16 for `_patch` in `vit_tiny_patch16_224`.
fn number(architecture: &str, mark: &str) -> Option<usize> {
    let (_, rest) = architecture.split_once(mark)?;
    rest.split('_').next()?.parse().ok()
}

/// timm's activation functions by name.
fn act_layer(name: &str) -> Option<Act> {
    match name {
        "gelu" => Some(Act::Gelu),
        "quick_gelu" => Some(Act::QuickGelu),
        "relu" => Some(Act::Relu),
        "silu" | "swish" => Some(Act::Silu),
        _ => None,
    }
}

/// A learned addition to the tokens: name and shape.
#[derive(Clone)]
struct Token {
    name: &'static str,
    shape: [usize; 3],
}

#[derive(Clone)]
struct BlockSpec {
    name: String,
    norm1: LayerNormSpec,
    qkv: LinearSpec,
    qk_norm: Option<[LayerNormSpec; 2]>,
    proj: LinearSpec,
    scale1: Option<Param>,
    norm2: LayerNormSpec,
    fc1: LinearSpec,
    fc2: LinearSpec,
    scale2: Option<Param>,
}

struct VitPlan {
    spec: ModelSpec,
    heads: usize,
    prefix: usize,
    average: bool,
    position_before_prefix: bool,
    act: Act,
    patches: Conv2dSpec,
    prefixes: Vec<Token>,
    position: Token,
    norm_pre: Option<LayerNormSpec>,
    blocks: Vec<BlockSpec>,
    norm: Option<LayerNormSpec>,
    fc_norm: Option<LayerNormSpec>,
    head: LinearSpec,
    head_dist: Option<LinearSpec>,
}

/// The plan for a package whose architecture is in `variants`.
pub(super) fn plan(config: &Config, variants: &[(&str, Variant)]) -> Result<Box<dyn Plan>> {
    let architecture = config.architecture.clone();
    let known = variants.iter().find(|(pattern, _)| expand(pattern).contains(&architecture));
    let size = architecture.split('_').nth(1);
    let size = SIZES.iter().find(|(name, ..)| Some(*name) == size);
    let (Some(&(_, variant)), Some(&(_, size, ratio)), Some(patch)) = (known, size, number(&architecture, "_patch"))
    else {
        return bad_model(format!("{architecture} is not a vision transformer"));
    };
    let [width, depth, heads] = variant.size.unwrap_or(size);
    let mut args = config.args.clone();
    let [channels, height, width_px] = config.preprocess.input_size;
    let image = args.pair("img_size", [height, width_px], 1..=1024)?;
    let patch = args.integer("patch_size", patch, 1..=64)?;
    let width = args.integer("embed_dim", width, 1..=4096)?;
    let depth = args.integer("depth", depth, 1..=64)?;
    let heads = args.integer("num_heads", heads, 1..=64)?;
    let ratio = args.number("mlp_ratio", ratio, 0.1..=16.0)?;
    let hidden = (width as f64 * ratio) as usize;
    let qkv_bias = args.boolean("qkv_bias", variant.qkv_bias)?;
    let qk_norm = args.boolean("qk_norm", false)?;
    let proj_bias = args.boolean("proj_bias", true)?;
    let class_token = args.boolean("class_token", variant.class_token)?;
    let registers = args.integer("reg_tokens", number(&architecture, "_reg").unwrap_or(0), 0..=64)?;
    let no_embed_class = args.boolean("no_embed_class", variant.no_embed_class)?;
    let pre_norm = args.boolean("pre_norm", variant.pre_norm)?;
    args.read_null_as("act_layer", "gelu");
    let act = match args.string("act_layer")? {
        None => variant.act,
        Some(name) => act_layer(&name).ok_or_else(|| {
            Error::UnsupportedArchitecture(format!(
                "{architecture} with the activation function {name:?} is not supported"
            ))
        })?,
    };
    let average = match config.global_pool.as_deref() {
        None => variant.average,
        Some("token") => false,
        Some("avg") => true,
        Some(other) => {
            return bad_model(format!(
                "config.json: global_pool {other:?} is not supported for {architecture}; use \"token\" or \"avg\""
            ));
        }
    };
    if !average && !class_token {
        return bad_model("config.json: global_pool \"token\" needs a class token");
    }
    args.read_null_as("fc_norm", average);
    let fc_norm = args.boolean("fc_norm", variant.fc_norm.unwrap_or(average))?;
    args.read_null_as("init_values", 0);
    let layer_scale = args.number("init_values", if variant.layer_scale { 1.0 } else { 0.0 }, 0.0..=1e6)? > 0.0;
    args.finish(&architecture)?;
    let distilled = variant.distilled;
    if distilled && (average || fc_norm || no_embed_class || !class_token || registers > 0) {
        return bad_model(
            "config.json: a distilled model must have a class token and a distillation token with positions, and no \
             average pooling, fc_norm or registers",
        );
    }
    let grid = image.map(|side| side / patch);
    if grid.contains(&0) || width % heads != 0 {
        return bad_model(format!(
            "config.json: patches of {patch} pixels must fit into {image:?} pixels, and the width, {width}, must \
             divide by {heads} heads"
        ));
    }
    let [h, w] = grid;
    let prefix = usize::from(class_token) + usize::from(distilled) + registers;
    let tokens = h * w + prefix;
    let attention = heads.saturating_mul(tokens.saturating_mul(tokens));
    if attention >= MAX_ATTENTION {
        return Err(Error::OutOfMemory(format!(
            "attention between {tokens} tokens in {heads} heads takes {} GB for one image, but WebAssembly has 4 GB; \
             open a smaller model",
            attention.saturating_mul(4) >> 30
        )));
    }
    // OpenAI's and similar variants norm before the blocks and then have no bias here.
    let patches =
        Conv2dSpec::new("patch_embed.proj", channels, width, patch).stride(patch).padding(None).bias(!pre_norm);
    let layer_norm = |name: &str, width: usize| LayerNormSpec { name: name.into(), width, epsilon: variant.epsilon };
    let linear =
        |name: &str, inputs: usize, outputs: usize, bias: bool| LinearSpec { name: name.into(), inputs, outputs, bias };
    let blocks: Vec<BlockSpec> = (0..depth)
        .map(|i| {
            let name = format!("blocks.{i}");
            let at = |leaf: &str| format!("{name}.{leaf}");
            let scale = |leaf: &str| layer_scale.then(|| Param::new(&at(leaf), "gamma", &[width]));
            BlockSpec {
                norm1: layer_norm(&at("norm1"), width),
                qkv: linear(&at("attn.qkv"), width, 3 * width, qkv_bias),
                qk_norm: qk_norm
                    .then(|| ["q_norm", "k_norm"].map(|n| layer_norm(&at(&format!("attn.{n}")), width / heads))),
                proj: linear(&at("attn.proj"), width, width, proj_bias),
                scale1: scale("ls1"),
                norm2: layer_norm(&at("norm2"), width),
                fc1: linear(&at("mlp.fc1"), width, hidden, proj_bias),
                fc2: linear(&at("mlp.fc2"), hidden, width, proj_bias),
                scale2: scale("ls2"),
                name,
            }
        })
        .collect();
    let block_macs = |b: &BlockSpec| {
        let rows = tokens as f64;
        rows * (b.qkv.macs() + b.proj.macs() + b.fc1.macs() + b.fc2.macs()) + 2.0 * rows * rows * width as f64
    };
    let head = linear("head", width, config.num_classes, true);
    let head_dist = distilled.then(|| linear("head_dist", width, config.num_classes, true));
    let mut stages = vec![Stage { name: "embed".into(), macs: patches.macs(h, w) }];
    let mut layers = vec![Layer { id: "patch_embed".into(), stage: 0, fold: Fold::Tokens { prefix: 0, h, w, width } }];
    let fold = Fold::Tokens { prefix, h, w, width };
    for (i, block) in blocks.iter().enumerate() {
        stages.push(Stage { name: block.name.clone(), macs: block_macs(block) });
        for leaf in [".norm1", ".attn", ".norm2", ".mlp", ""] {
            layers.push(Layer { id: format!("{}{leaf}", block.name), stage: i + 1, fold });
        }
    }
    if !fc_norm {
        layers.push(Layer { id: "norm".into(), stage: stages.len(), fold });
    }
    let head_macs = head.macs() + head_dist.as_ref().map_or(0.0, LinearSpec::macs);
    stages.push(Stage { name: "head".into(), macs: head_macs });
    let spec = ModelSpec {
        architecture,
        input_size: [channels, image[0], image[1]],
        num_classes: config.num_classes,
        stages,
        layers,
        default_layer: format!("blocks.{}.norm1", depth - 1),
        features: [Feature::of(act), Feature::LayerNorm, Feature::Attention].into(),
        attention: Some(AttentionSpec {
            blocks: depth,
            heads,
            special: [
                ("class", usize::from(class_token)),
                ("distillation", usize::from(distilled)),
                ("register", registers),
            ]
            .into_iter()
            .flat_map(|(name, count)| std::iter::repeat_n(name, count))
            .collect(),
            averaged: average,
            grid,
            patch,
        }),
    };
    let positions = if no_embed_class { h * w } else { tokens };
    Ok(Box::new(VitPlan {
        heads,
        prefix,
        average,
        position_before_prefix: no_embed_class,
        act,
        patches,
        prefixes: [
            ("cls_token", usize::from(class_token)),
            ("dist_token", usize::from(distilled)),
            ("reg_token", registers),
        ]
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(name, count)| Token { name, shape: [1, count, width] })
        .collect(),
        position: Token { name: "pos_embed", shape: [1, positions, width] },
        norm_pre: pre_norm.then(|| layer_norm("norm_pre", width)),
        blocks,
        norm: (!fc_norm).then(|| layer_norm("norm", width)),
        fc_norm: fc_norm.then(|| layer_norm("fc_norm", width)),
        head,
        head_dist,
        spec,
    }))
}

impl Plan for VitPlan {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn params(&self) -> Vec<Param> {
        let mut params = self.patches.params();
        for token in self.prefixes.iter().chain([&self.position]) {
            params.push(Param::new("", token.name, &token.shape));
        }
        for b in &self.blocks {
            params.extend([b.norm1.params(), b.qkv.params(), b.proj.params()].concat());
            params.extend(b.qk_norm.iter().flatten().flat_map(LayerNormSpec::params));
            params.extend([b.norm2.params(), b.fc1.params(), b.fc2.params()].concat());
            params.extend([&b.scale1, &b.scale2].into_iter().flatten().cloned());
        }
        params
            .extend([&self.norm_pre, &self.norm, &self.fc_norm].into_iter().flatten().flat_map(LayerNormSpec::params));
        params.extend([Some(&self.head), self.head_dist.as_ref()].into_iter().flatten().flat_map(LinearSpec::params));
        params
    }

    fn build(&self, weights: &mut Weights) -> Result<Box<dyn Model>> {
        let norm =
            |norm: &Option<LayerNormSpec>, weights: &mut Weights| norm.as_ref().map(|n| n.load(weights)).transpose();
        let gamma = |param: &Option<Param>, weights: &mut Weights| {
            param.as_ref().map(|p| weights.take::<1>(&p.name, [p.shape.iter().product()])).transpose()
        };
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (index, b) in self.blocks.iter().enumerate() {
            blocks.push(Block {
                index,
                name: b.name.clone(),
                norm1: b.norm1.load(weights)?,
                qkv: b.qkv.load(weights)?,
                qk_norm: match &b.qk_norm {
                    Some([q, k]) => Some([q.load(weights)?, k.load(weights)?]),
                    None => None,
                },
                proj: b.proj.load(weights)?,
                scale1: gamma(&b.scale1, weights)?,
                norm2: b.norm2.load(weights)?,
                fc1: b.fc1.load(weights)?,
                fc2: b.fc2.load(weights)?,
                scale2: gamma(&b.scale2, weights)?,
                heads: self.heads,
                act: self.act,
            });
        }
        Ok(Box::new(Vit {
            patches: self.patches.load(weights)?,
            prefixes: self.prefixes.iter().map(|t| weights.take::<3>(t.name, t.shape)).collect::<Result<_>>()?,
            position: weights.take::<3>(self.position.name, self.position.shape)?,
            norm_pre: norm(&self.norm_pre, weights)?,
            blocks,
            norm: norm(&self.norm, weights)?,
            fc_norm: norm(&self.fc_norm, weights)?,
            head: self.head.load(weights)?,
            head_dist: self.head_dist.as_ref().map(|head| head.load(weights)).transpose()?,
            prefix: self.prefix,
            average: self.average,
            position_before_prefix: self.position_before_prefix,
            spec: self.spec.clone(),
        }))
    }
}

struct Block {
    index: usize,
    name: String,
    norm1: LayerNorm,
    qkv: Linear,
    qk_norm: Option<[LayerNorm; 2]>,
    proj: Linear,
    scale1: Option<Tensor<1>>,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    scale2: Option<Tensor<1>>,
    heads: usize,
    act: Act,
}

impl Block {
    /// Layer scale, where the block has it.
    fn scaled(&self, leaf: &str, x: Tensor<3>, gamma: &Option<Tensor<1>>, pass: &mut Pass) -> Result<Tensor<3>> {
        match gamma {
            Some(gamma) => pass.tap(&format!("{}.{leaf}", self.name), x * gamma.clone().unsqueeze()),
            None => Ok(x),
        }
    }

    fn attention(&self, x: Tensor<3>, pass: &mut Pass) -> Result<Tensor<3>> {
        let [n, tokens, width] = x.dims();
        let d = width / self.heads;
        let qkv = pass.linear(&self.qkv, x);
        let asked = pass.wants(&AttentionSpec::keys(self.index)) || pass.wants(&AttentionSpec::maps(self.index));
        if self.qk_norm.is_none()
            && !asked
            && let Some(attended) = device::attention(&qkv, self.heads)
        {
            return Ok(pass.linear(&self.proj, attended));
        }
        let qkv = qkv.reshape([n, tokens, 3 * self.heads, d]).swap_dims(1, 2);
        let part = |i: usize| qkv.clone().narrow(1, i * self.heads, self.heads);
        let (mut q, mut k, v) = (part(0), part(1), part(2));
        if let Some([q_norm, k_norm]) = &self.qk_norm {
            q = q_norm.forward(q);
            k = k_norm.forward(k);
        }
        let k = pass.tap(&AttentionSpec::keys(self.index), k)?;
        let scores = device::attention_scores(q, k, (d as f64).powf(-0.5));
        let attention = pass.tap(&AttentionSpec::maps(self.index), device::softmax(scores))?;
        let mixed = device::attention_mix(attention, v).swap_dims(1, 2).reshape([n, tokens, width]);
        Ok(pass.linear(&self.proj, mixed))
    }

    fn forward(&self, x: Tensor<3>, pass: &mut Pass) -> Result<Tensor<3>> {
        let at = |leaf: &str| format!("{}.{leaf}", self.name);
        let normed = pass.tap(&at("norm1"), pass.layer_norm(&self.norm1, x.clone()))?;
        let attended = self.attention(normed, pass)?;
        let attended = pass.tap(&at("attn"), attended)?;
        let x = x + self.scaled("ls1", attended, &self.scale1, pass)?;
        let normed = pass.tap(&at("norm2"), pass.layer_norm(&self.norm2, x.clone()))?;
        let hidden = pass.linear_act(&self.fc1, self.act, normed);
        let mlp = pass.tap(&at("mlp"), pass.linear(&self.fc2, hidden))?;
        let x = x + self.scaled("ls2", mlp, &self.scale2, pass)?;
        pass.tap(&self.name, x)
    }
}

struct Vit {
    spec: ModelSpec,
    patches: Conv2d,
    prefixes: Vec<Tensor<3>>,
    position: Tensor<3>,
    norm_pre: Option<LayerNorm>,
    blocks: Vec<Block>,
    norm: Option<LayerNorm>,
    fc_norm: Option<LayerNorm>,
    head: Linear,
    head_dist: Option<Linear>,
    prefix: usize,
    average: bool,
    position_before_prefix: bool,
}

impl Vit {
    fn embed(&self, x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<3>> {
        let maps = pass.conv2d(&self.patches, x);
        let [n, width, h, w] = maps.dims();
        let mut tokens = pass.tap("patch_embed", maps.reshape([n, width, h * w]).swap_dims(1, 2))?;
        if self.position_before_prefix {
            tokens = tokens + self.position.clone();
        }
        let mut parts: Vec<Tensor<3>> = self.prefixes.iter().map(|t| t.clone().repeat_dim(0, n)).collect();
        if !parts.is_empty() {
            parts.push(tokens);
            tokens = Tensor::cat(parts, 1);
        }
        if !self.position_before_prefix {
            tokens = tokens + self.position.clone();
        }
        Ok(match &self.norm_pre {
            Some(norm) => pass.tap("norm_pre", pass.layer_norm(norm, tokens))?,
            None => tokens,
        })
    }

    fn classify(&self, x: Tensor<3>, pass: &mut Pass) -> Result<Tensor<2>> {
        let [n, tokens, _] = x.dims();
        let x = match &self.norm {
            Some(norm) => pass.tap("norm", pass.layer_norm(norm, x))?,
            None => x,
        };
        let mut pooled = if self.average {
            x.clone().narrow(1, self.prefix, tokens - self.prefix).mean_dim(1)
        } else {
            x.clone().narrow(1, 0, 1)
        };
        if let Some(norm) = &self.fc_norm {
            pooled = pass.layer_norm(norm, pooled);
        }
        let mut logits = pass.linear(&self.head, pooled);
        if let Some(head) = &self.head_dist {
            logits = (logits + pass.linear(head, x.narrow(1, 1, 1))) / 2.0;
        }
        Ok(logits.reshape([n, self.spec.num_classes]))
    }
}

impl Model for Vit {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn run(&self, stages: Range<usize>, mut state: Activation, pass: &mut Pass) -> Result<Activation> {
        for stage in stages {
            state = match stage.checked_sub(1).map(|i| self.blocks.get(i)) {
                None => self.embed(Tappable::unwrap(state)?, pass)?.wrap(),
                Some(Some(block)) => block.forward(Tappable::unwrap(state)?, pass)?.wrap(),
                Some(None) => self.classify(Tappable::unwrap(state)?, pass)?.wrap(),
            };
        }
        Ok(state)
    }
}
