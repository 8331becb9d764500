//! DenseNet (Huang et al. 2016, arXiv 1608.06993) by timm's names, keys and `model_args`. torchvision's keys are the same.
//!
//! Stages: `stem`, one per dense layer (the state is what all layers of its block have made so far), transitions, `norm5`, `classifier`.

use crate::error::Result;
use crate::layers::{Act, Conv2dSpec, Pool, bad_model};
use crate::models::{Family, Plan};
use crate::net::{self, Op, conv_act};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "densenet",
    title: "DenseNet",
    names: &["densenet{121,161,169,201,264d}"],
    default_layer: "features.norm5, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

const EPSILON: f64 = 1e-5;

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let (growth, blocks, stem_type) = match architecture.as_str() {
        "densenet121" => (32, [6, 12, 24, 16], ""),
        "densenet161" => (48, [6, 12, 36, 24], ""),
        "densenet169" => (32, [6, 12, 32, 32], ""),
        "densenet201" => (32, [6, 12, 48, 32], ""),
        "densenet264d" => (48, [6, 12, 64, 48], "deep"),
        _ => return bad_model(format!("{architecture} is no DenseNet")),
    };
    let mut args = config.args.clone();
    let growth = args.integer("growth_rate", growth, 1..=256)?;
    let blocks = args.list("block_config", blocks, 1..=128)?;
    let bottleneck = args.integer("bn_size", 4, 1..=16)?;
    let stem_type = args.string("stem_type")?.unwrap_or_else(|| stem_type.into());
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let conv = |name: String, norm: String, inputs, outputs, kernel| {
        Conv2dSpec::new(name, inputs, outputs, kernel).norm(norm, EPSILON)
    };
    // A norm that no convolution of its own precedes, and its ReLU.
    let norm_act = |name: String, channels| [Op::BatchNorm { name, channels, epsilon: EPSILON }, Op::Act(Act::Relu)];
    let mut inputs = 2 * growth;
    let mut stem = Vec::new();
    let part = |i: usize, inputs, outputs, kernel| {
        conv(format!("features.conv{i}"), format!("features.norm{i}"), inputs, outputs, kernel)
    };
    match stem_type.as_str() {
        "" => stem.extend(conv_act(part(0, channels, inputs, 7).stride(2), Act::Relu)),
        "deep" => {
            stem.extend(conv_act(part(0, channels, growth, 3).stride(2), Act::Relu));
            stem.extend(conv_act(part(1, growth, growth, 3), Act::Relu));
            stem.extend(conv_act(part(2, growth, inputs, 3), Act::Relu));
        }
        other => return bad_model(format!("config.json: stem_type {other:?} is not supported for {architecture}")),
    }
    stem.extend([Op::MaxPool(Pool::new(3, 2, 1)), Op::Tap("features.pool0".into())]);
    let mut stages = vec![("stem".to_owned(), stem)];
    for (i, layers) in blocks.into_iter().enumerate() {
        let block = format!("features.denseblock{}", i + 1);
        for layer in 1..=layers {
            let name = format!("{block}.denselayer{layer}");
            let at = |leaf: &str| format!("{name}.{leaf}");
            let middle = bottleneck * growth;
            let mut made = norm_act(at("norm1"), inputs).to_vec();
            made.extend(conv_act(conv(at("conv1"), at("norm2"), inputs, middle, 1), Act::Relu));
            made.push(Op::Conv(Conv2dSpec::new(at("conv2"), middle, growth, 3)));
            let mut ops = vec![Op::Concat(vec![vec![], made])];
            if layer == layers {
                ops.push(Op::Tap(block.clone()));
            }
            stages.push((name, ops));
            inputs += growth;
        }
        if i + 1 < blocks.len() {
            let name = format!("features.transition{}", i + 1);
            let mut ops = norm_act(format!("{name}.norm"), inputs).to_vec();
            ops.push(Op::Conv(Conv2dSpec::new(format!("{name}.conv"), inputs, inputs / 2, 1)));
            ops.extend([Op::AvgPool(Pool::new(2, 2, 0)), Op::Tap(name.clone())]);
            stages.push((name, ops));
            inputs /= 2;
        }
    }
    let mut last = norm_act("features.norm5".into(), inputs).to_vec();
    last.push(Op::Tap("features.norm5".into()));
    stages.push(("norm5".into(), last));
    stages.push(("classifier".into(), net::classifier("classifier", inputs, config.num_classes)));
    net::plan(config, "features.norm5", stages)
}
