//! AlexNet (Krizhevsky 2014, arXiv 1404.5997) by torchvision's name and keys.
//!
//! Stages: one per convolution, `hidden`, `classifier`.

use sightline_kernels::Act;

use crate::error::Result;
use crate::nn::families::Family;
use crate::nn::layers::{Conv2dSpec, Padding, Pool};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, linear};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "alexnet",
    title: "AlexNet",
    names: &["alexnet"],
    default_layer: "features.11, the last ReLU before the last pooling",
    checked_against: "torchvision 0.29.2",
    plan,
};

/// (index in `features`, outputs, kernel, stride, padding, whether a pooling follows)
const CONVOLUTIONS: [(usize, usize, usize, usize, usize, bool); 5] = [
    (0, 64, 11, 4, 2, true),
    (3, 192, 5, 1, 2, true),
    (6, 384, 3, 1, 1, false),
    (8, 256, 3, 1, 1, false),
    (10, 256, 3, 1, 1, true),
];

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let mut args = config.args.clone();
    let mut inputs = net::input_channels(config, &mut args)?;
    args.finish(&config.architecture)?;
    config.only_pooled_by("avg")?;
    let mut stages = Vec::new();
    for (index, outputs, kernel, stride, padding, pooled) in CONVOLUTIONS {
        let name = format!("features.{index}");
        let conv = Conv2dSpec::new(name.clone(), inputs, outputs, kernel).stride(stride).bias(true);
        let conv = Op::Conv(conv.padding(Some(Padding::Fixed(padding))));
        let relu = format!("features.{}", index + 1);
        let mut ops = vec![conv, Op::Tap(name.clone()), Op::Act(Act::Relu), Op::Tap(relu)];
        if pooled {
            ops.extend([Op::MaxPool(Pool::new(3, 2, 0)), Op::Tap(format!("features.{}", index + 2))]);
        }
        stages.push((name, ops));
        inputs = outputs;
    }
    let hidden = vec![
        Op::AdaptiveAvgPool([6, 6]),
        Op::Flatten,
        linear("classifier.1", 36 * inputs, 4096),
        Op::Act(Act::Relu),
        linear("classifier.4", 4096, 4096),
        Op::Act(Act::Relu),
    ];
    stages.push(("hidden".into(), hidden));
    stages.push(("classifier".into(), vec![linear("classifier.6", 4096, config.num_classes)]));
    net::plan(config, "features.11", stages)
}
