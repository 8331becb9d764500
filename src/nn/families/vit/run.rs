//! A vision transformer with its weights, and the way through it.

use std::ops::Range;

use burn::tensor::Tensor;
use sightline_kernels::Act;

use crate::device;
use crate::error::Result;
use crate::nn::layers::{Conv2d, LayerNorm, Linear};
use crate::nn::model::{AttentionSpec, Model, ModelSpec};
use crate::nn::pass::{Activation, Pass, Tappable};

pub(super) struct Block {
    pub index: usize,
    pub name: String,
    pub norm1: LayerNorm,
    pub qkv: Linear,
    pub qk_norm: Option<[LayerNorm; 2]>,
    pub proj: Linear,
    pub scale1: Option<Tensor<1>>,
    pub norm2: LayerNorm,
    pub fc1: Linear,
    pub fc2: Linear,
    pub scale2: Option<Tensor<1>>,
    pub heads: usize,
    pub act: Act,
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

pub(super) struct Vit {
    pub spec: ModelSpec,
    pub patches: Conv2d,
    pub prefixes: Vec<Tensor<3>>,
    pub position: Tensor<3>,
    pub norm_pre: Option<LayerNorm>,
    pub blocks: Vec<Block>,
    pub norm: Option<LayerNorm>,
    pub fc_norm: Option<LayerNorm>,
    pub head: Linear,
    pub head_dist: Option<Linear>,
    pub prefix: usize,
    pub average: bool,
    pub position_before_prefix: bool,
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
