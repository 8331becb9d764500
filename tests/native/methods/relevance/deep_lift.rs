//! DeepLIFT.

use super::*;

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
    // ReLU(2 x1 - x2 + 1): from ReLU(1) = 1 to ReLU(6 - 5 + 1) = 2, of a difference of 1 before it;
    // to ReLU(2 - 5 + 1) = 0, of -3.
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
                device::act(x, act).into_scalar::<f32>()
            };
            close(&map, &[3.0 * (at(x) - at(from)), 0.0]);
        }
    }
}

/// Section 3.5 of the paper: the smaller of two by x1 - ReLU(x1 - x2). And figure 7 of the paper of
/// integrated gradients (1703.01365): DeepLIFT differs between two nets of one function.
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
