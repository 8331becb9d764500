//! MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) by timm's names, keys and `model_args`.
//!
//! Stages: `stem`, one per block, `conv_head` (the last spatial map), `classifier` (mean over space, linear). Batch norms are folded
//! into the convolutions at load.

use std::ops::Range;

use crate::error::Result;
use crate::layers::{Conv2d, Conv2dSpec, Linear, LinearSpec, Padding, Param, bad_model};
use crate::models::{Family, Fold, Layer, Model, ModelSpec, Plan, Stage};
use crate::package::{Config, Weights};
use crate::pass::{Activation, Pass, Tappable};
use burn::tensor::Tensor;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "mobilenet_v2",
    title: "MobileNetV2",
    names: &["mobilenetv2_{035,050,075,100,110d,120d,140}"],
    default_layer: "bn2, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    owns,
    plan,
};

/// (channel multiplier, depth multiplier, whether stem and head keep their size)
fn multipliers(architecture: &str) -> Option<(f64, f64, bool)> {
    match architecture.strip_prefix("mobilenetv2_")? {
        "035" => Some((0.35, 1.0, false)),
        "050" => Some((0.5, 1.0, false)),
        "075" => Some((0.75, 1.0, false)),
        "100" => Some((1.0, 1.0, false)),
        "110d" => Some((1.1, 1.2, true)),
        "120d" => Some((1.2, 1.4, true)),
        "140" => Some((1.4, 1.0, false)),
        _ => None,
    }
}

fn owns(architecture: &str) -> bool {
    multipliers(architecture).is_some()
}

/// (repeats, stride, expansion, channels), table 2 of the paper.
const STACKS: [(usize, usize, usize, usize); 7] =
    [(1, 1, 1, 16), (2, 2, 6, 24), (3, 2, 6, 32), (4, 2, 6, 64), (3, 1, 6, 96), (3, 2, 6, 160), (1, 1, 6, 320)];

/// Channels scaled and rounded to a multiple of 8, never below 90 % (timm's `round_channels`).
fn rounded(channels: usize, multiplier: f64) -> usize {
    let scaled = channels as f64 * multiplier;
    let nearest = ((scaled + 4.0) as usize / 8 * 8).max(8);
    if (nearest as f64) < 0.9 * scaled { nearest + 8 } else { nearest }
}

#[derive(Clone)]
struct BlockSpec {
    name: String,
    expand: Option<Conv2dSpec>,
    depthwise: Conv2dSpec,
    project: Conv2dSpec,
    residual: bool,
}

impl BlockSpec {
    fn convs(&self) -> impl Iterator<Item = &Conv2dSpec> {
        self.expand.iter().chain([&self.depthwise, &self.project])
    }
}

struct MobileNetV2Plan {
    spec: ModelSpec,
    stem: Conv2dSpec,
    blocks: Vec<BlockSpec>,
    conv_head: Conv2dSpec,
    classifier: LinearSpec,
}

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = config.architecture.clone();
    let Some((width, depth, fixed)) = multipliers(&architecture) else {
        return bad_model(format!("{architecture} is no MobileNetV2"));
    };
    let mut args = config.args.clone();
    let padding = match args.string("pad_type")?.as_deref() {
        None | Some("") => Padding::Symmetric,
        Some("same") => Padding::Same,
        Some(other) => return bad_model(format!("config.json: pad_type {other:?} is neither \"\" nor \"same\"")),
    };
    let output_stride = args.integer("output_stride", 32, 2..=32)?;
    let epsilon = args.number("bn_eps", 1e-5, 1e-12..=1.0)?;
    let channels = args.integer("in_chans", config.preprocess.input_size[0], 1..=3)?;
    args.finish(&architecture)?;
    match config.global_pool.as_deref() {
        None | Some("avg") => (),
        Some(other) => return bad_model(format!("config.json: global_pool {other:?} is not supported for {architecture}; only \"avg\" is")),
    }
    let [input_channels, mut h, mut w] = config.preprocess.input_size;
    if channels != input_channels {
        return bad_model(format!("config.json: in_chans is {channels}, but input_size has {input_channels} channels"));
    }

    let conv = |name: String, norm: String, [inputs, outputs, kernel, stride, dilation, groups]: [usize; 6]| Conv2dSpec {
        name,
        batch_norm: Some((norm, epsilon)),
        inputs,
        outputs,
        kernel,
        stride,
        dilation,
        groups,
        padding: Some(padding),
        bias: false,
    };
    let mut stages = Vec::new();
    let mut layers = Vec::new();
    let mut add = |id: String, convs: &[&Conv2dSpec], stages: &mut Vec<Stage>| {
        let mut macs = 0.0;
        let mut channels = 0;
        for conv in convs {
            (h, w, channels) = (conv.output(h), conv.output(w), conv.outputs);
            macs += conv.macs(h, w);
        }
        layers.push(Layer { id: id.clone(), stage: stages.len(), fold: Fold::Map { channels, h, w } });
        stages.push(Stage { name: id, macs });
        (h, w)
    };

    let mut inputs = if fixed { 32 } else { rounded(32, width) };
    let stem = conv("conv_stem".into(), "bn1".into(), [channels, inputs, 3, 2, 1, 1]);
    add("bn1".into(), &[&stem], &mut stages);
    let mut blocks = Vec::new();
    let (mut current_stride, mut dilation) = (2, 1);
    for (stack, (repeats, stride, expansion, outputs)) in STACKS.into_iter().enumerate() {
        let outputs = rounded(outputs, width);
        let ends = stack == 0 || stack + 1 == STACKS.len();
        let repeats = if fixed && ends { repeats } else { (repeats as f64 * depth).ceil() as usize };
        for repeat in 0..repeats {
            let mut stride = if repeat == 0 { stride } else { 1 };
            // Beyond the output stride, a stride becomes a dilation of the blocks after this one.
            let mut next_dilation = dilation;
            if stride > 1 {
                if current_stride * stride > output_stride {
                    next_dilation = dilation * stride;
                    stride = 1;
                } else {
                    current_stride *= stride;
                }
            }
            let name = format!("blocks.{stack}.{repeat}");
            let at = |leaf: &str| format!("{name}.{leaf}");
            let middle = inputs * expansion;
            let depthwise = [middle, middle, 3, stride, dilation, middle];
            let (expand, depthwise, project) = if expansion == 1 {
                let project = conv(at("conv_pw"), at("bn2"), [middle, outputs, 1, 1, 1, 1]);
                (None, conv(at("conv_dw"), at("bn1"), depthwise), project)
            } else {
                let expand = conv(at("conv_pw"), at("bn1"), [inputs, middle, 1, 1, 1, 1]);
                let project = conv(at("conv_pwl"), at("bn3"), [middle, outputs, 1, 1, 1, 1]);
                (Some(expand), conv(at("conv_dw"), at("bn2"), depthwise), project)
            };
            let residual = stride == 1 && inputs == outputs;
            let block = BlockSpec { name: name.clone(), expand, depthwise, project, residual };
            let id = if repeat + 1 == repeats { format!("blocks.{stack}") } else { name };
            add(id, &block.convs().collect::<Vec<_>>(), &mut stages);
            blocks.push(block);
            inputs = outputs;
            dilation = next_dilation;
        }
    }
    let features = if fixed { 1280 } else { rounded(1280, width).max(1280) };
    let conv_head = conv("conv_head".into(), "bn2".into(), [inputs, features, 1, 1, 1, 1]);
    let (h, w) = add("bn2".into(), &[&conv_head], &mut stages);
    if h == 0 || w == 0 {
        return bad_model("config.json: input_size is too small for this architecture");
    }
    let classifier = LinearSpec { name: "classifier".into(), inputs: features, outputs: config.num_classes, bias: true };
    stages.push(Stage { name: "classifier".into(), macs: classifier.macs() });
    let spec = ModelSpec {
        architecture,
        input_size: config.preprocess.input_size,
        num_classes: config.num_classes,
        stages,
        layers,
        default_layer: "bn2".into(),
    };
    Ok(Box::new(MobileNetV2Plan { spec, stem, blocks, conv_head, classifier }))
}

impl Plan for MobileNetV2Plan {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn params(&self) -> Vec<Param> {
        let convs = [&self.stem].into_iter().chain(self.blocks.iter().flat_map(BlockSpec::convs)).chain([&self.conv_head]);
        let mut params: Vec<Param> = convs.flat_map(Conv2dSpec::params).collect();
        params.extend(self.classifier.params());
        params
    }

    fn build(&self, weights: &mut Weights) -> Result<Box<dyn Model>> {
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (block, layer) in self.blocks.iter().zip(self.spec.layers.iter().skip(1)) {
            blocks.push(Block {
                names: (block.name != layer.id).then(|| block.name.clone()).into_iter().chain([layer.id.clone()]).collect(),
                expand: block.expand.as_ref().map(|conv| conv.load(weights)).transpose()?,
                depthwise: block.depthwise.load(weights)?,
                project: block.project.load(weights)?,
                residual: block.residual,
            });
        }
        Ok(Box::new(MobileNetV2 {
            spec: self.spec.clone(),
            stem: self.stem.load(weights)?,
            blocks,
            conv_head: self.conv_head.load(weights)?,
            classifier: self.classifier.load(weights)?,
        }))
    }
}

struct Block {
    /// `blocks.3.2` and, for a stack's last block, `blocks.3`, which is the same tensor.
    names: Vec<String>,
    expand: Option<Conv2d>,
    depthwise: Conv2d,
    project: Conv2d,
    residual: bool,
}

impl Block {
    fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<4>> {
        let mut y = x.clone();
        if let Some(expand) = &self.expand {
            y = pass.relu6(pass.conv2d(expand, y));
        }
        y = pass.relu6(pass.conv2d(&self.depthwise, y));
        y = pass.conv2d(&self.project, y);
        if self.residual {
            y = y + x;
        }
        for name in &self.names {
            y = pass.tap(name, y)?;
        }
        Ok(y)
    }
}

struct MobileNetV2 {
    spec: ModelSpec,
    stem: Conv2d,
    blocks: Vec<Block>,
    conv_head: Conv2d,
    classifier: Linear,
}

impl MobileNetV2 {
    fn classify(&self, maps: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
        let pooled = pass.global_avg_pool(maps);
        let [n, width] = pooled.dims();
        let logits = pass.linear(&self.classifier, pooled.reshape([n, 1, width]));
        logits.reshape([n, self.spec.num_classes])
    }
}

impl Model for MobileNetV2 {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn run(&self, stages: Range<usize>, mut state: Activation, pass: &mut Pass) -> Result<Activation> {
        for stage in stages {
            let x: Tensor<4> = Tappable::unwrap(state)?;
            state = match stage.checked_sub(1).map(|i| (i, self.blocks.get(i))) {
                None => pass.tap("bn1", pass.relu6(pass.conv2d(&self.stem, x)))?.wrap(),
                Some((_, Some(block))) => block.forward(x, pass)?.wrap(),
                Some((i, None)) if i == self.blocks.len() => {
                    pass.tap("bn2", pass.relu6(pass.conv2d(&self.conv_head, x)))?.wrap()
                }
                Some(_) => self.classify(x, pass).wrap(),
            };
        }
        Ok(state)
    }
}
