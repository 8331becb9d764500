//! A vision transformer's shapes, costs and tensors, known before its weights are there.

use sightline_kernels::Act;

use crate::error::{Error, Result, bad_model, quote};
use crate::nn::families::expand;
use crate::nn::families::vit::Variant;
use crate::nn::families::vit::run::{Block, Vit};
use crate::nn::layers::{Conv2dSpec, LayerNormSpec, LinearSpec};
use crate::nn::model::{AttentionSpec, Feature, Fold, Layer, Model, ModelSpec, Plan, Stage};
use crate::nn::weights::{Param, Weights};
use crate::package::Config;

/// Elements of one block's attention matrices from which on they cannot fit the 4 GiB of a wasm
/// memory.
const MAX_ATTENTION: usize = 1 << 30;

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
pub(in crate::nn::families) fn plan(config: &Config, variants: &[(&str, Variant)]) -> Result<Box<dyn Plan>> {
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
    if hidden == 0 {
        return bad_model(format!("config.json: mlp_ratio {ratio} leaves no hidden units of a width of {width}"));
    }
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
                "{architecture} with the activation function \"{}\" is not supported",
                quote(name)
            ))
        })?,
    };
    let average = match config.global_pool.as_deref() {
        None => variant.average,
        Some("token") => false,
        Some("avg") => true,
        Some(other) => {
            return bad_model(format!(
                "config.json: global_pool \"{}\" is not supported for {architecture}; use \"token\" or \"avg\"",
                quote(other)
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
