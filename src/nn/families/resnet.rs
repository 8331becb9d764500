//! Residual nets: ResNet (He et al. 2015, arXiv 1512.03385), its `d` and `t` stems (He et al. 2018,
//! arXiv 1812.01187), ResNeXt (Xie et al. 2016, arXiv 1611.05431), wide ResNet (Zagoruyko and
//! Komodakis 2016, arXiv 1605.07146) and those with squeeze and excitation at the end of each block
//! (Hu et al. 2017, arXiv 1709.01507), by timm's names, keys and `model_args`. torchvision's keys
//! are the same.
//!
//! Stages: `stem`, one per block, `fc` (mean over space, linear).

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::{Family, Step, Strides, not_supported};
use crate::nn::layers::{Conv2dSpec, Padding, Pool};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, conv_act, residual};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "resnet",
    title: "ResNet",
    names: &[
        "resnet{18,34,26,50,101,152}",
        "resnet{18,34,26,50,101,152}d",
        "resnet{10,14,26}t",
        "resnext{50_32x4d,101_32x4d,101_32x8d}",
        "wide_resnet{50,101}_2",
        "seresnet{18,34,50,101,152}",
        "seresnext{50_32x4d,101_32x4d,101_32x8d}",
    ],
    default_layer: "layer4, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

/// (blocks per stage, whether they are bottlenecks, groups, width of a group)
fn shape(architecture: &str) -> Option<([usize; 4], bool, usize, usize)> {
    let (depth, groups, width) = match architecture.split_once('_') {
        None => (architecture.strip_prefix("resnet")?.trim_end_matches(['d', 't']), 1, 64),
        Some((name, kind)) => match (name.strip_prefix("resnext"), kind.split_once('x')) {
            (Some(depth), Some((groups, width))) => {
                (depth, groups.parse().ok()?, width.trim_end_matches('d').parse().ok()?)
            }
            _ => (architecture.strip_prefix("wide_resnet")?.strip_suffix("_2")?, 1, 128),
        },
    };
    let (layers, bottleneck) = match depth {
        "10" => ([1, 1, 1, 1], false),
        "14" => ([1, 1, 1, 1], true),
        "18" => ([2, 2, 2, 2], false),
        "26" => ([2, 2, 2, 2], true),
        "34" => ([3, 4, 6, 3], false),
        "50" => ([3, 4, 6, 3], true),
        "101" => ([3, 4, 23, 3], true),
        "152" => ([3, 8, 36, 3], true),
        _ => return None,
    };
    Some((layers, bottleneck, groups, width))
}

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let squeezes = architecture.starts_with("se");
    let Some((layers, bottleneck, groups, width)) = shape(architecture.strip_prefix("se").unwrap_or(architecture))
    else {
        return bad_model(format!("{architecture} is not a ResNet"));
    };
    let (deep, tiered) = (architecture.ends_with('d') && width == 64, architecture.ends_with('t'));
    let mut args = config.args.clone();
    let layers = args.list("layers", layers, 1..=64)?;
    let channels = args.list("channels", [64, 128, 256, 512], 1..=4096)?;
    let groups = args.integer("cardinality", groups, 1..=1024)?;
    let width = args.integer("base_width", width, 1..=1024)?;
    let stem_type = args.string("stem_type")?.unwrap_or_else(|| {
        if tiered {
            "deep_tiered"
        } else if deep {
            "deep"
        } else {
            ""
        }
        .into()
    });
    let stem_width = args.integer("stem_width", if deep || tiered { 32 } else { 64 }, 4..=1024)?;
    let avg_down = args.boolean("avg_down", deep || tiered)?;
    let output_stride = args.integer("output_stride", 32, 8..=32)?;
    let inputs = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let epsilon = 1e-5;
    let conv = |name: String, norm: String, inputs, outputs, kernel| {
        Conv2dSpec::new(name, inputs, outputs, kernel).norm(norm, epsilon)
    };
    let mut stem = Vec::new();
    let mut inputs = match stem_type.as_str() {
        "" => {
            stem.extend(conv_act(conv("conv1".into(), "bn1".into(), inputs, 64, 7).stride(2), Act::Relu));
            64
        }
        "deep" | "deep_tiered" => {
            let first = if stem_type == "deep" { stem_width } else { 3 * (stem_width / 4) };
            let part =
                |i: usize, inputs, outputs| conv(format!("conv1.{i}"), format!("conv1.{}", i + 1), inputs, outputs, 3);
            stem.extend(conv_act(part(0, inputs, first).stride(2), Act::Relu));
            stem.extend(conv_act(part(3, first, stem_width), Act::Relu));
            stem.extend(conv_act(conv("conv1.6".into(), "bn1".into(), stem_width, 2 * stem_width, 3), Act::Relu));
            2 * stem_width
        }
        other => return not_supported("stem_type", other, architecture),
    };
    stem.extend([Op::Tap("act1".into()), Op::MaxPool(Pool::new(3, 2, 1)), Op::Tap("maxpool".into())]);
    let mut stages = vec![("stem".to_owned(), stem)];

    let mut strides = Strides::new(4, output_stride);
    for (i, (blocks, planes)) in layers.into_iter().zip(channels).enumerate() {
        let Step { mut stride, mut first_dilation, dilation } = strides.step(if i == 0 { 1 } else { 2 });
        let outputs = if bottleneck { 4 * planes } else { planes };
        for block in 0..blocks {
            let name = format!("layer{}.{block}", i + 1);
            let at = |leaf: &str| format!("{name}.{leaf}");
            let part = |i: usize, inputs, outputs, kernel| {
                conv(at(&format!("conv{i}")), at(&format!("bn{i}")), inputs, outputs, kernel)
            };
            let mut main = Vec::new();
            if bottleneck {
                let middle = planes * width / 64 * groups;
                if middle == 0 {
                    return bad_model(format!("config.json: base_width {width} leaves no channels"));
                }
                main.extend(conv_act(part(1, inputs, middle, 1), Act::Relu));
                main.extend(conv_act(
                    part(2, middle, middle, 3).stride(stride).dilation(first_dilation).groups(groups),
                    Act::Relu,
                ));
                main.push(Op::Conv(part(3, middle, outputs, 1)));
            } else {
                main.extend(conv_act(part(1, inputs, planes, 3).stride(stride).dilation(first_dilation), Act::Relu));
                main.push(Op::Conv(part(2, planes, outputs, 3).dilation(dilation)));
            }
            if squeezes {
                let squeezed = net::multiple_of_8(outputs as f64 / 16.0, 0.0);
                main.push(net::squeeze_excite(
                    ["se.fc1", "se.fc2"].map(at),
                    outputs,
                    squeezed,
                    [Act::Relu, Act::Sigmoid],
                ));
            }
            let mut shortcut = Vec::new();
            if block == 0 && (stride != 1 || inputs != outputs) {
                if avg_down {
                    if stride != 1 || dilation != 1 {
                        let mut pool = Pool::new(2, if dilation == 1 { stride } else { 1 }, 0);
                        (pool.ceil, pool.count_padding) = (true, false);
                        if pool.stride == 1 {
                            // timm pads with zeros first and then counts them.
                            (pool.padding, pool.count_padding) = (Padding::Same, true);
                        }
                        shortcut.push(Op::AvgPool(pool));
                    }
                    shortcut.push(Op::Conv(conv(at("downsample.1"), at("downsample.2"), inputs, outputs, 1)));
                } else {
                    shortcut.push(Op::Conv(
                        conv(at("downsample.0"), at("downsample.1"), inputs, outputs, 1).stride(stride),
                    ));
                }
            }
            let mut ops = vec![residual(main, shortcut), Op::Act(Act::Relu), Op::Tap(name.clone())];
            if block + 1 == blocks {
                ops.push(Op::Tap(format!("layer{}", i + 1)));
            }
            stages.push((name, ops));
            (inputs, stride, first_dilation) = (outputs, 1, dilation);
        }
    }
    stages.push(("fc".into(), net::classifier("fc", inputs, config.num_classes)));
    net::plan(config, "layer4", stages)
}
