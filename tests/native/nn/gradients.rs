//! Autodiff against finite differences on small nets and on single operations, and the axioms that
//! need no reference.

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;
use sightline::ask::control::Unwatched;
use sightline::explain::Image;
use sightline::nn::layers::{Conv2dSpec, Padding, Pool};
use sightline::nn::net::{self, Op, PlaceOp};
use sightline::nn::pass::{Pass, Tappable};
use sightline::nn::weights::Param;
use sightline::nn::weights::Weights;
use sightline::package::Config;
use sightline_kernels::Act;

use crate::common::*;

/// The goldens' input gradient is what autodiff gives to 1e-4 (`nn/families.rs`).
#[test]
fn input_gradients_equal_finite_differences() {
    for name in ["vit_token", "vit_reg", "vit_pre_norm_scale", "mbv2_035_same"] {
        let folder = golden(&format!("models/{name}"));
        let meta = read_json(&folder.join("golden.json"));
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        let package = load(&config, &hashed_weights(&config, meta["seed"].as_u64().unwrap(), 1.0)).unwrap();
        let expected = read_tensors(&folder.join("golden.safetensors"));
        let (shape, data) = expected["input"].clone();
        let target = meta["target"].as_u64().unwrap() as usize;
        let mut explainer = explainer(package);
        let mut score = |data: Vec<f32>| {
            let image = Image::Tensor { data, shape: shape[1..].to_vec() };
            f64::from(now(explainer.classify(&image, Some(1), &Unwatched)).unwrap().logits[target])
        };
        // Along the gradient itself the derivative is its norm; along a seeded direction, the dot
        // product.
        let gradient = &expected["input_gradient"].1;
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let mut seed = 1u64;
        let random: Vec<f64> = (0..data.len())
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) as f64 / f64::from(1u32 << 31) - 0.5
            })
            .collect();
        let along: Vec<f64> = gradient.iter().map(|g| f64::from(*g) / norm).collect();
        for (direction, tolerance) in [(&along, 0.02), (&random, 0.05)] {
            let expected: f64 = direction.iter().zip(gradient).map(|(d, g)| d * f64::from(*g)).sum();
            let step = 3e-4; // small: a random ReLU6 net has kinks everywhere
            let moved =
                |sign: f64| data.iter().zip(direction).map(|(x, d)| x + (sign * step * d) as f32).collect::<Vec<_>>();
            let difference = (score(moved(1.0)) - score(moved(-1.0))) / (2.0 * step);
            assert!(
                (difference - expected).abs() < tolerance * expected.abs().max(0.1 * norm),
                "{name}: finite difference {difference}, autodiff {expected}"
            );
        }
    }
}

/// Seeded values: a permutation of equally spaced ones between -4 and 4, so that no two tie and
/// none lies within `STEP` of a kink (0, -3, 3, 6).
fn spaced(length: usize) -> Vec<f32> {
    let mut seed = 7u64;
    let mut order: Vec<usize> = (0..length).collect();
    for i in (1..length).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(i, (seed >> 33) as usize % (i + 1));
    }
    let spacing = 8.0 / length as f32;
    let value = |i: usize| (i as f32 + 0.5) * spacing - 4.0;
    let clear = |v: f32| match [-3.0, 0.0, 3.0].iter().find(|kink| (v - *kink).abs() < 2.0 * STEP) {
        Some(kink) => kink + 2.5 * STEP,
        None => v,
    };
    order.into_iter().map(|i| clear(value(i))).collect()
}

/// Small beside the spacing of `spaced`, large beside rounding.
const STEP: f32 = 0.005;

/// Autodiff's gradient of a seeded linear score of what `ops` make of a `[3, h, w]` input, against
/// central differences in every coordinate.
fn check_operations(what: &str, [h, w]: [usize; 2], mut ops: Vec<Op>) {
    ops.push(Op::Flatten);
    // A net must end in as many numbers as its config says; the first number of classes that fits
    // is how many the operations make.
    let planned = (1..2000).find_map(|classes| {
        let config =
            json!({ "architecture": "", "num_classes": classes, "pretrained_cfg": { "input_size": [3, h, w] } });
        let config = Config::parse(&config.to_string()).unwrap();
        net::plan(&config, "", vec![(String::new(), ops.clone())]).ok().map(|plan| (plan, classes))
    });
    let (plan, outputs) = planned.unwrap_or_else(|| panic!("{what}: cannot be planned"));
    let mut weights = Weights::default();
    for param in plan.params() {
        let values = spaced(param.shape.iter().product()).into_iter().map(|v| 0.3 * v).collect();
        weights.insert(&param.name, &param.shape, values, &Device::flex());
    }
    let model = plan.build(&mut weights).unwrap();
    let run = |x: Tensor<4>| Tensor::<2>::unwrap(model.run(0..1, x.wrap(), &mut Pass::new()).unwrap()).unwrap();

    let data = spaced(3 * h * w);
    let input = |data: Vec<f32>| Tensor::<4>::from_data(TensorData::new(data, [1, 3, h, w]), &Device::flex());
    let score = spaced(outputs);
    let factors = Tensor::<2>::from_data(TensorData::new(score.clone(), [1, outputs]), &Device::flex());
    let x = input(data.clone()).autodiff().require_grad();
    let gradients = (run(x.clone()) * factors.autodiff()).sum().backward();
    let gradient = x.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap();
    let moved = |i: usize, step: f32| {
        let mut data = data.clone();
        data[i] += step;
        let made = run(input(data.clone())).into_data().try_into_vec::<f32>().unwrap();
        made.iter().zip(&score).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    let difference = |i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * f64::from(STEP));
    let expected: Vec<f32> = (0..data.len()).map(|i| difference(i) as f32).collect();
    assert!(expected.iter().any(|g| *g != 0.0), "{what}: the score does not depend on the input");
    let difference = relative(&gradient, &expected);
    assert!(difference < 1e-3, "{what}: autodiff and finite differences differ by {difference:.1e}");
}

#[test]
fn gradients_of_operations_equal_finite_differences() {
    let pools = [
        ("plain", Pool::new(3, 2, 0)),
        ("padded", Pool::new(3, 1, 1)),
        ("ceil", Pool { ceil: true, ..Pool::new(2, 2, 0) }),
        ("padded ceil", Pool { ceil: true, ..Pool::new(3, 2, 1) }),
        ("SAME", Pool { padding: Padding::Same, ..Pool::new(2, 1, 0) }),
        ("strided SAME", Pool { padding: Padding::Same, ..Pool::new(3, 2, 0) }),
    ];
    for (name, pool) in pools {
        for size in [[5, 7], [6, 4]] {
            check_operations(&format!("maximum, {name}, {size:?}"), size, vec![Op::MaxPool(pool)]);
            for count_padding in [false, true] {
                let what = format!("mean, {name}, {size:?}, count_padding {count_padding}");
                check_operations(&what, size, vec![Op::AvgPool(Pool { count_padding, ..pool })]);
            }
        }
    }
    for act in [Act::HardSwish, Act::HardSigmoid, Act::Silu, Act::Sigmoid, Act::Relu6, Act::Gelu] {
        check_operations(&format!("{act:?}"), [5, 7], vec![Op::Act(act)]);
    }
    let conv = |name: &str, outputs, kernel| Conv2dSpec::new(name, 3, outputs, 1).kernel(kernel).bias(true);
    let same = |name: &str, kernel, stride| conv(name, 2, kernel).stride(stride).padding(Some(Padding::Same));
    let gate = vec![Op::GlobalAvgPool, Op::Conv(conv("squeeze", 3, [1, 1])), Op::Act(Act::Sigmoid)];
    let widths = |ops: Vec<PlaceOp>| vec![Op::Places(ops)];
    // Seeded variances lie between -1.2 and 1.2.
    let norm = Op::BatchNorm { name: "norm".into(), channels: 3, epsilon: 2.0 };
    let scale = PlaceOp::Scale(Param::new("", "scale", &[3]));
    for (what, ops) in [
        ("a convolution of 1 x 7, not padded", vec![Op::Conv(conv("conv", 3, [1, 7]).padding(None))]),
        ("a convolution of 7 x 1, padded", vec![Op::Conv(conv("conv", 3, [7, 1]))]),
        ("a convolution with SAME padding", vec![Op::Conv(same("conv", [3, 2], 2))]),
        ("a gate", vec![Op::Gate(gate)]),
        ("a gate of every place", vec![Op::Gate(vec![Op::Conv(conv("gate", 3, [3, 3])), Op::Act(Act::HardSigmoid)])]),
        ("parts one after the other", vec![Op::Concat(vec![vec![], vec![Op::Conv(conv("conv", 3, [3, 3]))], vec![]])]),
        ("a scaled residual", vec![net::residual(vec![Op::Conv(conv("conv", 3, [3, 3])), Op::Times(0.17)], vec![])]),
        ("a norm with no convolution", vec![norm]),
        ("means over a grid", vec![Op::AdaptiveAvgPool([2, 3])]),
        ("response normalisation", widths(vec![PlaceOp::ResponseNorm("norm".into(), 3)])),
        ("layer scale", widths(vec![scale])),
    ] {
        check_operations(what, [5, 7], ops.clone());
        check_operations(&format!("{what}, on an even grid"), [6, 8], ops);
    }
}
