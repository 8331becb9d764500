//! MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) by timm's names, keys and `model_args`.
//!
//! Stages: `stem`, one per block, `conv_head` (the last spatial map), `classifier` (mean over space, linear).

use crate::error::Result;
use crate::layers::{Act, Padding, bad_model};
use crate::models::inverted_residual::{self, Common, Stack, rounded};
use crate::models::{Family, Plan};
use crate::net::{self, Op};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "mobilenet_v2",
    title: "MobileNetV2",
    names: &["mobilenetv2_{035,050,075,100,110d,120d,140}"],
    default_layer: "bn2, the last feature map before pooling",
    checked_against: "timm 1.0.31",
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

/// (repeats, stride, expansion, channels), table 2 of the paper.
const STACKS: [(usize, usize, usize, usize); 7] =
    [(1, 1, 1, 16), (2, 2, 6, 24), (3, 2, 6, 32), (4, 2, 6, 64), (3, 1, 6, 96), (3, 2, 6, 160), (1, 1, 6, 320)];

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let Some((width, depth, fixed)) = multipliers(architecture) else {
        return bad_model(format!("{architecture} is no MobileNetV2"));
    };
    let mut args = config.args.clone();
    let common = Common::take(&mut args, Padding::Symmetric, 1e-5)?;
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
        let repeats = if fixed && ends { repeats } else { (repeats as f64 * depth).ceil() as usize };
        Stack { repeats, kernel: 3, stride, expansion: expansion as f64, channels: rounded(channels, width), act }
    });
    let (blocks, inputs) = inverted_residual::stages(&stacks, inputs, &common);
    stages.extend(blocks);
    let features = if fixed { 1280 } else { rounded(1280, width).max(1280) };
    let conv_head = common.conv("conv_head".into(), "bn2".into(), inputs, features, 1);
    stages.push(("conv_head".into(), vec![Op::Conv(conv_head), Op::Act(act), Op::Tap("bn2".into())]));
    stages.push(("classifier".into(), net::classifier("classifier", features, config.num_classes)));
    net::plan(config, "bn2", stages)
}
