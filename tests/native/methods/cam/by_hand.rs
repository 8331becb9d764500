//! Nets small enough to solve by hand.

use super::*;
use crate::common::nets;

/// F1: captum's `BasicModel_ConvNet_One_Conv`, and a class of the opposite score.
fn one_conv() -> (Explainer, Image) {
    let first = vec![conv("conv", 1, 2, 3), Op::Tap("conv".into()), Op::Act(Act::Relu), Op::Tap("a".into())];
    let last = vec![Op::Flatten, net::linear("fc", 8, 1), Op::Act(Act::Relu), net::linear("two", 1, 2)];
    let weight = |param: &Param| match param.name.as_str() {
        "conv.weight" => vec![1.0; 18],
        "conv.bias" => vec![-50.0, -75.0],
        "fc.weight" => [[1.0; 4], [1.0, -1.0, -1.0, -1.0]].concat(),
        "two.weight" => vec![1.0, -1.0],
        _ => vec![0.0; param.shape.iter().product()],
    };
    let image = Image::Tensor { data: (0..16u8).map(f32::from).collect(), shape: vec![1, 4, 4] };
    (build([1, 4, 4], 2, &[("conv", first), ("fc", last)], weight), image)
}

fn close(what: &str, got: &[f32], expected: &[f64]) {
    let expected: Vec<f32> = expected.iter().map(|v| *v as f32).collect();
    let difference = relative(got, &expected);
    assert!(difference < 1e-5, "{what}: {got:?}, expected {expected:?}");
}

#[test]
fn f1_every_cam_of_captums_one_conv_net() {
    let (mut explainer, image) = one_conv();
    let mut map = |request: Value| attribute(&mut explainer, &image, request).unwrap().values;
    // conv: (-5, 4, 31, 40) and (-30, -21, 6, 15), the activations a their positive parts. The
    // score is 54 with gradients (1, 1, 1, 1) and (1, -1, -1, -1) at a, and 0 in place of the first
    // two cells of the second channel, and the first of the first, at conv.
    let (conv, a) =
        ([[-5.0, 4.0, 31.0, 40.0], [-30.0, -21.0, 6.0, 15.0]], [[0.0, 4.0, 31.0, 40.0], [0.0, 0.0, 6.0, 15.0]]);
    let weighted = |maps: [[f64; 4]; 2], w: [f64; 2]| [0, 1, 2, 3].map(|u| w[0] * maps[0][u] + w[1] * maps[1][u]);
    let root = |v: f64| v.sqrt();
    // Eigenvector of a 2 x 2 matrix by its angle; the sign by the sum of the channels.
    let eigen = |maps: [[f64; 4]; 2], centre: bool| {
        let centred = maps.map(|m| m.map(|v| if centre { v - m.iter().sum::<f64>() / 4.0 } else { v }));
        let dot = |i: usize, j: usize| (0..4).map(|u| centred[i][u] * centred[j][u]).sum::<f64>();
        let angle = 0.5 * (2.0 * dot(0, 1)).atan2(dot(0, 0) - dot(1, 1));
        let map = weighted(centred, [angle.cos(), angle.sin()]);
        let agreement: f64 = (0..4).map(|u| (map[u] - map.iter().sum::<f64>() / 4.0) * (maps[0][u] + maps[1][u])).sum();
        map.map(|v| v * agreement.signum())
    };
    for (method, at_conv, at_a) in [
        ("grad_cam", [11.25, 13.5, 20.25, 22.5], [0.0, 4.0, 28.0, 32.5]),
        ("hires_cam", [0.0, 4.0, 25.0, 25.0], [0.0, 4.0, 25.0, 25.0]),
        ("layer_cam", [0.0, 4.0, 31.0, 40.0], [0.0, 4.0, 31.0, 40.0]),
        ("xgrad_cam", weighted(conv, [75.0 / 70.0, -21.0 / -30.0]), weighted(a, [1.0, -1.0])),
        ("grad_cam_plus_plus", weighted(conv, [3.0 / 72.0, 0.0]), weighted(a, [4.0 / 77.0, 1.0 / 23.0])),
        (
            "norm_grad",
            [0.0, root(16.0 + 441.0), root(2.0 * (961.0 + 36.0)), root(2.0 * (1600.0 + 225.0))],
            [0.0, root(2.0) * 4.0, root(2.0 * (961.0 + 36.0)), root(2.0 * (1600.0 + 225.0))],
        ),
        ("eigen_cam", eigen(conv, true), eigen(a, true)),
        (
            "eigen_grad_cam",
            eigen([[0.0, 4.0, 31.0, 40.0], [0.0, 0.0, -6.0, -15.0]], true),
            eigen([[0.0, 4.0, 31.0, 40.0], [0.0, 0.0, -6.0, -15.0]], true),
        ),
        // Without channel 0 the last ReLU is closed at a; at conv its bias is not there to stop
        // either.
        ("ablation_cam", weighted(conv, [1.0, (54.0 - 75.0) / 54.0]), weighted(a, [1.0, (54.0 - 75.0) / 54.0])),
    ] {
        close(method, &map(json!({ "method": method, "target": 0, "layer": "conv" })), &at_conv);
        close(method, &map(json!({ "method": method, "target": 0, "layer": "a" })), &at_a);
        close(method, &map(json!({ "method": method, "target": 0 })), &at_a);
    }
    close("hires_cam sums to the score", &[map(json!({ "method": "hires_cam", "target": 0 })).iter().sum()], &[54.0]);
    close("not centred", &map(json!({ "method": "eigen_cam", "centre": false })), &eigen(a, false));
    close(
        "an epsilon",
        &map(json!({ "method": "grad_cam_plus_plus", "target": 0, "epsilon": 1.0 })),
        &weighted(a, [4.0 / 78.0, 1.0 / 24.0]),
    );
    // Score-CAM: the masked inputs by hand. Resized by pixel centres, a row of cells p, q becomes
    // p, 3/4 p + 1/4 q, 1/4 p + 3/4 q, q.
    let masked_score = |cells: [f64; 4]| {
        let mix = |i: usize| [1.0, 0.75, 0.25, 0.0][i];
        let resized = |y: usize, x: usize| {
            let row = |r: usize| mix(x) * cells[2 * r] + (1.0 - mix(x)) * cells[2 * r + 1];
            mix(y) * row(0) + (1.0 - mix(y)) * row(1)
        };
        let (low, high) =
            (cells.iter().copied().fold(f64::MAX, f64::min), cells.iter().copied().fold(f64::MIN, f64::max));
        let x = |y: usize, x: usize| (4 * y + x) as f64 * (resized(y, x) - low) / (high - low);
        let sum = |top: usize, left: usize| (0..9).map(|k| x(top + k / 3, left + k % 3)).sum::<f64>();
        let relu = |v: f64| v.max(0.0);
        let cells = [sum(0, 0), sum(0, 1), sum(1, 0), sum(1, 1)];
        let first: f64 = cells.iter().map(|c| relu(c - 50.0)).sum();
        let second = cells.map(|c| relu(c - 75.0));
        relu(first + second[0] - second[1] - second[2] - second[3])
    };
    let scores = a.map(masked_score);
    let share = 1.0 / (1.0 + (scores[1] - scores[0]).exp());
    assert!(scores[0] > 0.0 && scores[1] > 0.0 && scores[0] != scores[1], "{scores:?}");
    close("score_cam", &map(json!({ "method": "score_cam", "target": 0 })), &weighted(a, [share, 1.0 - share]));
    close("increase", &map(json!({ "method": "score_cam", "target": 0, "difference": true })), &weighted(a, scores));
}

#[test]
fn dead_layers_give_zeros_that_say_why() {
    let stages = |bias: f32| {
        let first = vec![conv("one", 1, 3, 2), Op::Act(Act::Relu), Op::Tap("a".into())];
        let weight = move |param: &Param| match param.name.as_str() {
            "one.bias" => vec![bias; 3],
            "one.weight" => vec![0.0; 12],
            _ => noise(9, param.shape.iter().product()),
        };
        build([1, 6, 6], 3, &[("one", first), ("fc", net::classifier("fc", 3, 3))], weight)
    };
    let image = Image::Tensor { data: noise(4, 36), shape: vec![1, 6, 6] };
    for method in cams() {
        // Nothing is active.
        let map = attribute(&mut stages(-1.0), &image, json!({ "method": method, "target": 1 })).unwrap();
        assert_eq!(map.values, [0.0; 25], "{method}");
        assert_eq!((map.warnings[0].code, map.warnings[0].cause), ("zero-map", Some("dead-relu")), "{method}");
        // Every place is like every other: no map, or one of a single value.
        let map = attribute(&mut stages(0.1), &image, json!({ "method": method, "target": 1 })).unwrap();
        assert!(map.values.iter().all(|v| v.is_finite() && *v == map.values[0]), "{method}");
        assert!(["zero-map", "constant-map"].contains(&map.warnings[0].code), "{method}: {:?}", map.warnings);
    }
}

#[test]
fn f1_grad_cam_of_captums_one_conv_net() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let input = nets::image(&pixels, [1, 4, 4]);
    let mut explainer = nets::net([1, 4, 4], 2, &[("conv", [2, 2, 2]), ("relu", [2, 2, 2])], nets::one_conv);
    for (layer, expected) in [("conv", [11.25, 13.5, 20.25, 22.5]), ("relu", [0.0, 4.0, 28.0, 32.5])] {
        let request = json!({ "method": "grad_cam", "target": 0, "layer": layer });
        let map = attribute(&mut explainer, &input, request).unwrap();
        assert_eq!(map.values, expected, "{layer}");
        assert_eq!((map.shape, map.score), (vec![2, 2], 54.0));
        assert!(map.warnings.is_empty());
    }
}
