//! MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) by timm's names, keys and `model_args`, and
//! by torchvision's name and keys.
//!
//! Stages: `stem`, one per block, `conv_head` (the last spatial map), `classifier` (mean over
//! space, linear).

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::Family;
use crate::nn::families::inverted_residual::{self, Common, Run, deepen, rounded};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op};
use crate::package::{Config, Keys};

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "mobilenet_v2",
    title: "MobileNetV2",
    names: &["mobilenetv2_{035,050,075,100,110d,120d,140}", "mobilenet_v2"],
    default_layer: "bn2 (torchvision: features.18), the last feature map before pooling",
    checked_against: "timm 1.0.31, torchvision 0.29.2",
    plan,
};

/// torchvision's name of the model of width 1.
const TORCHVISION: &str = "mobilenet_v2";

/// (channel multiplier, depth multiplier, whether stem and head keep their size)
fn multipliers(architecture: &str) -> Option<(f64, f64, bool)> {
    if architecture == TORCHVISION {
        return Some((1.0, 1.0, false));
    }
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

/// (repeats, stride, expansion, channels), table 2 of the paper.
const STACKS: [(usize, usize, usize, usize); 7] =
    [(1, 1, 1, 16), (2, 2, 6, 24), (3, 2, 6, 32), (4, 2, 6, 64), (3, 1, 6, 96), (3, 2, 6, 160), (1, 1, 6, 320)];

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let Some((width, depth, fixed)) = multipliers(architecture) else {
        return bad_model(format!("{architecture} is not a MobileNetV2"));
    };
    let mut args = config.args.clone();
    let common = Common::take(&mut args, false)?.take_output_stride(&mut args)?;
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let act = Act::Relu6;
    let inputs = if fixed { 32 } else { rounded(32, width) };
    let stem = common.conv("conv_stem".into(), "bn1".into(), channels, inputs, 3).stride(2);
    let mut stages = vec![("stem".to_owned(), vec![Op::Conv(stem), Op::Act(act), Op::Tap("bn1".into())])];
    let stacks = [0, 1, 2, 3, 4, 5, 6].map(|i| {
        let (repeats, stride, expansion, channels) = STACKS[i];
        let ends = i == 0 || i + 1 == STACKS.len();
        let channels = rounded(channels, width);
        let mut stack =
            vec![Run { repeats, kernel: 3, stride, expansion: expansion as f64, channels, act, squeeze: None }];
        if !(fixed && ends) {
            deepen(&mut stack, depth);
        }
        stack
    });
    let (blocks, inputs) = inverted_residual::stages(&stacks, inputs, &common);
    stages.extend(blocks);
    let features = if fixed { 1280 } else { rounded(1280, width).max(1280) };
    let conv_head = common.conv("conv_head".into(), "bn2".into(), inputs, features, 1);
    stages.push(("conv_head".into(), vec![Op::Conv(conv_head), Op::Act(act), Op::Tap("bn2".into())]));
    stages.push(("classifier".into(), net::classifier("classifier", features, config.num_classes)));
    if architecture != TORCHVISION && (architecture != "mobilenetv2_100" || config.keys == Keys::Timm) {
        return net::plan(config, "bn2", stages);
    }
    let counts = stacks.map(|runs| runs.iter().map(|run| run.repeats).sum());
    let renamed = |ops| net::rename(ops, &|name| torchvision_tensor(name, &counts), &|id| torchvision_tap(id, &counts));
    net::plan(config, "features.18", stages.into_iter().map(|(name, ops)| (name, renamed(ops))).collect())
}

/// The index in torchvision's `features` of block `<stack>.<block>`, and what follows it in the
/// name.
fn index<'a>(name: &'a str, counts: &[usize; 7]) -> Option<(usize, &'a str)> {
    let (stack, rest) = name.strip_prefix("blocks.")?.split_once('.')?;
    let (block, leaf) = rest.split_once('.').unwrap_or((rest, ""));
    let before: usize = counts.iter().take(stack.parse().ok()?).sum();
    Some((1 + before + block.parse::<usize>().ok()?, leaf))
}

/// torchvision's name of timm's tensor.
fn torchvision_tensor(name: &str, counts: &[usize; 7]) -> String {
    let Some((index, leaf)) = index(name, counts) else {
        let own = match name {
            "conv_stem" => "features.0.0",
            "bn1" => "features.0.1",
            "conv_head" => "features.18.0",
            "bn2" => "features.18.1",
            _ => "classifier.1",
        };
        return own.to_owned();
    };
    // The first block has no expansion: its depthwise convolution comes first.
    let place = match (index, leaf) {
        (1, "conv_dw") | (2.., "conv_pw") => "0.0",
        (_, "bn1") => "0.1",
        (1, "conv_pw") => "1",
        (1, _) => "2",
        (_, "conv_dw") => "1.0",
        (_, "bn2") => "1.1",
        (_, "conv_pwl") => "2",
        _ => "3",
    };
    format!("features.{index}.conv.{place}")
}

/// torchvision's name of timm's tap; stacks have none.
fn torchvision_tap(id: &str, counts: &[usize; 7]) -> Option<String> {
    match id {
        "bn1" => Some("features.0".into()),
        "bn2" => Some("features.18".into()),
        _ => index(id, counts).map(|(index, _)| format!("features.{index}")),
    }
}
