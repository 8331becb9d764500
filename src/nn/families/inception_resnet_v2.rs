//! Inception-ResNet-v2 (Szegedy et al. 2016, arXiv 1602.07261) by timm's names, keys and
//! `model_args`.
//!
//! Stages: one per convolution of the stem, one per block, `conv2d_7b` (the last spatial map),
//! `classif` (mean over space, linear).

use sightline_kernels::Act;

use crate::error::Result;
use crate::nn::families::Family;
use crate::nn::families::inception_v3::{Part, chain, conv, stem};
use crate::nn::layers::{Conv2dSpec, Pool};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, conv_act, residual};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "inception_resnet_v2",
    title: "Inception-ResNet-v2",
    names: &["inception_resnet_v2"],
    default_layer: "conv2d_7b, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

/// Branches whose convolutions come one after the other.
type Branches<'a> = &'a [&'a [Part<'a>]];

/// What is added to 320 channels, without the last convolution (figure 16 of the paper, with the
/// channels of its authors' program).
const BLOCK_35: Branches = &[
    &[("branch0", 32, [1, 1], 1)],
    &[("branch1.0", 32, [1, 1], 1), ("branch1.1", 32, [3, 3], 1)],
    &[("branch2.0", 32, [1, 1], 1), ("branch2.1", 48, [3, 3], 1), ("branch2.2", 64, [3, 3], 1)],
];
/// The same for 1088 channels (figure 17).
const BLOCK_17: Branches = &[
    &[("branch0", 192, [1, 1], 1)],
    &[("branch1.0", 128, [1, 1], 1), ("branch1.1", 160, [1, 7], 1), ("branch1.2", 192, [7, 1], 1)],
];
/// The same for 2080 channels (figure 19).
const BLOCK_8: Branches = &[
    &[("branch0", 192, [1, 1], 1)],
    &[("branch1.0", 192, [1, 1], 1), ("branch1.1", 224, [1, 3], 1), ("branch1.2", 256, [3, 1], 1)],
];

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let mut args = config.args.clone();
    args.integer("output_stride", 32, 32..=32)?;
    let epsilon = args.number("norm_eps", 1e-3, 1e-12..=1.0)?;
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    // A block that puts its branches, and a pooling, one after the other.
    let mixed = |name: &str, inputs: usize, branches: Branches, pooled: Vec<Op>| {
        let mut all: Vec<Vec<Op>> = branches.iter().map(|parts| chain(name, inputs, parts, epsilon)).collect();
        all.push(pooled);
        (name.to_owned(), vec![Op::Concat(all), Op::Tap(name.into())])
    };
    // A block that adds its branches, brought back to the width and scaled.
    let added = |name: &str, width: usize, branches: Branches, scale: f64| {
        let made = branches.iter().filter_map(|parts| parts.last()).map(|part| part.1).sum();
        let branches = branches.iter().map(|parts| chain(name, width, parts, epsilon)).collect();
        let back = Conv2dSpec::new(format!("{name}.conv2d"), made, width, 1).bias(true);
        residual(vec![Op::Concat(branches), Op::Conv(back), Op::Times(scale)], vec![])
    };
    let repeated = |name: &str, blocks: usize, width: usize, branches: Branches, scale: f64| {
        let tail = |i: usize| (i + 1 == blocks).then(|| Op::Tap(name.to_owned()));
        let stage = |i: usize| {
            let id = format!("{name}.{i}");
            let mut ops = vec![added(&id, width, branches, scale), Op::Act(Act::Relu), Op::Tap(id.clone())];
            ops.extend(tail(i));
            (id, ops)
        };
        (0..blocks).map(stage).collect::<Vec<_>>()
    };
    let max = vec![Op::MaxPool(Pool::new(3, 2, 0))];

    let names = ["conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "maxpool_5a"];
    let mut stages = stem(names, channels, epsilon);
    let mut mean = vec![Op::AvgPool(Pool { count_padding: false, ..Pool::new(3, 1, 1) })];
    mean.extend(chain("mixed_5b", 192, &[("branch3.1", 64, [1, 1], 1)], epsilon));
    let branches: Branches = &[
        &[("branch0", 96, [1, 1], 1)],
        &[("branch1.0", 48, [1, 1], 1), ("branch1.1", 64, [5, 5], 1)],
        &[("branch2.0", 64, [1, 1], 1), ("branch2.1", 96, [3, 3], 1), ("branch2.2", 96, [3, 3], 1)],
    ];
    stages.push(mixed("mixed_5b", 192, branches, mean));
    stages.extend(repeated("repeat", 10, 320, BLOCK_35, 0.17));
    let branches: Branches = &[
        &[("branch0", 384, [3, 3], 2)],
        &[("branch1.0", 256, [1, 1], 1), ("branch1.1", 256, [3, 3], 1), ("branch1.2", 384, [3, 3], 2)],
    ];
    stages.push(mixed("mixed_6a", 320, branches, max.clone()));
    stages.extend(repeated("repeat_1", 20, 1088, BLOCK_17, 0.1));
    let branches: Branches = &[
        &[("branch0.0", 256, [1, 1], 1), ("branch0.1", 384, [3, 3], 2)],
        &[("branch1.0", 256, [1, 1], 1), ("branch1.1", 288, [3, 3], 2)],
        &[("branch2.0", 256, [1, 1], 1), ("branch2.1", 288, [3, 3], 1), ("branch2.2", 320, [3, 3], 2)],
    ];
    stages.push(mixed("mixed_7a", 1088, branches, max));
    stages.extend(repeated("repeat_2", 9, 2080, BLOCK_8, 0.2));
    // The last block has neither scale nor ReLU.
    stages.push(("block8".into(), vec![added("block8", 2080, BLOCK_8, 1.0), Op::Tap("block8".into())]));
    let mut last = conv_act(conv("conv2d_7b", 2080, 1536, epsilon), Act::Relu).to_vec();
    last.push(Op::Tap("conv2d_7b".into()));
    stages.push(("conv2d_7b".into(), last));
    stages.push(("classif".into(), net::classifier("classif", 1536, config.num_classes)));
    net::plan(config, "conv2d_7b", stages)
}
