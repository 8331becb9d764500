//! Inception-v3 (Szegedy et al. 2015, arXiv 1512.00567) by timm's names, keys and `model_args`.
//! torchvision's keys are the same.
//!
//! The auxiliary classifier of the training (`AuxLogits`), which torchvision's files and timm's
//! `tv_in1k` have, is read past. torchvision's `transform_input` is no part of the net: it turns
//! photos of ImageNet's mean and standard deviation into those of 0.5 and 0.5, which
//! `pretrained_cfg` can ask for.
//!
//! Stages: one per convolution of the stem, one per block, `fc` (mean over space, linear).

use sightline_kernels::Act;

use crate::error::Result;
use crate::nn::families::Family;
use crate::nn::layers::{Conv2dSpec, Padding, Pool};
use crate::nn::model::Plan;
use crate::nn::net::{self, NetPlan, Op, conv_act};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "inception_v3",
    title: "Inception-v3",
    names: &["inception_v3"],
    default_layer: "Mixed_7c, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

/// What a block is made of, as its authors' program has it.
enum Block {
    /// Kernels of 5 x 5 and twice 3 x 3; the number is the channels from the pooling.
    A(usize),
    /// To half the rows and columns.
    B,
    /// Kernels of 1 x 7 and 7 x 1; the number is the channels between them.
    C(usize),
    /// To half the rows and columns.
    D,
    /// Kernels of 1 x 3 and 3 x 1 side by side.
    E,
}

/// (name, block, output channels)
const BLOCKS: [(&str, Block, usize); 11] = [
    ("Mixed_5b", Block::A(32), 256),
    ("Mixed_5c", Block::A(64), 288),
    ("Mixed_5d", Block::A(64), 288),
    ("Mixed_6a", Block::B, 768),
    ("Mixed_6b", Block::C(128), 768),
    ("Mixed_6c", Block::C(160), 768),
    ("Mixed_6d", Block::C(160), 768),
    ("Mixed_6e", Block::C(192), 768),
    ("Mixed_7a", Block::D, 1280),
    ("Mixed_7b", Block::E, 2048),
    ("Mixed_7c", Block::E, 2048),
];

/// A convolution with batch norm and ReLU in a block: name there, output channels, kernel, stride.
/// Padded so that the map keeps its size at stride 1, not padded at stride 2.
pub(super) type Part<'a> = (&'a str, usize, [usize; 2], usize);

/// Parts one after the other.
pub(super) fn chain(block: &str, mut inputs: usize, parts: &[Part], epsilon: f64) -> Vec<Op> {
    let mut ops = Vec::new();
    for &(leaf, outputs, kernel, stride) in parts {
        let conv = conv(&format!("{block}.{leaf}"), inputs, outputs, epsilon).kernel(kernel).stride(stride);
        ops.extend(conv_act(conv.padding((stride == 1).then_some(Padding::Symmetric)), Act::Relu));
        inputs = outputs;
    }
    ops
}

/// A pointwise convolution with batch norm, of no padding where it gets another kernel.
pub(super) fn conv(name: &str, inputs: usize, outputs: usize, epsilon: f64) -> Conv2dSpec {
    Conv2dSpec::new(format!("{name}.conv"), inputs, outputs, 1).norm(format!("{name}.bn"), epsilon).padding(None)
}

/// The stem that Inception-v3 and Inception-ResNet-v2 share, its convolutions and poolings under
/// these names; 192 channels.
pub(super) fn stem(names: [&str; 7], channels: usize, epsilon: f64) -> Vec<(String, Vec<Op>)> {
    let [a1, a2, b2, pool3, b3, a4, pool5] = names;
    let pool = |id: &str| vec![Op::MaxPool(Pool::new(3, 2, 0)), Op::Tap(id.into())];
    let parts = [
        (a1, channels, 32, 3, 2, None, vec![]),
        (a2, 32, 32, 3, 1, None, vec![]),
        (b2, 32, 64, 3, 1, Some(Padding::Symmetric), pool(pool3)),
        (b3, 64, 80, 1, 1, None, vec![]),
        (a4, 80, 192, 3, 1, None, pool(pool5)),
    ];
    parts
        .into_iter()
        .map(|(name, inputs, outputs, kernel, stride, padding, behind)| {
            let conv = conv(name, inputs, outputs, epsilon).kernel([kernel; 2]).stride(stride).padding(padding);
            let mut ops = conv_act(conv, Act::Relu).to_vec();
            ops.push(Op::Tap(name.into()));
            ops.extend(behind);
            (name.to_owned(), ops)
        })
        .collect()
}

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let mut args = config.args.clone();
    args.boolean("aux_logits", false)?; // a matter of training
    let epsilon = args.number("norm_eps", 1e-3, 1e-12..=1.0)?;
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let names = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Pool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "Pool2"];
    let mut stages = stem(names, channels, epsilon);
    let mut inputs = 192;
    for (name, block, outputs) in BLOCKS {
        let branches = block.branches(name, inputs, epsilon);
        stages.push((name.into(), vec![Op::Concat(branches), Op::Tap(name.into())]));
        inputs = outputs;
    }
    stages.push(("fc".into(), net::classifier("fc", inputs, config.num_classes)));
    Ok(Box::new(NetPlan::new(config, "Mixed_7c", stages)?.without(&["AuxLogits."])))
}

impl Block {
    fn branches(&self, name: &str, inputs: usize, epsilon: f64) -> Vec<Vec<Op>> {
        let branch = |parts: &[Part]| chain(name, inputs, parts, epsilon);
        let pooled = |channels| {
            let mut ops = vec![Op::AvgPool(Pool::new(3, 1, 1))];
            ops.extend(branch(&[("branch_pool", channels, [1, 1], 1)]));
            ops
        };
        let max = vec![Op::MaxPool(Pool::new(3, 2, 0))];
        match *self {
            Self::A(pool_channels) => vec![
                branch(&[("branch1x1", 64, [1, 1], 1)]),
                branch(&[("branch5x5_1", 48, [1, 1], 1), ("branch5x5_2", 64, [5, 5], 1)]),
                branch(&[
                    ("branch3x3dbl_1", 64, [1, 1], 1),
                    ("branch3x3dbl_2", 96, [3, 3], 1),
                    ("branch3x3dbl_3", 96, [3, 3], 1),
                ]),
                pooled(pool_channels),
            ],
            Self::B => vec![
                branch(&[("branch3x3", 384, [3, 3], 2)]),
                branch(&[
                    ("branch3x3dbl_1", 64, [1, 1], 1),
                    ("branch3x3dbl_2", 96, [3, 3], 1),
                    ("branch3x3dbl_3", 96, [3, 3], 2),
                ]),
                max,
            ],
            Self::C(middle) => vec![
                branch(&[("branch1x1", 192, [1, 1], 1)]),
                branch(&[
                    ("branch7x7_1", middle, [1, 1], 1),
                    ("branch7x7_2", middle, [1, 7], 1),
                    ("branch7x7_3", 192, [7, 1], 1),
                ]),
                branch(&[
                    ("branch7x7dbl_1", middle, [1, 1], 1),
                    ("branch7x7dbl_2", middle, [7, 1], 1),
                    ("branch7x7dbl_3", middle, [1, 7], 1),
                    ("branch7x7dbl_4", middle, [7, 1], 1),
                    ("branch7x7dbl_5", 192, [1, 7], 1),
                ]),
                pooled(192),
            ],
            Self::D => vec![
                branch(&[("branch3x3_1", 192, [1, 1], 1), ("branch3x3_2", 320, [3, 3], 2)]),
                branch(&[
                    ("branch7x7x3_1", 192, [1, 1], 1),
                    ("branch7x7x3_2", 192, [1, 7], 1),
                    ("branch7x7x3_3", 192, [7, 1], 1),
                    ("branch7x7x3_4", 192, [3, 3], 2),
                ]),
                max,
            ],
            Self::E => {
                let fork = |mut ops: Vec<Op>, wide: &str, tall: &str| {
                    ops.push(Op::Concat(vec![
                        chain(name, 384, &[(wide, 384, [1, 3], 1)], epsilon),
                        chain(name, 384, &[(tall, 384, [3, 1], 1)], epsilon),
                    ]));
                    ops
                };
                let double = branch(&[("branch3x3dbl_1", 448, [1, 1], 1), ("branch3x3dbl_2", 384, [3, 3], 1)]);
                vec![
                    branch(&[("branch1x1", 320, [1, 1], 1)]),
                    fork(branch(&[("branch3x3_1", 384, [1, 1], 1)]), "branch3x3_2a", "branch3x3_2b"),
                    fork(double, "branch3x3dbl_3a", "branch3x3dbl_3b"),
                    pooled(192),
                ]
            }
        }
    }
}
