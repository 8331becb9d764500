//! EfficientNet (Tan and Le 2019, arXiv 1905.11946) and its lite variants by timm's names, keys and
//! `model_args`.
//!
//! Stages: `stem`, one per block, `conv_head` (the last spatial map), `classifier` (mean over
//! space, linear).

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::Family;
use crate::nn::families::inverted_residual::{self, Common, Run, Squeeze, deepen, rounded};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "efficientnet",
    title: "EfficientNet",
    names: &[
        "efficientnet_{b0,b1,b2,b3,b4,b5,b6,b7,lite0,lite1,lite2,lite3,lite4}",
        "tf_efficientnet_{b0,b1,b2,b3,b4,b5,b6,b7,lite0,lite1,lite2,lite3,lite4}",
    ],
    default_layer: "bn2, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

/// (width, depth) of each size.
const SIZES: [(f64, f64); 8] =
    [(1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2.0, 3.1)];

/// (repeats, kernel, stride, expansion, channels), table 1 of the paper.
const STACKS: [(usize, usize, usize, f64, usize); 7] = [
    (1, 3, 1, 1.0, 16),
    (2, 3, 2, 6.0, 24),
    (2, 5, 2, 6.0, 40),
    (3, 3, 2, 6.0, 80),
    (3, 5, 1, 6.0, 112),
    (4, 5, 2, 6.0, 192),
    (1, 3, 1, 6.0, 320),
];

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let (tensorflow, name) = match architecture.strip_prefix("tf_") {
        Some(name) => (true, name),
        None => (false, architecture.as_str()),
    };
    let size = name.strip_prefix("efficientnet_").unwrap_or_default();
    let (lite, size) = match size.strip_prefix("lite") {
        Some(size) => (true, size),
        None => (false, size.strip_prefix('b').unwrap_or_default()),
    };
    let Some(&(width, depth)) = size.parse().ok().and_then(|i: usize| SIZES.get(i)) else {
        return bad_model(format!("{architecture} is not an EfficientNet"));
    };
    let mut args = config.args.clone();
    let common = Common::take(&mut args, tensorflow)?.take_output_stride(&mut args)?;
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let (act, squeeze) = if lite { (Act::Relu6, None) } else { (Act::Silu, Some(Squeeze::OfInput)) };
    let inputs = if lite { 32 } else { rounded(32, width) };
    let stem = common.conv("conv_stem".into(), "bn1".into(), channels, inputs, 3).stride(2);
    let mut stages = vec![("stem".to_owned(), vec![Op::Conv(stem), Op::Act(act), Op::Tap("bn1".into())])];
    let last = STACKS.len() - 1;
    let stacks: Vec<Vec<Run>> = STACKS
        .iter()
        .enumerate()
        .map(|(i, &(repeats, kernel, stride, expansion, channels))| {
            let mut stack =
                vec![Run { repeats, kernel, stride, expansion, channels: rounded(channels, width), act, squeeze }];
            // The lite variants keep the depth of both ends.
            if !(lite && (i == 0 || i == last)) {
                deepen(&mut stack, depth);
            }
            stack
        })
        .collect();
    let (blocks, inputs) = inverted_residual::stages(&stacks, inputs, &common);
    stages.extend(blocks);
    let features = if lite { 1280 } else { rounded(1280, width) };
    let conv_head = common.conv("conv_head".into(), "bn2".into(), inputs, features, 1);
    stages.push(("conv_head".into(), vec![Op::Conv(conv_head), Op::Act(act), Op::Tap("bn2".into())]));
    stages.push(("classifier".into(), net::classifier("classifier", features, config.num_classes)));
    net::plan(config, "bn2", stages)
}
