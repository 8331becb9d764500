//! VGG (Simonyan and Zisserman 2014, arXiv 1409.1556) by timm's names and keys, and by
//! torchvision's.
//!
//! Stages: one per convolution, `pre_logits`, `head`. The two libraries differ on pictures that are
//! not 224 pixels: torchvision averages the last maps to 7 x 7, timm only where they are smaller
//! and slides its 7 x 7 layer over larger ones.

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::Family;
use crate::nn::layers::{Conv2dSpec, Pool};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, conv_act, linear};
use crate::package::{Config, Keys};

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "vgg",
    title: "VGG",
    names: &["vgg{11,13,16,19}", "vgg{11,13,16,19}_bn"],
    default_layer: "the last ReLU of features, before the last pooling",
    checked_against: "timm 1.0.31, torchvision 0.29.2",
    plan,
};

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let (depth, norm) = match architecture.strip_suffix("_bn") {
        Some(depth) => (depth, true),
        None => (architecture.as_str(), false),
    };
    let convolutions = match depth {
        "vgg11" => [1, 1, 2, 2, 2],
        "vgg13" => [2, 2, 2, 2, 2],
        "vgg16" => [2, 2, 3, 3, 3],
        "vgg19" => [2, 2, 4, 4, 4],
        _ => return bad_model(format!("{architecture} is not a VGG")),
    };
    let mut args = config.args.clone();
    let ratio = args.number("mlp_ratio", 1.0, 1e-4..=4.0)?;
    let mut inputs = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let mut stages = Vec::new();
    let (mut index, mut last_relu) = (0, String::new());
    for (repeats, outputs) in convolutions.into_iter().zip([64, 128, 256, 512, 512]) {
        for repeat in 0..repeats {
            let name = format!("features.{index}");
            let mut conv = Conv2dSpec::new(name.clone(), inputs, outputs, 3).bias(true);
            if norm {
                index += 1;
                conv = conv.norm(format!("features.{index}"), 1e-5);
            }
            index += 1;
            last_relu = format!("features.{index}");
            let mut ops = conv_act(conv, Act::Relu).to_vec();
            ops.push(Op::Tap(last_relu.clone()));
            index += 1;
            if repeat + 1 == repeats {
                ops.extend([Op::MaxPool(Pool::new(2, 2, 0)), Op::Tap(format!("features.{index}"))]);
                index += 1;
            }
            stages.push((name, ops));
            inputs = outputs;
        }
    }
    let [_, height, width] = config.preprocess.input_size;
    let middle = (4096.0 * ratio) as usize;
    if config.keys == Keys::Torchvision {
        let hidden = vec![
            Op::AdaptiveAvgPool([7, 7]),
            Op::Flatten,
            linear("classifier.0", 49 * inputs, middle),
            Op::Act(Act::Relu),
            linear("classifier.3", middle, 4096),
            Op::Act(Act::Relu),
        ];
        stages.push(("hidden".into(), hidden));
        stages.push(("classifier".into(), vec![linear("classifier.6", 4096, config.num_classes)]));
    } else {
        let (h, w) = (height >> 5, width >> 5);
        let mut hidden = Vec::new();
        if h < 7 || w < 7 {
            hidden.push(Op::AdaptiveAvgPool([h.max(7), w.max(7)]));
        }
        let fc1 = Conv2dSpec::new("pre_logits.fc1", inputs, middle, 7).padding(None).bias(true);
        hidden.extend(conv_act(fc1, Act::Relu));
        hidden.extend(conv_act(Conv2dSpec::new("pre_logits.fc2", middle, 4096, 1).bias(true), Act::Relu));
        stages.push(("pre_logits".into(), hidden));
        stages.push(("head".into(), net::classifier("head.fc", 4096, config.num_classes)));
    }
    net::plan(config, last_relu, stages)
}
