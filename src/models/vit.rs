//! Vision transformers: ViT (Dosovitskiy et al. 2020, arXiv 2010.11929) and DeiT without distillation (Touvron et al. 2020,
//! arXiv 2012.12877), by timm's names, keys and `model_args`.
//!
//! Stages: `embed` (patches, class token, positions), one per block, `head` (norm, pooling, classifier). Between them the residual
//! stream, `[N, T, D]`.

use std::ops::Range;

use burn::tensor::{Tensor, activation};

use crate::error::{Error, Result};
use crate::layers::{Act, Conv2d, Conv2dSpec, LayerNorm, LayerNormSpec, Linear, LinearSpec, Param, bad_model};
use crate::models::{Family, Fold, Layer, Model, ModelSpec, Plan, Stage};
use crate::package::{Config, Weights};
use crate::pass::{Activation, Pass, Tappable};

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "vit",
    title: "ViT / DeiT",
    names: &["vit_{tiny,small,base,large}_patch{8,14,16,32}_{224,256,384,512}", "deit_{tiny,small,base}_patch16_{224,384}"],
    default_layer: "norm1 of the last block, tokens folded to the patch grid",
    checked_against: "timm 1.0.31",
    plan,
};

/// Elements of one block's attention matrices from which on they cannot fit the 4 GiB of a wasm memory.
const MAX_ATTENTION: usize = 1 << 30;

const SIZES: [(&str, usize, usize, usize); 4] =
    [("tiny", 192, 12, 3), ("small", 384, 12, 6), ("base", 768, 12, 12), ("large", 1024, 24, 16)];

/// (width, depth, heads, patch size, image size) as the name says them.
fn dimensions(architecture: &str) -> Option<[usize; 5]> {
    let parts: Vec<&str> = architecture.split('_').collect();
    let [family @ ("vit" | "deit"), size, patch, image] = parts.as_slice() else { return None };
    let &(size, width, depth, heads) = SIZES.iter().find(|(name, ..)| name == size)?;
    let patch: usize = patch.strip_prefix("patch")?.parse().ok()?;
    let image: usize = image.parse().ok()?;
    let fits = [8, 14, 16, 32].contains(&patch) && (*family == "vit" || (size != "large" && patch == 16));
    (fits && (32..=1024).contains(&image)).then_some([width, depth, heads, patch, image])
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
    patches: Conv2dSpec,
    class: Option<Token>,
    registers: Option<Token>,
    position: Token,
    norm_pre: Option<LayerNormSpec>,
    blocks: Vec<BlockSpec>,
    norm: Option<LayerNormSpec>,
    fc_norm: Option<LayerNormSpec>,
    head: LinearSpec,
}

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = config.architecture.clone();
    let Some([width, depth, heads, patch, _]) = dimensions(&architecture) else {
        return bad_model(format!("{architecture} is no vision transformer"));
    };
    let mut args = config.args.clone();
    let [channels, height, width_px] = config.preprocess.input_size;
    let image = args.pair("img_size", [height, width_px], 1..=1024)?;
    if image != [height, width_px] {
        return bad_model(format!("config.json: the model takes {image:?} pixels, but input_size says [{height}, {width_px}]"));
    }
    let patch = args.integer("patch_size", patch, 1..=64)?;
    let width = args.integer("embed_dim", width, 1..=4096)?;
    let depth = args.integer("depth", depth, 1..=64)?;
    let heads = args.integer("num_heads", heads, 1..=64)?;
    let ratio = args.number("mlp_ratio", 4.0, 0.1..=16.0)?;
    let hidden = (width as f64 * ratio) as usize;
    let qkv_bias = args.boolean("qkv_bias", true)?;
    let qk_norm = args.boolean("qk_norm", false)?;
    let proj_bias = args.boolean("proj_bias", true)?;
    let class_token = args.boolean("class_token", true)?;
    let registers = args.integer("reg_tokens", 0, 0..=64)?;
    let no_embed_class = args.boolean("no_embed_class", false)?;
    let pre_norm = args.boolean("pre_norm", false)?;
    let pool = config.global_pool.as_deref().unwrap_or("token");
    let average = match pool {
        "token" if class_token => false,
        "avg" => true,
        other => return bad_model(format!("config.json: global_pool {other:?} does not fit this vision transformer")),
    };
    let fc_norm = if args.has("fc_norm") { args.boolean("fc_norm", average)? } else { average };
    let layer_scale = args.has("init_values");
    args.number("init_values", 1.0, 0.0..=1e6)?;
    args.finish(&architecture)?;
    let grid = image.map(|side| side / patch);
    if grid.contains(&0) || width % heads != 0 {
        return bad_model(format!("config.json: {patch}-pixel patches of {image:?} pixels, {width} wide for {heads} heads: this does not divide"));
    }
    let [h, w] = grid;
    let prefix = usize::from(class_token) + registers;
    let tokens = h * w + prefix;
    let attention = heads.saturating_mul(tokens.saturating_mul(tokens));
    if attention >= MAX_ATTENTION {
        return Err(Error::OutOfMemory(format!(
            "attention between {tokens} tokens in {heads} heads takes {} GB for one photo; a wasm memory holds 4",
            attention.saturating_mul(4) >> 30
        )));
    }
    // OpenAI's and similar variants norm before the blocks and then have no bias here.
    let patches = Conv2dSpec::new("patch_embed.proj", channels, width, patch).stride(patch).padding(None).bias(!pre_norm);
    let layer_norm = |name: &str, width: usize| LayerNormSpec { name: name.into(), width, epsilon: 1e-6 };
    let linear = |name: &str, inputs: usize, outputs: usize, bias: bool| LinearSpec { name: name.into(), inputs, outputs, bias };
    let blocks: Vec<BlockSpec> = (0..depth)
        .map(|i| {
            let name = format!("blocks.{i}");
            let at = |leaf: &str| format!("{name}.{leaf}");
            let scale = |leaf: &str| layer_scale.then(|| Param::new(&at(leaf), "gamma", &[width]));
            BlockSpec {
                norm1: layer_norm(&at("norm1"), width),
                qkv: linear(&at("attn.qkv"), width, 3 * width, qkv_bias),
                qk_norm: qk_norm.then(|| ["q_norm", "k_norm"].map(|n| layer_norm(&at(&format!("attn.{n}")), width / heads))),
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
    stages.push(Stage { name: "head".into(), macs: head.macs() });
    let spec = ModelSpec {
        architecture,
        input_size: config.preprocess.input_size,
        num_classes: config.num_classes,
        stages,
        layers,
        default_layer: format!("blocks.{}.norm1", depth - 1),
    };
    let positions = if no_embed_class { h * w } else { tokens };
    Ok(Box::new(VitPlan {
        heads,
        prefix,
        average,
        position_before_prefix: no_embed_class,
        patches,
        class: class_token.then_some(Token { name: "cls_token", shape: [1, 1, width] }),
        registers: (registers > 0).then_some(Token { name: "reg_token", shape: [1, registers, width] }),
        position: Token { name: "pos_embed", shape: [1, positions, width] },
        norm_pre: pre_norm.then(|| layer_norm("norm_pre", width)),
        blocks,
        norm: (!fc_norm).then(|| layer_norm("norm", width)),
        fc_norm: fc_norm.then(|| layer_norm("fc_norm", width)),
        head,
        spec,
    }))
}

impl Plan for VitPlan {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn params(&self) -> Vec<Param> {
        let mut params = self.patches.params();
        for token in [&self.class, &self.registers].into_iter().flatten().chain([&self.position]) {
            params.push(Param::new("", token.name, &token.shape));
        }
        for b in &self.blocks {
            params.extend([b.norm1.params(), b.qkv.params(), b.proj.params()].concat());
            params.extend(b.qk_norm.iter().flatten().flat_map(LayerNormSpec::params));
            params.extend([b.norm2.params(), b.fc1.params(), b.fc2.params()].concat());
            params.extend([&b.scale1, &b.scale2].into_iter().flatten().cloned());
        }
        params.extend([&self.norm_pre, &self.norm, &self.fc_norm].into_iter().flatten().flat_map(LayerNormSpec::params));
        params.extend(self.head.params());
        params
    }

    fn build(&self, weights: &mut Weights) -> Result<Box<dyn Model>> {
        let token = |token: &Option<Token>, weights: &mut Weights| {
            token.as_ref().map(|t| weights.take::<3>(t.name, t.shape)).transpose()
        };
        let norm = |norm: &Option<LayerNormSpec>, weights: &mut Weights| norm.as_ref().map(|n| n.load(weights)).transpose();
        let gamma = |param: &Option<Param>, weights: &mut Weights| {
            param.as_ref().map(|p| weights.take::<1>(&p.name, [p.shape.iter().product()])).transpose()
        };
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for b in &self.blocks {
            blocks.push(Block {
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
            });
        }
        Ok(Box::new(Vit {
            patches: self.patches.load(weights)?,
            class: token(&self.class, weights)?,
            registers: token(&self.registers, weights)?,
            position: weights.take::<3>(self.position.name, self.position.shape)?,
            norm_pre: norm(&self.norm_pre, weights)?,
            blocks,
            norm: norm(&self.norm, weights)?,
            fc_norm: norm(&self.fc_norm, weights)?,
            head: self.head.load(weights)?,
            prefix: self.prefix,
            average: self.average,
            position_before_prefix: self.position_before_prefix,
            spec: self.spec.clone(),
        }))
    }
}

struct Block {
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
        let qkv = pass.linear(&self.qkv, x).reshape([n, tokens, 3 * self.heads, d]).swap_dims(1, 2);
        let part = |i: usize| qkv.clone().narrow(1, i * self.heads, self.heads);
        let (mut q, mut k, v) = (part(0), part(1), part(2));
        if let Some([q_norm, k_norm]) = &self.qk_norm {
            q = q_norm.forward(q);
            k = k_norm.forward(k);
        }
        let scores = (q * (d as f64).powf(-0.5)).matmul(k.swap_dims(2, 3));
        let attention = pass.tap(&format!("{}.attn.attn_drop", self.name), activation::softmax(scores, 3))?;
        let mixed = attention.matmul(v).swap_dims(1, 2).reshape([n, tokens, width]);
        Ok(pass.linear(&self.proj, mixed))
    }

    fn forward(&self, x: Tensor<3>, pass: &mut Pass) -> Result<Tensor<3>> {
        let at = |leaf: &str| format!("{}.{leaf}", self.name);
        let normed = pass.tap(&at("norm1"), pass.layer_norm(&self.norm1, x.clone()))?;
        let attended = self.attention(normed, pass)?;
        let attended = pass.tap(&at("attn"), attended)?;
        let x = x + self.scaled("ls1", attended, &self.scale1, pass)?;
        let normed = pass.tap(&at("norm2"), pass.layer_norm(&self.norm2, x.clone()))?;
        let hidden = pass.act(Act::Gelu, pass.linear(&self.fc1, normed));
        let mlp = pass.tap(&at("mlp"), pass.linear(&self.fc2, hidden))?;
        let x = x + self.scaled("ls2", mlp, &self.scale2, pass)?;
        pass.tap(&self.name, x)
    }
}

struct Vit {
    spec: ModelSpec,
    patches: Conv2d,
    class: Option<Tensor<3>>,
    registers: Option<Tensor<3>>,
    position: Tensor<3>,
    norm_pre: Option<LayerNorm>,
    blocks: Vec<Block>,
    norm: Option<LayerNorm>,
    fc_norm: Option<LayerNorm>,
    head: Linear,
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
        let prefix = [&self.class, &self.registers].into_iter().flatten().map(|t| t.clone().repeat_dim(0, n));
        let mut parts: Vec<Tensor<3>> = prefix.collect();
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
        let [n, tokens, width] = x.dims();
        let x = match &self.norm {
            Some(norm) => pass.tap("norm", pass.layer_norm(norm, x))?,
            None => x,
        };
        let mut pooled = if self.average {
            x.narrow(1, self.prefix, tokens - self.prefix).mean_dim(1)
        } else {
            x.narrow(1, 0, 1)
        };
        if let Some(norm) = &self.fc_norm {
            pooled = pass.layer_norm(norm, pooled);
        }
        let logits = pass.linear(&self.head, pooled.reshape([n, 1, width]));
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
