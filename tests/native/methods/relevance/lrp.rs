//! LRP.

use super::*;

/// x = (1, -2); the middle layer makes 3 * 1 + -1 * -2 + 0.5 = 5.5 of it, the last (2 * 5.5 + 1,
/// -5.5).
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
    // Of the logit 12, 11 comes from the unit below and 1 from the bias; there 3, 2 and 0.5 of 5.5
    // are positive.
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": 0 })).unwrap();
    assert_eq!(map.score, 12.0);
    close(&map, &[6.0, 4.0]);
    // The other logit is -5.5, without a bias.
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": 1 })).unwrap();
    close(&map, &[-3.0, -2.0]);
    // Relevance is linear in the seed: 12 - -5.5.
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": { "contrast": [0, 1] } })).unwrap();
    close(&map, &[9.0, 6.0]);
    // z+ at the first layer as well: -2 times the positive weight 1 is no positive part, and 4 ends
    // there.
    let request = json!({ "method": "lrp", "target": 0, "composite": "epsilon_plus" });
    close(&attribute(&mut explainer, &input, request).unwrap(), &[6.0, 0.0]);
    // A large epsilon takes its share: 11 * 12 / (12 + 1).
    let map = attribute(&mut explainer, &input, json!({ "method": "lrp", "target": 0, "epsilon": 1.0 })).unwrap();
    close(&map, &[6.0 * 12.0 / 13.0, 4.0 * 12.0 / 13.0]);
}

#[test]
fn lrps_flat_rule_counts_what_the_window_sees() {
    // Windows of two, padded by one at both ends, whose weights say nothing: the outer windows see
    // one pixel, the others two.
    let first = Conv2dSpec::new("first", 1, 1, 1).kernel([1, 2]).padding(None);
    let padded = Op::Conv(
        Conv2dSpec { kernel: [3, 3], ..first.clone() }.padding(Some(sightline::nn::layers::Padding::Fixed(1))),
    );
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
    // x + 2 x = (3, 9), mean 6: the mean hands back 1.5 and 4.5, and both branches of the sum
    // return theirs in full.
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
    let logits = now(explainer.classify(&input, None, &sightline::ask::control::Unwatched)).unwrap().logits;
    let all: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
    let mean: f64 = logits.iter().map(|&l| f64::from(l) * f64::from(l).exp() / all).sum();
    let request = json!({ "method": "lrp", "target": 0, "output": "log_probability" });
    let log = attribute(&mut explainer, &input, request).unwrap();
    assert!((sum(&log) - (map.score - mean)).abs() < 1e-3 * mean.abs(), "{} is not {}", sum(&log), map.score - mean);
}

/// Without biases the epsilon rule is input times gradient (Ancona et al. 2018, arXiv 1711.06104,
/// proposition 1).
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
