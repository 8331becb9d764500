//! SqueezeNet (Iandola et al. 2016, arXiv 1602.07360) by torchvision's names and keys.
//!
//! Stages: `features.0`, one per fire module, `classifier` (convolution, ReLU, mean over space).

use sightline_kernels::Act;

use crate::error::Result;
use crate::nn::families::Family;
use crate::nn::layers::{Conv2dSpec, Pool};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, conv_act};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "squeezenet",
    title: "SqueezeNet",
    names: &["squeezenet1_{0,1}"],
    default_layer: "features.12, the last fire module",
    checked_against: "torchvision 0.29.2",
    plan,
};

/// Squeezed and expanded (each of two) channels of the eight fire modules.
const FIRES: [(usize, usize); 8] =
    [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)];

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let first = config.architecture.ends_with('0');
    let mut args = config.args.clone();
    let channels = net::input_channels(config, &mut args)?;
    args.finish(&config.architecture)?;
    config.only_pooled_by("avg")?;
    let mut pool = Pool::new(3, 2, 0);
    pool.ceil = true;
    // The poolings are elements of `features` of their own.
    let (mut inputs, kernel, pools) = if first { (96, 7, [2, 6, 11]) } else { (64, 3, [2, 5, 8]) };
    let conv = |name: String, inputs, outputs, kernel| Conv2dSpec::new(name, inputs, outputs, kernel).bias(true);
    let stem = conv("features.0".into(), channels, inputs, kernel).stride(2).padding(None);
    let mut ops = conv_act(stem, Act::Relu).to_vec();
    ops.extend([Op::Tap("features.1".into()), Op::MaxPool(pool), Op::Tap("features.2".into())]);
    let mut stages = vec![("features.0".to_owned(), ops)];
    let mut index = 3;
    for (squeezed, expanded) in FIRES {
        let name = format!("features.{index}");
        let branch = |leaf: &str, kernel| {
            conv_act(conv(format!("{name}.{leaf}"), squeezed, expanded, kernel), Act::Relu).to_vec()
        };
        let mut ops = conv_act(conv(format!("{name}.squeeze"), inputs, squeezed, 1), Act::Relu).to_vec();
        ops.extend([Op::Concat(vec![branch("expand1x1", 1), branch("expand3x3", 3)]), Op::Tap(name.clone())]);
        index += 1;
        if pools.contains(&index) {
            ops.extend([Op::MaxPool(pool), Op::Tap(format!("features.{index}"))]);
            index += 1;
        }
        stages.push((name, ops));
        inputs = 2 * expanded;
    }
    let mut classifier = conv_act(conv("classifier.1".into(), inputs, config.num_classes, 1), Act::Relu).to_vec();
    classifier.push(Op::GlobalAvgPool);
    stages.push(("classifier".into(), classifier));
    net::plan(config, "features.12", stages)
}
