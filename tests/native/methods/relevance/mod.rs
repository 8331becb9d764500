//! LRP, DeepLIFT and salient relevance: nets solved by hand, conservation, completeness, and what they have in common with gradients.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::explainer::{Attribution, Image};
use sightline::layers::{self, Act, Conv2dSpec, LinearSpec, Pool};
use sightline::methods::find;
use sightline::models::{FAMILIES, Plan};
use sightline::net::{NetPlan, Op, PlaceOp};
use sightline::package::{Config, Package, Weights};
use sightline::pass::{Pass, Tappable};
use sightline::preprocess::PreprocessConfig;
use sightline::{Error, Explainer};

use crate::common::*;

/// A net of these operations on inputs `[C, H, W]`, with weights by name; those that are not named come from `rest`.
fn net(
    ops: Vec<Op>,
    input: [usize; 3],
    classes: usize,
    named: &[(&str, &[f32])],
    mut rest: impl FnMut() -> f32,
) -> Explainer {
    let config =
        json!({ "architecture": "net", "num_classes": classes, "pretrained_cfg": { "input_size": [3, 1, 1] } });
    let mut config = Config::parse(&config.to_string()).unwrap();
    config.preprocess.input_size = input;
    let plan = NetPlan::new(&config, "", vec![("all".into(), ops)]).unwrap();
    let named: BTreeMap<&str, &[f32]> = named.iter().copied().collect();
    let mut weights = Weights::default();
    for param in plan.params() {
        let length: usize = param.shape.iter().product();
        let values = match named.get(param.name.as_str()) {
            Some(values) => values.to_vec(),
            None => (0..length).map(|_| rest()).collect(),
        };
        assert_eq!(values.len(), length, "{}", param.name);
        weights.insert(&param.name, &param.shape, values, &Device::flex());
    }
    explainer(Package {
        model: plan.build(&mut weights).unwrap(),
        preprocess: PreprocessConfig::from_pretrained_cfg(&json!({})).unwrap(),
        labels: vec![],
        temperature: 1.0,
        parameters: 0,
    })
}

fn unnamed() -> f32 {
    panic!("every weight of this net is named")
}

/// Seeded values in (-1, 1).
fn seeded() -> impl FnMut() -> f32 {
    let mut state = 3u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f32 / (1u32 << 30) as f32 - 1.0
    }
}

fn conv(name: &str, inputs: usize, outputs: usize, kernel: [usize; 2]) -> Conv2dSpec {
    Conv2dSpec::new(name, inputs, outputs, 1).kernel(kernel).padding(None)
}

fn dense(name: &str, inputs: usize, outputs: usize, bias: bool) -> Op {
    Op::Places(vec![PlaceOp::Linear(LinearSpec { name: name.into(), inputs, outputs, bias })])
}

fn image(data: &[f32], shape: [usize; 3]) -> Image {
    Image::Tensor { data: data.to_vec(), shape: shape.to_vec() }
}

fn given(data: &[f32], shape: [usize; 3]) -> Value {
    json!({ "data": data, "shape": shape })
}

fn close(map: &Attribution, expected: &[f32]) {
    let close = |tolerance: f32| map.values.iter().zip(expected).all(|(a, b)| (a - b).abs() < tolerance);
    assert!(
        map.values.len() == expected.len() && close(1e-4),
        "{} gave {:?}, not {expected:?}",
        map.method,
        map.values
    );
}

fn sum(map: &Attribution) -> f64 {
    map.values.iter().map(|v| f64::from(*v)).sum()
}

/// x = (1, -2); the middle layer makes 3 * 1 + -1 * -2 + 0.5 = 5.5 of it, the last (2 * 5.5 + 1, -5.5).
fn three_layers() -> (Explainer, Image) {
    let first = Op::Conv(conv("first", 1, 1, [1, 1]));
    let middle = Op::Conv(conv("middle", 1, 1, [1, 2]).bias(true));
    let weights: [(&str, &[f32]); 5] = [
        ("first.weight", &[1.0]),
        ("middle.weight", &[3.0, -1.0]),
        ("middle.bias", &[0.5]),
        ("last.weight", &[2.0, -1.0]),
        ("last.bias", &[1.0, 0.0]),
    ];
    let ops = vec![first, middle, Op::Act(Act::Relu), dense("last", 1, 2, true)];
    (net(ops, [1, 1, 2], 2, &weights, unnamed), image(&[1.0, -2.0], [1, 1, 2]))
}

#[test]
fn lrp_hands_back_the_shares_of_each_rule() {
    let (mut explainer, input) = three_layers();
    // Of the logit 12, 11 comes from the unit below and 1 from the bias; there 3, 2 and 0.5 of 5.5 are positive.
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": 0 })).unwrap();
    assert_eq!(map.score, 12.0);
    close(&map, &[6.0, 4.0]);
    // The other logit is -5.5, without a bias.
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": 1 })).unwrap();
    close(&map, &[-3.0, -2.0]);
    // Relevance is linear in the seed: 12 - -5.5.
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": { "contrast": [0, 1] } })).unwrap();
    close(&map, &[9.0, 6.0]);
    // z+ at the first layer as well: -2 times the positive weight 1 is no positive part, and 4 ends there.
    let request = json!({ "method": "lrp", "target": 0, "composite": "epsilon_plus" });
    close(&attribute(&mut explainer, &input, request).unwrap(), &[6.0, 0.0]);
    // A large epsilon takes its share: 11 * 12 / (12 + 1).
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": 0, "epsilon": 1.0 })).unwrap();
    close(&map, &[6.0 * 12.0 / 13.0, 4.0 * 12.0 / 13.0]);
}

#[test]
fn lrps_flat_rule_counts_what_the_window_sees() {
    // Windows of two, padded by one at both ends, whose weights say nothing: the outer windows see one pixel, the others two.
    let first = Conv2dSpec::new("first", 1, 1, 1).kernel([1, 2]).padding(None);
    let padded =
        Op::Conv(Conv2dSpec { kernel: [3, 3], ..first.clone() }.padding(Some(sightline::layers::Padding::Fixed(1))));
    let ops = vec![padded, Op::Flatten, dense("last", 4, 1, false)];
    let mut centre = [0.0; 9];
    centre[4] = 1.0;
    let mut explainer =
        net(ops, [1, 2, 2], 1, &[("first.weight", &centre), ("last.weight", &[1.0, 0.0, 0.0, 2.0])], unnamed);
    // Every window sees all four pixels, so each gets a quarter of 1 * 5 + 2 * 7.
    let map = attribute(&mut explainer, &image(&[5.0, -1.0, 3.0, 7.0], [1, 2, 2]), json!({ "method": "lrp" })).unwrap();
    close(&map, &[19.0 / 4.0; 4]);

    let ops = vec![Op::Conv(first), Op::Flatten, dense("last", 2, 1, false)];
    let weights: [(&str, &[f32]); 2] = [("first.weight", &[1.0, -1.0]), ("last.weight", &[1.0, 1.0])];
    let mut explainer = net(ops, [1, 1, 3], 1, &weights, unnamed);
    // The windows' values are 2 - 6 and 6 - 1.
    let map = attribute(&mut explainer, &image(&[2.0, 6.0, 1.0], [1, 1, 3]), json!({ "method": "lrp" })).unwrap();
    close(&map, &[-2.0, 0.5, 2.5]);
}

#[test]
fn lrp_through_sums_means_norms_and_maxima() {
    let run = |ops: Vec<Op>, weights: &[(&str, &[f32])], x: &[f32], [h, w]: [usize; 2]| {
        let first = vec![Op::Conv(conv("first", 1, 1, [1, 1]))];
        let last = vec![Op::GlobalAvgPool, dense("last", 1, 1, false)];
        let weights = [&[("first.weight", &[1.0f32][..]), ("last.weight", &[1.0][..])], weights].concat();
        let mut explainer = net([first, ops, last].concat(), [1, h, w], 1, &weights, unnamed);
        attribute(&mut explainer, &image(x, [1, h, w]), json!({ "method": "lrp" })).unwrap()
    };
    // x + 2 x = (3, 9), mean 6: the mean hands back 1.5 and 4.5, and both branches of the sum return theirs in full.
    let twice = vec![Op::Conv(conv("twice", 1, 1, [1, 1]))];
    let ops = vec![Op::Sum(vec![twice, vec![]]), Op::Act(Act::Relu)];
    close(&run(ops, &[("twice.weight", &[2.0])], &[1.0, 3.0], [1, 2]), &[1.5, 4.5]);
    // A batch norm that no convolution precedes adds 2: all passes, even to the pixel that is 0.
    let norm = Op::BatchNorm { name: "norm".into(), channels: 1, epsilon: 0.0 };
    let weights: [(&str, &[f32]); 4] =
        [("norm.weight", &[1.0]), ("norm.bias", &[2.0]), ("norm.running_mean", &[0.0]), ("norm.running_var", &[1.0])];
    close(&run(vec![norm], &weights, &[0.0, 3.0], [1, 2]), &[1.0, 2.5]);
    // A scale passes all of it, and a ReLU6 above its cap too: (6, 2) / 2.
    close(&run(vec![Op::Times(2.0), Op::Act(Act::Relu6)], &[], &[5.0, 1.0], [1, 2]), &[3.0, 1.0]);
    // Three pixels to two by a grid of means: 4 / 2 and 7 / 2, of which half counts.
    let x = [1.0, 3.0, 4.0];
    close(&run(vec![Op::AdaptiveAvgPool([1, 2])], &[], &x, [1, 3]), &[0.25, 0.75 + 0.75, 1.0]);
    // Means in windows, the last of which has one column only: 2 and 2.
    let x = [1.0, 3.0, 4.0, 3.0, 1.0, 0.0];
    let pool = Pool { ceil: true, count_padding: false, ..Pool::new(2, 2, 0) };
    close(&run(vec![Op::AvgPool(pool)], &[], &x, [2, 3]), &[0.125, 0.375, 1.0, 0.375, 0.125, 0.0]);
    // The largest in each window gets it all: 5 and 4, of which half counts.
    let x = [1.0, 3.0, 4.0, 5.0, 1.0, 0.0];
    close(&run(vec![Op::MaxPool(pool)], &[], &x, [2, 3]), &[0.0, 0.0, 2.0, 2.5, 0.0, 0.0]);
}

/// A net without biases that has every operation of LRP's.
fn without_biases(input: [usize; 3], classes: usize) -> Explainer {
    let full = |name: &str, inputs, outputs| Op::Conv(Conv2dSpec::new(name, inputs, outputs, 3));
    let branch = |name: &str| vec![full(name, 8, 8), Op::Act(Act::Relu)];
    let ops = vec![
        full("first", input[0], 8),
        Op::Act(Act::Relu),
        Op::MaxPool(Pool::new(3, 2, 1)),
        Op::Sum(vec![branch("a"), vec![]]),
        Op::Concat(vec![branch("b"), vec![], branch("c")]),
        Op::AvgPool(Pool::new(2, 2, 0)),
        full("d", 24, 16),
        Op::Act(Act::Relu6),
        Op::Times(0.5),
        Op::ReflectPad(1),
        Op::AdaptiveAvgPool([3, 3]),
        Op::GlobalAvgPool,
        dense("e", 16, 16, false),
        Op::Act(Act::Relu),
        dense("f", 16, classes, false),
    ];
    net(ops, input, classes, &[], seeded())
}

#[test]
fn lrp_conserves_the_score_where_there_are_no_biases() {
    let shape = [3, 16, 20];
    let mut explainer = without_biases(shape, 4);
    let mut next = seeded();
    let pixels: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    let input = image(&pixels, shape);
    for target in [json!(0), json!(1), json!(2), json!(3), json!({ "contrast": [2, 0] })] {
        let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": target })).unwrap();
        assert!(map.score.abs() > 1e-2 && map.shape == shape, "{target}: {}", map.score);
        assert!((sum(&map) - map.score).abs() < 1e-3 * map.score.abs(), "{target}: {} of {}", sum(&map), map.score);
        let plane = 16 * 20;
        assert!((0..plane).all(|i| map.values[i] == map.values[i + plane]), "the flat rule knows no channels");
    }
    // Scores that are not linear in the logits: the seed's sum.
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": 0 })).unwrap();
    let logits = now(explainer.classify(&input, None, &sightline::explainer::Unwatched)).unwrap().logits;
    let all: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
    let mean: f64 = logits.iter().map(|&l| f64::from(l) * f64::from(l).exp() / all).sum();
    let request = json!({ "method": "lrp", "target": 0, "output": "log_probability" });
    let log = attribute(&mut explainer, &input, request).unwrap();
    assert!((sum(&log) - (map.score - mean)).abs() < 1e-3 * mean.abs(), "{} is not {}", sum(&log), map.score - mean);
}

/// Without biases the epsilon rule is input times gradient (Ancona et al. 2018, arXiv 1711.06104, proposition 1).
#[test]
fn lrp_of_dense_layers_is_input_times_gradient() {
    let shape = [3, 4, 5];
    let ops = vec![
        Op::Flatten,
        dense("a", 60, 30, false),
        Op::Act(Act::Relu),
        dense("b", 30, 20, false),
        Op::Act(Act::Relu),
        dense("c", 20, 3, false),
    ];
    let mut explainer = net(ops, shape, 3, &[], seeded());
    let mut next = seeded();
    let pixels: Vec<f32> = (0..60).map(|_| next()).collect();
    let request = json!({ "method": "lrp", "target": 1, "composite": "epsilon_plus" });
    let map = attribute(&mut explainer, &image(&pixels, shape), request).unwrap();
    let x = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, 4, 5]), &Device::flex()).autodiff().require_grad();
    let logits = explainer.package().model.run(0..1, x.clone().wrap(), &mut Pass::new()).unwrap();
    let gradients = Tensor::<2>::unwrap(logits).unwrap().narrow(1, 1, 1).sum().backward();
    let expected = (x.grad(&gradients).unwrap() * x.inner()).into_data().try_into_vec::<f32>().unwrap();
    assert!(relative(&map.values, &expected) < 1e-4);
    assert!((sum(&map) - map.score).abs() < 1e-4 * map.score.abs());
}

#[test]
fn deep_lift_of_a_linear_net_is_integrated_gradients() {
    let shape = [3, 8, 6];
    let ops = vec![
        Op::Conv(Conv2dSpec::new("a", 3, 5, 3).bias(true)),
        Op::Sum(vec![vec![Op::Conv(Conv2dSpec::new("b", 5, 5, 3))], vec![]]),
        Op::AvgPool(Pool::new(2, 2, 0)),
        Op::GlobalAvgPool,
        dense("c", 5, 3, true),
    ];
    let mut explainer = net(ops, shape, 3, &[], seeded());
    let mut next = seeded();
    let pixels: Vec<f32> = (0..144).map(|_| next()).collect();
    let input = image(&pixels, shape);
    for baseline in [json!("mean"), json!("black"), json!("white"), json!("noise"), given(&[0.25; 144], shape)] {
        for target in [json!(0), json!({ "contrast": [1, 2] })] {
            let mut request = json!({ "method": "deep_lift", "target": target, "baseline": baseline });
            let map = attribute(&mut explainer, &input, request.clone()).unwrap();
            request["method"] = json!("integrated_gradients");
            request["nSteps"] = json!(3);
            let expected = attribute(&mut explainer, &input, request).unwrap();
            assert!(relative(&map.values, &expected.values) < 1e-4, "{baseline} {target}");
            let completeness = map.completeness.unwrap();
            let size: f64 = map.values.iter().map(|v| f64::from(v.abs())).sum();
            assert!(completeness.delta.abs() < 1e-6 * size, "{completeness:?} of {size}");
            assert!((completeness.baseline_score - expected.completeness.unwrap().baseline_score).abs() < 1e-5);
        }
    }
}

/// Two pixels x1, x2 and the baseline 0 unless told otherwise.
fn of_two(ops: Vec<Op>, weights: &[(&str, &[f32])], x: [f32; 2], from: [f32; 2]) -> Attribution {
    let mut explainer = net(ops, [1, 1, 2], 1, weights, unnamed);
    let request = json!({ "method": "deep_lift", "target": 0, "baseline": given(&from, [1, 1, 2]) });
    attribute(&mut explainer, &image(&x, [1, 1, 2]), request).unwrap()
}

#[test]
fn deep_lift_of_one_unit_is_its_difference() {
    let ops = vec![Op::Flatten, dense("in", 2, 1, true), Op::Act(Act::Relu)];
    // ReLU(2 x1 - x2 + 1): from ReLU(1) = 1 to ReLU(6 - 5 + 1) = 2, of a difference of 1 before it; to ReLU(2 - 5 + 1) = 0, of -3.
    let weights: [(&str, &[f32]); 2] = [("in.weight", &[2.0, -1.0]), ("in.bias", &[1.0])];
    close(&of_two(ops.clone(), &weights, [3.0, 5.0], [0.0; 2]), &[6.0, -5.0]);
    close(&of_two(ops.clone(), &weights, [1.0, 5.0], [0.0; 2]), &[2.0 / 3.0, -5.0 / 3.0]);
    // No difference before the unit: its derivative, 1, stands in.
    close(&of_two(ops, &weights, [2.0, 4.0], [0.0; 2]), &[4.0, -4.0]);
    // One pixel alone gets the whole difference, whatever the function.
    for act in
        [Act::Relu, Act::Relu6, Act::Silu, Act::Sigmoid, Act::HardSigmoid, Act::HardSwish, Act::Gelu, Act::QuickGelu]
    {
        let ops = vec![Op::Act(act), Op::Flatten, dense("out", 2, 1, false)];
        for (x, from) in [(7.5, -1.25), (-2.0, 0.5), (0.3, 0.3), (1.0005, 1.0), (1.0, 0.0)] {
            let map = of_two(ops.clone(), &[("out.weight", &[3.0, 0.0])], [x, 9.0], [from, 9.0]);
            let at = |x: f32| {
                let x = Tensor::<1>::from_data(TensorData::new(vec![x], [1]), &Device::flex());
                layers::forward(act, x).into_scalar::<f32>()
            };
            close(&map, &[3.0 * (at(x) - at(from)), 0.0]);
        }
    }
}

/// Section 3.5 of the paper: the smaller of two by x1 - ReLU(x1 - x2). And figure 7 of the paper of integrated gradients (1703.01365): DeepLIFT differs between two nets
/// of one function.
#[test]
fn deep_lift_of_the_papers_nets() {
    let smaller = vec![Op::Flatten, dense("in", 2, 2, true), Op::Act(Act::Relu), dense("out", 2, 1, false)];
    // ReLU(x1 + 8) - 8 is x1 here.
    let weights: [(&str, &[f32]); 3] =
        [("in.weight", &[1.0, 0.0, 1.0, -1.0]), ("in.bias", &[8.0, 0.0]), ("out.weight", &[1.0, -1.0])];
    close(&of_two(smaller.clone(), &weights, [5.0, 3.0], [0.0; 2]), &[0.0, 3.0]);
    close(&of_two(smaller, &weights, [3.0, 5.0], [0.0; 2]), &[3.0, 0.0]);

    let two_layers = |bias: f32, after: f32| {
        let ops = vec![
            Op::Flatten,
            dense("in", 2, 2, true),
            Op::Act(Act::Relu),
            dense("out", 2, 1, true),
            Op::Act(Act::Relu),
        ];
        let weights: [(&str, &[f32]); 4] = [
            ("in.weight", &[1.0, 0.0, 0.0, 1.0]),
            ("in.bias", &[bias, 0.0]),
            ("out.weight", &[1.0, -1.0]),
            ("out.bias", &[after]),
        ];
        of_two(ops, &weights, [3.0, 1.0], [0.0; 2])
    };
    close(&two_layers(0.0, -1.0), &[1.5, -0.5]); // ReLU(ReLU(x1) - 1 - ReLU(x2))
    close(&two_layers(-1.0, 0.0), &[2.0, -1.0]); // ReLU(ReLU(x1 - 1) - ReLU(x2))
}

#[test]
fn deep_lift_of_max_pooling_adds_up() {
    // Below the two there are two that never win.
    let one = |[a, b]: [f32; 2], [c, d]: [f32; 2], pooling: &str| {
        let ops = vec![Op::MaxPool(Pool::new(2, 2, 0)), dense("out", 1, 1, false)];
        let mut explainer = net(ops, [1, 2, 2], 1, &[("out.weight", &[1.0])], unnamed);
        let baseline = given(&[c, d, -9.0, -9.0], [1, 2, 2]);
        let request = json!({ "method": "deep_lift", "target": 0, "baseline": baseline, "pooling": pooling });
        attribute(&mut explainer, &image(&[a, b, -9.0, -8.0], [1, 2, 2]), request).unwrap()
    };
    // From max(0, 2) to max(3, 1): the rise of 1 belongs to the winner for x.
    close(&one([3.0, 1.0], [0.0, 2.0], "rescale"), &[1.0, 0.0, 0.0, 0.0]);
    // Back: the fall of 1 belongs to the winner for the baseline.
    close(&one([0.0, 2.0], [3.0, 1.0], "rescale"), &[-1.0, 0.0, 0.0, 0.0]);
    // Its gradient takes no account of the other: 3 - 0.
    close(&one([3.0, 1.0], [0.0, 2.0], "gradient"), &[3.0, 0.0, 0.0, 0.0]);

    // Windows of two by two that overlap: the middle wins every one and gets all four shares.
    let ops = vec![Op::MaxPool(Pool::new(2, 1, 0)), Op::Flatten, dense("out", 4, 1, false)];
    let mut explainer = net(ops, [1, 3, 3], 1, &[("out.weight", &[1.0, 2.0, 3.0, 4.0])], unnamed);
    let mut x = [0.0; 9];
    x[4] = 5.0;
    let request = json!({ "method": "deep_lift", "target": 0, "baseline": given(&[1.0; 9], [1, 3, 3]) });
    let map = attribute(&mut explainer, &image(&x, [1, 3, 3]), request).unwrap();
    let mut expected = [0.0; 9];
    expected[4] = 4.0 * 10.0;
    close(&map, &expected);
}

fn open_golden(name: &str) -> (Explainer, Image) {
    let folder = golden(&format!("models/{name}"));
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let weights = hashed_weights(&config, meta["seed"].as_u64().unwrap(), meta["gain"].as_f64().unwrap_or(1.0) as f32);
    let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
    (explainer(load(&config, &weights).unwrap()), input)
}

/// One net of each family that the relevance methods work on.
const SUPPORTED: [(&str, &str); 9] = [
    ("alexnet", "torchvision_alexnet"),
    ("densenet", "densenet_tiny"),
    ("efficientnet", "efficientnet_lite0"),
    ("inception_resnet_v2", "inception_resnet_v2"),
    ("inception_v3", "inception_v3"),
    ("mobilenet_v2", "mbv2_035_same_odd"),
    ("mobilenet_v3", "tf_mobilenetv3_small_minimal"),
    ("resnet", "resnet_deep_avg_down"),
    ("squeezenet", "torchvision_squeezenet1_1"),
];

#[test]
fn deep_lift_is_complete_on_every_supported_family() {
    for (_, name) in SUPPORTED.into_iter().chain([("resnet", "resnet_basic"), ("vgg", "vgg11_bn")]) {
        let (mut explainer, input) = open_golden(name);
        let mut requests = vec![json!({}), json!({ "target": 0, "baseline": "white" })];
        if name.starts_with("res") {
            requests.push(json!({ "target": { "contrast": [0, 1] }, "baseline": "blur" }));
            requests.push(json!({ "target": { "group": [0, 1] }, "baseline": "black" }));
            requests.push(json!({ "target": 2, "baseline": "black", "output": "log_probability" }));
        }
        for mut request in requests {
            request["method"] = json!("deep_lift");
            let map = attribute(&mut explainer, &input, request.clone()).unwrap();
            let completeness = map.completeness.unwrap();
            let scale = completeness.score.abs().max(completeness.baseline_score.abs()).max(0.1);
            println!("{name} {request}: {completeness:?}");
            assert!(completeness.delta.abs() < 1e-4 * scale, "{name} {request}: {completeness:?}");
            assert!(map.values.iter().any(|v| v.abs() > 0.0) && map.warnings.is_empty(), "{name}");
        }
    }
}

#[test]
fn every_family_works_or_says_why_not() {
    let golden_of = |architecture: &str| {
        let plan = |args: Value| {
            let mut config = json!({ "architecture": architecture, "num_classes": 3, "pretrained_cfg": { "input_size": [3, 224, 224] } });
            config["model_args"] = args;
            sightline::models::plan(&Config::parse(&config.to_string()).unwrap())
        };
        plan(json!({})).unwrap()
    };
    for method in ["lrp", "deep_lift", "salient_relevance"] {
        let spec = find(method).unwrap().spec;
        for family in FAMILIES {
            for architecture in family.architectures() {
                let works = spec.works_on(golden_of(&architecture).spec());
                let expected = match family.id {
                    "convnext" | "regnety" | "vit" | "deit" | "dinov2" => false,
                    "efficientnet" => architecture.contains("lite"),
                    "mobilenet_v3" => architecture.contains("minimal"),
                    "resnet" => !architecture.starts_with("se"),
                    _ => true,
                };
                assert_eq!(works, expected, "{method} on {architecture}");
            }
        }
    }
    let (mut explainer, input) = open_golden("regnety_002");
    match attribute(&mut explainer, &input, json!({ "method": "deep_lift" })) {
        Err(Error::Unsupported(message)) => {
            assert!(message.contains("gates") && message.contains("integrated_gradients"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

/// Salient relevance as its documentation defines it, place by place and without any of the method's shortcuts.
fn salient_twin(relevance: &[f64], h: usize, w: usize, neighbours: usize, weight: f64, attended: f64) -> Vec<f64> {
    let low = relevance.iter().copied().fold(f64::INFINITY, f64::min);
    let range = relevance.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    // Area means by summing 60 x 60 points of each new cell, each in its old cell.
    let shrunk = |scale: f64| -> (Vec<Vec<f64>>, usize, usize) {
        let (rows, columns) = ((h as f64 * scale).round() as usize, (w as f64 * scale).round() as usize);
        let old = |i: usize, k: usize, from: usize, to: usize| (i * 60 + k) * from / (to * 60);
        let cell = |i: usize, j: usize| {
            let points = (0..60).flat_map(|a| (0..60).map(move |b| (a, b)));
            points.map(|(a, b)| relevance[old(i, a, h, rows) * w + old(j, b, w, columns)]).sum::<f64>() / 3600.0 / range
        };
        ((0..rows).map(|i| (0..columns).map(|j| cell(i, j)).collect()).collect(), rows, columns)
    };
    let corners = |n: usize| -> Vec<usize> { (0..n - 6).filter(|i| i % 4 == 0 || *i == n - 7).collect() };
    let patches = |scale: f64| {
        let (plane, rows, columns) = shrunk(scale);
        let mut all = Vec::new();
        if rows >= 7 && columns >= 7 {
            for y in corners(rows) {
                for x in corners(columns) {
                    let values: Vec<f64> = (0..49).map(|k| plane[y + k / 7][x + k % 7]).collect();
                    let longer = rows.max(columns) as f64;
                    all.push((y, x, (y as f64 + 3.5) / longer, (x as f64 + 3.5) / longer, values));
                }
            }
        }
        (all, rows, columns)
    };
    let distance = |a: (f64, f64), b: (f64, f64)| ((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt();
    let mut maps = Vec::new();
    for scale in [1.0, 0.8, 0.5, 0.3] {
        let (own, rows, columns) = patches(scale);
        if own.len() < 2 {
            continue;
        }
        let mut s = Vec::new();
        let parts: Vec<f64> = [1.0, 0.5, 0.25].into_iter().filter(|part| scale * part >= 0.2).collect();
        let others: Vec<_> = parts.iter().map(|part| patches(scale * part).0).collect();
        for (i, p) in own.iter().enumerate() {
            let mut differences = Vec::new();
            for (part, others) in others.iter().enumerate() {
                for (j, q) in others.iter().enumerate() {
                    if part > 0 || i != j {
                        let rms = (p.4.iter().zip(&q.4).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 49.0).sqrt();
                        differences.push(rms / (1.0 + weight * distance((p.2, p.3), (q.2, q.3))));
                    }
                }
            }
            differences.sort_by(f64::total_cmp);
            differences.truncate(neighbours);
            s.push(1.0 - (-differences.iter().sum::<f64>() / differences.len() as f64).exp());
        }
        let largest = s.iter().copied().fold(0.0, f64::max);
        s.iter_mut().for_each(|s| *s /= largest);
        let to_focus = |p: &(usize, usize, f64, f64, Vec<f64>)| {
            let foci = own.iter().zip(&s).filter(|(_, s)| **s > attended);
            foci.map(|(q, _)| distance((p.2, p.3), (q.2, q.3))).fold(f64::INFINITY, f64::min)
        };
        let away: Vec<f64> = own.iter().map(to_focus).collect();
        let farthest = away.iter().copied().fold(0.0, f64::max);
        let s: Vec<f64> = s.iter().zip(&away).map(|(s, d)| s * (1.0 - d / farthest)).collect();
        let at = |y: usize, x: usize| {
            let over = own.iter().zip(&s).filter(|(p, _)| (p.0..p.0 + 7).contains(&y) && (p.1..p.1 + 7).contains(&x));
            let (sum, count) = over.fold((0.0, 0.0), |(sum, count), (_, s)| (sum + s, count + 1.0));
            sum / count
        };
        let plane: Vec<f32> = (0..rows * columns).map(|i| at(i / columns, i % columns) as f32).collect();
        maps.push(sightline::grid::bilinear(&plane, [rows, columns], [h, w]));
    }
    (0..h * w).map(|i| maps.iter().map(|map| f64::from(map[i])).sum::<f64>() / maps.len() as f64).collect()
}

#[test]
fn salient_relevance_equals_its_definition_written_out() {
    let (mut explainer, input) = open_golden("resnet_basic");
    for options in [json!({}), json!({ "neighbours": 5, "distanceWeight": 0.5, "attended": 0.4, "target": 2 })] {
        let mut request = json!({ "method": "lrp", "target": options["target"] });
        let lrp = attribute(&mut explainer, &input, request.clone()).unwrap();
        let [h, w] = [lrp.shape[1], lrp.shape[2]];
        let channel = |c: usize, i: usize| f64::from(lrp.values[c * h * w + i]);
        let relevance: Vec<f64> = (0..h * w).map(|i| channel(0, i) + channel(1, i) + channel(2, i)).collect();
        let number = |key: &str, default: f64| options[key].as_f64().unwrap_or(default);
        let (neighbours, weight) = (number("neighbours", 64.0) as usize, number("distanceWeight", 3.0));
        let expected = salient_twin(&relevance, h, w, neighbours, weight, number("attended", 0.8));
        request["method"] = json!("salient_relevance");
        options.as_object().unwrap().iter().for_each(|(key, value)| request[key] = value.clone());
        let map = attribute(&mut explainer, &input, request).unwrap();
        let expected: Vec<f32> = expected.into_iter().map(|v| v as f32).collect();
        assert_eq!(map.shape, [1, h, w]);
        assert!(relative(&map.values, &expected) < 1e-3, "{options}: {:.1e}", relative(&map.values, &expected));
        assert!(map.values.iter().all(|v| (0.0..=1.0).contains(v)));
    }
}

#[test]
fn salient_relevance_shows_what_stands_out() {
    let shape = [1, 32, 40];
    // Relevance where the last layer looks: at one pixel, everywhere alike, nowhere.
    let map = |looks: &dyn Fn(usize) -> f32| {
        let weight: Vec<f32> = (0..32 * 40).map(looks).collect();
        let ops = vec![Op::Conv(conv("first", 1, 1, [1, 1])), Op::Flatten, dense("last", 32 * 40, 1, false)];
        let mut explainer = net(ops, shape, 1, &[("first.weight", &[1.0]), ("last.weight", &weight)], unnamed);
        let input = image(&[1.0; 32 * 40], shape);
        attribute(&mut explainer, &input, json!({ "method": "salient_relevance", "neighbours": 1 })).unwrap()
    };
    let (y, x) = (9, 27);
    let one = map(&|i| if i == y * 40 + x { 2.0 } else { 0.0 });
    let largest = one.values.iter().copied().fold(0.0, f32::max);
    for (i, &v) in one.values.iter().enumerate() {
        let away = (i / 40).abs_diff(y).max((i % 40).abs_diff(x));
        // A patch of the smallest scale reaches 7 / 0.3 pixels, and one more of that scale; beyond, every patch has its like.
        assert!(v <= largest && (away < 28 || v == 0.0), "{i}: {v} {away} away");
    }
    assert!(one.values[y * 40 + x] > 0.9 * largest && largest > 0.2);
    for alike in [map(&|_| 1.0), map(&|_| 0.0)] {
        assert_eq!(alike.values, vec![0.0; 32 * 40]);
        assert_eq!(alike.warnings[0].code, "zero-map");
    }
}
