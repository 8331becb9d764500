//! MobileNetV3 (Howard et al. 2019, arXiv 1905.02244) by timm's names, keys and `model_args`.
//!
//! Stages: `stem`, one per block, the last of which are convolutions, `head` (mean over space, a
//! convolution on the mean), `classifier`.

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::Family;
use crate::nn::families::inverted_residual::{self, Common, Run, Squeeze, deepen, rounded};
use crate::nn::layers::Conv2dSpec;
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, conv_act, linear};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "mobilenet_v3",
    title: "MobileNetV3",
    names: &[
        "mobilenetv3_small_{050,075,100}",
        "mobilenetv3_large_{075,100,150d}",
        "tf_mobilenetv3_{small,large}_{075,100,minimal_100}",
    ],
    default_layer: "the last of blocks, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

type Row = (usize, usize, usize, usize, f64, usize, bool, bool);

/// (stack, repeats, kernel, stride, expansion, channels, squeeze, hard swish instead of ReLU),
/// table 2 of the paper.
const SMALL: [Row; 7] = [
    (0, 1, 3, 2, 1.0, 16, true, false),
    (1, 1, 3, 2, 4.5, 24, false, false),
    (1, 1, 3, 1, 3.67, 24, false, false),
    (2, 1, 5, 2, 4.0, 40, true, true),
    (2, 2, 5, 1, 6.0, 40, true, true),
    (3, 2, 5, 1, 3.0, 48, true, true),
    (4, 3, 5, 2, 6.0, 96, true, true),
];

/// Table 1 of the paper.
const LARGE: [Row; 9] = [
    (0, 1, 3, 1, 1.0, 16, false, false),
    (1, 1, 3, 2, 4.0, 24, false, false),
    (1, 1, 3, 1, 3.0, 24, false, false),
    (2, 3, 5, 2, 3.0, 40, true, false),
    (3, 1, 3, 2, 6.0, 80, false, true),
    (3, 1, 3, 1, 2.5, 80, false, true),
    (3, 2, 3, 1, 2.3, 80, false, true),
    (4, 2, 3, 1, 6.0, 112, true, true),
    (5, 3, 5, 2, 6.0, 160, true, true),
];

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let (tensorflow, name) = match architecture.strip_prefix("tf_") {
        Some(name) => (true, name),
        None => (false, architecture.as_str()),
    };
    let name = name.strip_prefix("mobilenetv3_").unwrap_or_default();
    let (rows, last, features, width): (&[Row], _, _, _) = match name.split_once('_') {
        Some(("small", width)) => (&SMALL, 576, 1024, width),
        Some(("large", width)) => (&LARGE, 960, 1280, width),
        _ => return bad_model(format!("{architecture} is not a MobileNetV3")),
    };
    let (minimal, width) = match width.strip_prefix("minimal_") {
        Some(width) => (true, width),
        None => (false, width),
    };
    let (width, depth) = match width {
        "050" => (0.5, 1.0),
        "075" => (0.75, 1.0),
        "100" => (1.0, 1.0),
        "150d" => (1.5, 1.2),
        _ => return bad_model(format!("{architecture} is not a MobileNetV3")),
    };
    let mut args = config.args.clone();
    let common = Common::take(&mut args, tensorflow)?;
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    // The minimal variants have neither squeezes nor hard swishes nor large kernels.
    let swish = if minimal { Act::Relu } else { Act::HardSwish };
    let mut stacks: Vec<Vec<Run>> = Vec::new();
    for &(stack, repeats, kernel, stride, expansion, channels, squeezes, swishes) in rows {
        let run = Run {
            repeats,
            kernel: if minimal { 3 } else { kernel },
            stride,
            expansion,
            channels: rounded(channels, width),
            act: if swishes { swish } else { Act::Relu },
            squeeze: (squeezes && !minimal).then_some(Squeeze::OfMiddle),
        };
        match stacks.get_mut(stack) {
            Some(runs) => runs.push(run),
            None => stacks.push(vec![run]),
        }
    }
    for stack in &mut stacks {
        deepen(stack, depth);
    }
    let inputs = if width < 0.75 { 16 } else { rounded(16, width) };
    let stem = common.conv("conv_stem".into(), "bn1".into(), channels, inputs, 3).stride(2);
    let mut stages = vec![("stem".to_owned(), vec![Op::Conv(stem), Op::Act(swish), Op::Tap("bn1".into())])];
    let (blocks, mut inputs) = inverted_residual::stages(&stacks, inputs, &common);
    stages.extend(blocks);
    let (id, wide, convs) = (format!("blocks.{}", stacks.len()), rounded(last, width), depth.ceil() as usize);
    for i in 0..convs {
        let name = format!("{id}.{i}");
        let conv = common.conv(format!("{name}.conv"), format!("{name}.bn1"), inputs, wide, 1);
        let mut ops = conv_act(conv, swish).to_vec();
        ops.push(Op::Tap(name.clone()));
        if i + 1 == convs {
            ops.push(Op::Tap(id.clone()));
        }
        stages.push((name, ops));
        inputs = wide;
    }
    let mut head = vec![Op::GlobalAvgPool];
    head.extend(conv_act(Conv2dSpec::new("conv_head", wide, features, 1).bias(true), swish));
    stages.push(("head".into(), head));
    stages.push(("classifier".into(), vec![linear("classifier", features, config.num_classes)]));
    net::plan(config, id, stages)
}
