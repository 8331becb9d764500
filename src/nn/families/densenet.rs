//! DenseNet (Huang et al. 2016, arXiv 1608.06993), also with a deep stem and with blurred pooling
//! (Zhang 2019, arXiv 1904.11486), by timm's names, keys and `model_args`. torchvision's keys are
//! the same.
//!
//! Stages: `stem`, one per dense layer (the state is what all layers of its block have made so
//! far), transitions, `norm5`, `classifier`.

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::{Family, not_supported};
use crate::nn::layers::{Conv2dSpec, Pool};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, conv_act};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "densenet",
    title: "DenseNet",
    names: &["densenet{121,161,169,201,264d}", "densenetblur121d"],
    default_layer: "features.norm5, the last feature map before pooling, after its activation",
    checked_against: "timm 1.0.31, torchvision 0.29.2",
    plan,
};

const EPSILON: f64 = 1e-5;

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = config.architecture.as_str();
    let (growth, blocks) = match architecture {
        "densenet121" | "densenetblur121d" => (32, [6, 12, 24, 16]),
        "densenet161" => (48, [6, 12, 36, 24]),
        "densenet169" => (32, [6, 12, 32, 32]),
        "densenet201" => (32, [6, 12, 48, 32]),
        "densenet264d" => (48, [6, 12, 64, 48]),
        _ => return bad_model(format!("{architecture} is not a DenseNet")),
    };
    let blurred = architecture.contains("blur");
    let mut args = config.args.clone();
    let growth = args.integer("growth_rate", growth, 1..=256)?;
    let blocks = args.list_of("block_config", &blocks, 1..=6, 1..=128)?;
    let bottleneck = args.integer("bn_size", 4, 1..=16)? * growth;
    // torchvision's argument; timm always takes the default.
    let initial = args.integer("num_init_features", 2 * growth, 1..=1024)?;
    let stem_type =
        args.string("stem_type")?.unwrap_or_else(|| if architecture.ends_with('d') { "deep" } else { "" }.into());
    let blurred_transitions = blurred && !args.boolean("aa_stem_only", true)?;
    args.boolean("memory_efficient", false)?; // of the training
    let inputs = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let widths = match stem_type.as_str() {
        "" => vec![],
        "deep" => vec![growth, growth],
        "deep_tiered" => vec![growth / 4 * 3, growth / 4 * 6],
        "deep_tiered_narrow" => vec![growth / 4 * 3, initial],
        other => return not_supported("stem_type", other, architecture),
    };
    if widths.contains(&0) {
        return bad_model(format!("config.json: growth_rate {growth} leaves no channels for the stem"));
    }
    let (kernel, deepest) = (if widths.is_empty() { 7 } else { 3 }, widths.len());
    let mut stem = Vec::new();
    let mut channels = inputs;
    for (i, width) in widths.into_iter().chain([initial]).enumerate() {
        let conv = Conv2dSpec::new(format!("features.conv{i}"), channels, width, kernel);
        stem.extend(conv_act(
            conv.norm(format!("features.norm{i}"), EPSILON).stride(if i == 0 { 2 } else { 1 }),
            Act::Relu,
        ));
        channels = width;
    }
    stem.push(Op::Tap(format!("features.norm{deepest}")));
    stem.push(Op::MaxPool(Pool::new(3, if blurred { 1 } else { 2 }, 1)));
    if blurred {
        stem.extend(blur());
    }
    stem.push(Op::Tap("features.pool0".into()));
    let mut stages = vec![("stem".to_owned(), stem)];

    for (i, &layers) in blocks.iter().enumerate() {
        let block = format!("features.denseblock{}", i + 1);
        for layer in 1..=layers {
            let name = format!("{block}.denselayer{layer}");
            let conv =
                |i: usize, inputs, outputs, kernel| Conv2dSpec::new(format!("{name}.conv{i}"), inputs, outputs, kernel);
            let mut new = norm_act(&format!("{name}.norm1"), channels).to_vec();
            new.extend(conv_act(conv(1, channels, bottleneck, 1).norm(format!("{name}.norm2"), EPSILON), Act::Relu));
            new.extend([Op::Conv(conv(2, bottleneck, growth, 3)), Op::Tap(name.clone())]);
            let mut ops = vec![Op::Concat(vec![vec![], new])];
            if layer == layers {
                ops.push(Op::Tap(block.clone()));
            }
            stages.push((name, ops));
            channels += growth;
        }
        if i + 1 < blocks.len() {
            let name = format!("features.transition{}", i + 1);
            let mut ops = norm_act(&format!("{name}.norm"), channels).to_vec();
            ops.push(Op::Conv(Conv2dSpec::new(format!("{name}.conv"), channels, channels / 2, 1)));
            if blurred_transitions {
                ops.extend(blur());
            } else {
                ops.push(Op::AvgPool(Pool::new(2, 2, 0)));
            }
            ops.push(Op::Tap(name.clone()));
            stages.push((name, ops));
            channels /= 2;
        }
    }
    let last = "features.norm5".to_owned();
    let mut ops = norm_act(&last, channels).to_vec();
    ops.push(Op::Tap(last.clone()));
    stages.push(("norm5".into(), ops));
    stages.push(("classifier".into(), net::classifier("classifier", channels, config.num_classes)));
    net::plan(config, last, stages)
}

/// A batch norm that no convolution precedes, and its activation.
fn norm_act(name: &str, channels: usize) -> [Op; 2] {
    [Op::BatchNorm { name: name.into(), channels, epsilon: EPSILON }, Op::Act(Act::Relu)]
}

/// Every second pixel of a picture smoothed by (1 2 1) / 4 along rows and columns, which is the
/// mean of two neighbours, twice.
fn blur() -> [Op; 3] {
    [Op::ReflectPad(1), Op::AvgPool(Pool::new(2, 1, 0)), Op::AvgPool(Pool::new(2, 2, 0))]
}
