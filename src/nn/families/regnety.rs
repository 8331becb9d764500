//! RegNetY (Radosavovic et al. 2020, arXiv 2003.13678) by timm's names, keys and `model_args`.
//!
//! Stages: `stem`, one per block, `head` (mean over space, linear).

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::{Family, Step, Strides};
use crate::nn::layers::Conv2dSpec;
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, conv_act, residual};
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "regnety",
    title: "RegNetY",
    names: &["regnety_{002,004,006,008,016,032,040,064,080,120,160,320,640}", "regnety_{008,080}_tv"],
    default_layer: "s4, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

/// The line that the widths of the blocks follow (section 3.3 of the paper), and the width of a
/// group.
struct Line {
    depth: usize,
    initial: usize,
    slope: f64,
    multiplier: f64,
    group: usize,
}

/// Table 9 of the paper; the sizes beyond it are timm's.
fn line(size: &str) -> Option<Line> {
    let (depth, initial, slope, multiplier, group) = match size {
        "002" => (13, 24, 36.44, 2.49, 8),
        "004" => (16, 48, 27.89, 2.09, 8),
        "006" => (15, 48, 32.54, 2.32, 16),
        "008" => (14, 56, 38.84, 2.4, 16),
        "016" => (27, 48, 20.71, 2.65, 24),
        "032" => (21, 80, 42.63, 2.66, 24),
        "040" => (22, 96, 31.41, 2.24, 64),
        "064" => (25, 112, 33.22, 2.27, 72),
        "080" => (17, 192, 76.82, 2.19, 56),
        "120" => (19, 168, 73.36, 2.37, 112),
        "160" => (18, 200, 106.23, 2.48, 112),
        "320" => (20, 232, 115.89, 2.53, 232),
        "640" => (20, 352, 147.48, 2.4, 328),
        _ => return None,
    };
    Some(Line { depth, initial, slope, multiplier, group })
}

impl Line {
    /// (blocks, width) of each stage: a block's width on the line, rounded to the nearest power of
    /// the multiplier and to a multiple of 8.
    fn stages(&self) -> Vec<(usize, usize)> {
        let mut stages: Vec<(usize, usize)> = Vec::new();
        let initial = self.initial as f64;
        for block in 0..self.depth {
            let wanted = initial + self.slope * block as f64;
            let power = ((wanted / initial).ln() / self.multiplier.ln()).round_ties_even();
            let width = (initial * self.multiplier.powf(power) / 8.0).round_ties_even() as usize * 8;
            match stages.last_mut() {
                Some((blocks, last)) if *last == width => *blocks += 1,
                _ => stages.push((1, width)),
            }
        }
        stages
    }
}

/// The multiple of `group` nearest to `width`, which is at least one group. With `least` halves go
/// up, and where less than that share of `width` is left, so does the rest (torchvision's rule).
fn whole_groups(width: usize, group: usize, least: f64) -> usize {
    if least == 0.0 {
        return (width as f64 / group as f64).round_ties_even() as usize * group;
    }
    let nearest = (width as f64 + group as f64 / 2.0) as usize / group * group;
    if (nearest as f64) < least * width as f64 { nearest + group } else { nearest }
}

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let size = architecture.strip_prefix("regnety_").unwrap_or_default();
    let Some(line) = line(size.trim_end_matches("_tv")) else {
        return bad_model(format!("{architecture} is not a RegNetY"));
    };
    let mut args = config.args.clone();
    let line = Line {
        depth: args.integer("depth", line.depth, 4..=128)?,
        initial: args.integer("w0", line.initial, 8..=4096)?,
        slope: args.number("wa", line.slope, 0.0..=1024.0)?,
        multiplier: args.number("wm", line.multiplier, 1.01..=16.0)?,
        group: args.integer("group_size", line.group, 1..=4096)?,
    };
    args.read_null_as("group_min_ratio", 0);
    args.read_null_as("se_ratio", 0);
    let least = args.number("group_min_ratio", if size.ends_with("_tv") { 0.9 } else { 0.0 }, 0.0..=1.0)?;
    let reduction = args.number("se_ratio", 0.25, 0.0..=4.0)?;
    let stem_width = args.integer("stem_width", 32, 1..=4096)?;
    let output_stride = args.integer("output_stride", 32, 8..=32)?;
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let shape = line.stages();
    if !line.initial.is_multiple_of(8) || shape.len() != 4 || shape.iter().any(|&(_, width)| width > 16384) {
        return bad_model(format!(
            "config.json: depth, w0, wa and wm of {architecture} must make four stages of at most 16384 channels, \
             w0 a multiple of 8"
        ));
    }

    // A convolution with its norm, as timm's `ConvNormAct` names them.
    let conv = |name: String, inputs, outputs, kernel| {
        Conv2dSpec::new(format!("{name}.conv"), inputs, outputs, kernel).norm(format!("{name}.bn"), 1e-5)
    };
    let mut stem = conv_act(conv("stem".into(), channels, stem_width, 3).stride(2), Act::Relu).to_vec();
    stem.push(Op::Tap("stem".into()));
    let mut stages = vec![("stem".to_owned(), stem)];

    let (mut inputs, mut strides) = (stem_width, Strides::new(2, output_stride));
    for (i, (blocks, width)) in shape.into_iter().enumerate() {
        let group = line.group.min(width);
        let outputs = whole_groups(width, group, least);
        let Step { mut stride, mut first_dilation, dilation } = strides.step(2);
        for block in 1..=blocks {
            let name = format!("s{}.b{block}", i + 1);
            let at = |leaf: &str| format!("{name}.{leaf}");
            let mut main = conv_act(conv(at("conv1"), inputs, outputs, 1), Act::Relu).to_vec();
            let grouped = conv(at("conv2"), outputs, outputs, 3).groups(outputs / group);
            main.extend(conv_act(grouped.stride(stride).dilation(first_dilation), Act::Relu));
            if reduction > 0.0 {
                let squeezed = (inputs as f64 * reduction).round_ties_even() as usize;
                if squeezed == 0 {
                    return bad_model(format!("config.json: se_ratio {reduction} leaves no channels"));
                }
                main.push(net::squeeze_excite(
                    ["se.fc1", "se.fc2"].map(at),
                    outputs,
                    squeezed,
                    [Act::Relu, Act::Sigmoid],
                ));
            }
            main.push(Op::Conv(conv(at("conv3"), outputs, outputs, 1)));
            let mut shortcut = Vec::new();
            if inputs != outputs || stride != 1 || first_dilation != dilation {
                shortcut.push(Op::Conv(conv(at("downsample"), inputs, outputs, 1).stride(stride)));
            }
            let mut ops = vec![residual(main, shortcut), Op::Act(Act::Relu), Op::Tap(name.clone())];
            if block == blocks {
                ops.push(Op::Tap(format!("s{}", i + 1)));
            }
            stages.push((name, ops));
            (inputs, stride, first_dilation) = (outputs, 1, dilation);
        }
    }
    stages.push(("head".into(), net::classifier("head.fc", inputs, config.num_classes)));
    net::plan(config, "s4", stages)
}
