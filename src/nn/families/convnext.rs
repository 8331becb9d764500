//! ConvNeXt (Liu et al. 2022, arXiv 2201.03545) and ConvNeXt V2 (Woo et al. 2023, arXiv 2301.00808)
//! by timm's names, keys and `model_args`.
//!
//! Stages: `stem`, one per block (the downsampling belongs to the first of its stage), `head` (mean
//! over space, norm, linear).

use sightline_kernels::Act;

use crate::error::{Result, bad_model};
use crate::nn::families::{Family, not_supported};
use crate::nn::layers::{Conv2dSpec, LayerNormSpec, LinearSpec, Padding};
use crate::nn::model::Plan;
use crate::nn::net::{self, Op, PlaceOp, residual};
use crate::nn::weights::Param;
use crate::package::Config;

/// The registry entry.
pub const FAMILY: Family = Family {
    id: "convnext",
    title: "ConvNeXt",
    names: &[
        "convnext_{atto,femto,pico,nano,tiny,small,base,large,large_mlp,xlarge,tiny_hnf}",
        "convnext_{atto,femto,pico,nano}_ols",
        "convnextv2_{atto,femto,pico,nano,tiny,small,base,large}",
    ],
    default_layer: "stages.3, the last feature map before pooling",
    checked_against: "timm 1.0.31",
    plan,
};

fn plan(config: &Config) -> Result<Box<dyn Plan>> {
    let architecture = &config.architecture;
    let Some((version, name)) = architecture.split_once('_') else {
        return bad_model(format!("{architecture} is not a ConvNeXt"));
    };
    let v2 = version == "convnextv2";
    let size = name.trim_end_matches("_ols").trim_end_matches("_hnf").trim_end_matches("_mlp");
    let (depths, dims) = match size {
        "atto" => ([2, 2, 6, 2], [40, 80, 160, 320]),
        "femto" => ([2, 2, 6, 2], [48, 96, 192, 384]),
        "pico" => ([2, 2, 6, 2], [64, 128, 256, 512]),
        "nano" => ([2, 2, 8, 2], [80, 160, 320, 640]),
        "tiny" => ([3, 3, 9, 3], [96, 192, 384, 768]),
        "small" => ([3, 3, 27, 3], [96, 192, 384, 768]),
        "base" => ([3, 3, 27, 3], [128, 256, 512, 1024]),
        "large" => ([3, 3, 27, 3], [192, 384, 768, 1536]),
        "xlarge" => ([3, 3, 27, 3], [256, 512, 1024, 2048]),
        _ => return bad_model(format!("{architecture} is not a ConvNeXt")),
    };
    let mut args = config.args.clone();
    let depths = args.list("depths", depths, 1..=64)?;
    let dims = args.list("dims", dims, 1..=4096)?;
    let kernels = args.list_or_one("kernel_sizes", [7; 4], 1..=31)?;
    let patch = args.integer("patch_size", 4, 1..=32)?;
    let small = matches!(size, "atto" | "femto" | "pico" | "nano");
    let conv_mlp = args.boolean("conv_mlp", small || name == "tiny_hnf")?;
    let conv_bias = args.boolean("conv_bias", true)?;
    let response_norm = args.boolean("use_grn", v2)?;
    // The value is where training begins; here only matters whether there is one: null is none, as
    // it is V2's default.
    let scaled = args.get("ls_init_value").map_or(!v2, |value| !value.is_null());
    args.read_null_as("ls_init_value", 0);
    args.number("ls_init_value", 1e-6, 0.0..=1e6)?;
    let norm_first = args.boolean("head_norm_first", name == "tiny_hnf")?;
    args.read_null_as("head_hidden_size", 0);
    let hidden = args.integer("head_hidden_size", if name == "large_mlp" { 1536 } else { 0 }, 0..=8192)?;
    let default_stem = match (name.ends_with("_ols"), size) {
        (false, _) => "patch",
        (true, "nano") => "overlap",
        (true, _) => "overlap_tiered",
    };
    let stem_type = args.string("stem_type")?.unwrap_or_else(|| default_stem.into());
    let output_stride = args.integer("output_stride", 32, 8..=32)?;
    args.read_null_as("norm_eps", 1e-6);
    let epsilon = args.number("norm_eps", 1e-6, 1e-12..=1.0)?;
    // The head's hidden layer has GELU whatever the blocks have.
    let act = match args.string("act_layer")?.as_deref() {
        None | Some("gelu") => Act::Gelu,
        Some("silu") => Act::Silu,
        Some("relu") => Act::Relu,
        Some(other) => return not_supported("act_layer", other, architecture),
    };
    let channels = net::input_channels(config, &mut args)?;
    args.finish(architecture)?;
    config.only_pooled_by("avg")?;

    let layer_norm = |name: &str, width| PlaceOp::LayerNorm(LayerNormSpec { name: name.into(), width, epsilon });
    let [mut inputs, ..] = dims;
    let conv = |name: String, inputs, outputs, kernel| Conv2dSpec::new(name, inputs, outputs, kernel).bias(conv_bias);
    let (mut stem, norm, mut current_stride) = match stem_type.as_str() {
        "patch" => {
            let patches = conv("stem.0".into(), channels, inputs, patch).stride(patch).padding(None);
            (vec![Op::Conv(patches)], "stem.1", patch)
        }
        "overlap" | "overlap_tiered" | "overlap_act" => {
            let acts = stem_type == "overlap_act";
            let middle =
                if stem_type == "overlap_tiered" { net::multiple_of_8((inputs / 2) as f64, 0.9) } else { inputs };
            let second = if acts { "stem.2" } else { "stem.1" };
            let mut ops = vec![Op::Conv(conv("stem.0".into(), channels, middle, 3).stride(2))];
            if acts {
                ops.push(Op::Act(act));
            }
            ops.push(Op::Conv(conv(second.into(), middle, inputs, 3).stride(2)));
            (ops, if acts { "stem.3" } else { "stem.2" }, 4)
        }
        other => return not_supported("stem_type", other, architecture),
    };
    stem.extend([Op::Places(vec![layer_norm(norm, inputs)]), Op::Tap("stem".into())]);
    let mut stages = vec![("stem".to_owned(), stem)];

    let mut dilation = 1;
    for (i, ((depth, outputs), kernel)) in depths.into_iter().zip(dims).zip(kernels).enumerate() {
        let mut stride = if current_stride == 2 || i > 0 { 2 } else { 1 };
        if current_stride >= output_stride && stride > 1 {
            dilation *= stride;
            stride = 1;
        }
        current_stride *= stride;
        let first_dilation = if dilation <= 2 { 1 } else { 2 };
        let mut before = Vec::new();
        let shrinks = stride > 1 || first_dilation != dilation;
        if inputs != outputs || shrinks {
            let name = format!("stages.{i}.downsample");
            before.push(Op::Places(vec![layer_norm(&format!("{name}.0"), inputs)]));
            let side = if shrinks { 2 } else { 1 };
            let padding = (dilation > 1).then_some(Padding::Same);
            let down = conv(format!("{name}.1"), inputs, outputs, side).stride(stride).dilation(first_dilation);
            before.push(Op::Conv(down.padding(padding)));
        }
        for block in 0..depth {
            let name = format!("stages.{i}.blocks.{block}");
            let at = |leaf: &str| format!("{name}.{leaf}");
            let middle = 4 * outputs;
            let mut main =
                vec![Op::Conv(conv(at("conv_dw"), outputs, outputs, kernel).dilation(dilation).groups(outputs))];
            let grn = response_norm.then(|| PlaceOp::ResponseNorm(at("mlp.grn"), middle));
            let gamma = scaled.then(|| PlaceOp::Scale(Param::new(&name, "gamma", &[outputs])));
            if conv_mlp {
                let fc =
                    |leaf: &str, inputs, outputs| Op::Conv(Conv2dSpec::new(at(leaf), inputs, outputs, 1).bias(true));
                main.extend([
                    Op::Places(vec![layer_norm(&at("norm"), outputs)]),
                    fc("mlp.fc1", outputs, middle),
                    Op::Act(act),
                ]);
                main.extend(grn.map(|grn| Op::Places(vec![grn])));
                main.push(fc("mlp.fc2", middle, outputs));
                main.extend(gamma.map(|gamma| Op::Places(vec![gamma])));
            } else {
                let fc = |leaf: &str, inputs, outputs| {
                    PlaceOp::Linear(LinearSpec { name: at(leaf), inputs, outputs, bias: true })
                };
                let mut places =
                    vec![layer_norm(&at("norm"), outputs), fc("mlp.fc1", outputs, middle), PlaceOp::Act(act)];
                places.extend(grn);
                places.push(fc("mlp.fc2", middle, outputs));
                places.extend(gamma);
                main.push(Op::Places(places));
            }
            let mut ops = std::mem::take(&mut before);
            ops.extend([residual(main, vec![]), Op::Tap(name.clone())]);
            if block + 1 == depth {
                ops.push(Op::Tap(format!("stages.{i}")));
            }
            stages.push((name, ops));
        }
        inputs = outputs;
    }
    let fc =
        |name: &str, inputs, outputs| PlaceOp::Linear(LinearSpec { name: name.into(), inputs, outputs, bias: true });
    let head = if norm_first {
        vec![
            Op::Places(vec![layer_norm("norm_pre", inputs)]),
            Op::Tap("norm_pre".into()),
            Op::GlobalAvgPool,
            Op::Places(vec![fc("head.fc", inputs, config.num_classes)]),
        ]
    } else {
        let mut places = vec![layer_norm("head.norm", inputs)];
        let mut width = inputs;
        if hidden > 0 {
            places.extend([fc("head.pre_logits.fc", inputs, hidden), PlaceOp::Act(Act::Gelu)]);
            width = hidden;
        }
        places.push(fc("head.fc", width, config.num_classes));
        vec![Op::GlobalAvgPool, Op::Places(places)]
    };
    stages.push(("head".into(), head));
    net::plan(config, "stages.3", stages)
}
