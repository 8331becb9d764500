//! Guided backpropagation, deconvolution, and guided Grad-CAM.

use super::*;

#[test]
fn f1_guided_backpropagation_and_deconvolution_of_captums_one_conv_net() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let input = image(&pixels, [1, 4, 4]);
    let mut explainer = net([1, 4, 4], 2, &[("conv", [2, 2, 2]), ("relu", [2, 2, 2])], one_conv);
    let guided = [0., 1., 1., 1., 1., 3., 3., 2., 1., 3., 3., 2., 1., 2., 2., 1.];
    let deconvolution = [2., 3., 3., 1., 3., 5., 5., 2., 3., 5., 5., 2., 1., 2., 2., 1.];
    for (rule, expected) in [("guided", guided), ("deconvolution", deconvolution)] {
        let request = json!({ "method": "guided_backprop", "target": 0, "rule": rule });
        let map = run(&mut explainer, &input, request);
        assert_eq!(map.values, expected, "{rule}");
        assert_eq!((map.shape, map.score), (vec![1, 4, 4], 54.0));
    }
    let map = run(&mut explainer, &input, json!({ "method": "guided_backprop", "target": 0 }));
    assert_eq!(map.values, guided);
    // Grad-CAM at the ReLU is 0, 4 / 28, 32.5.
    for (interpolation, factors) in [
        ("nearest", [0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 4.0, 4.0, 28.0, 28.0, 32.5, 32.5, 28.0, 28.0, 32.5, 32.5]),
        (
            "bilinear",
            [
                0.0, 1.0, 3.0, 4.0, 7.0, 8.03125, 10.09375, 11.125, 21.0, 22.09375, 24.28125, 25.375, 28.0, 29.125,
                31.375, 32.5,
            ],
        ),
    ] {
        let request =
            json!({ "method": "guided_grad_cam", "target": 0, "layer": "relu", "interpolation": interpolation });
        let map = run(&mut explainer, &input, request);
        let expected: Vec<f32> = guided.iter().zip(factors).map(|(g, f)| g * f).collect();
        assert!(relative(&map.values, &expected) < 1e-6, "{interpolation}: {:?}", map.values);
        assert_eq!(map.layer.as_deref(), Some("relu"));
    }
}

/// x1 through ReLU6 at an input inside, below and above its range, and with a negative weight
/// behind it.
fn relu6_units(x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<2>> {
    let y = pass.act(Act::Relu6, x) * t(&[2.0, 2.0, 2.0, -2.0], [1, 1, 2, 2]);
    let [n, ..] = y.dims();
    logits(y.reshape([n, 1, 4, 1]).sum_dim(2))
}

#[test]
fn relu6_passes_positive_gradients_of_units_within_its_range() {
    let mut explainer = net([1, 2, 2], 2, &[], relu6_units);
    for (pixels, guided) in
        [([3.0, -1.0, 7.0, 3.0], [2.0, 0.0, 0.0, 0.0]), ([5.9, 0.0, 6.0, 7.0], [2.0, 0.0, 0.0, 0.0])]
    {
        let input = image(&pixels, [1, 2, 2]);
        for (rule, expected) in [("guided", guided), ("deconvolution", [2.0, 2.0, 2.0, 0.0])] {
            let request = json!({ "method": "guided_backprop", "target": 0, "rule": rule });
            assert_eq!(run(&mut explainer, &input, request).values, expected, "{rule} at {pixels:?}");
        }
    }
}

/// Cuts the net behind every ReLU: each segment begins at leaves.
#[derive(Default)]
struct Cuts {
    inputs: RefCell<Vec<Tensor<4>>>,
    leaves: RefCell<Vec<Tensor<4>>>,
}

impl Rules for Cuts {
    fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
        let y = device::act(x.clone(), act);
        if !matches!(act, Act::Relu | Act::Relu6) {
            return y;
        }
        let leaf = y.inner().autodiff().require_grad();
        self.inputs.borrow_mut().push(x);
        self.leaves.borrow_mut().push(leaf.clone());
        leaf
    }
}

/// Guided backpropagation one segment at a time: the gradient that has gathered behind a ReLU is
/// edited by hand and handed to the segment before.
fn guided_twin(explainer: &Explainer, x: &[f32], target: usize, deconvolution: bool, top: f32) -> Vec<f32> {
    let shape = explainer.package().model.spec().input_size;
    let mut at_input = vec![0.0; x.len()];
    let mut behind: Vec<Vec<f32>> = Vec::new();
    let mut segment = None;
    loop {
        // Every segment is run anew: a graph serves one backward pass.
        let cuts = Cuts::default();
        let x = device_tensor(x, shape).autodiff().require_grad();
        let score = logit(explainer, x.clone(), target, &mut Pass::new().with_rules(&cuts));
        let (inputs, leaves) = (cuts.inputs.into_inner(), cuts.leaves.into_inner());
        let score = match segment {
            None => {
                behind = leaves.iter().map(|leaf| vec![0.0; leaf.shape().num_elements()]).collect();
                score
            }
            Some(at) => {
                let input: &Tensor<4> = &inputs[at];
                let before = host(input.clone().inner());
                let edited = before.iter().zip(&behind[at]).map(|(&a, &g)| {
                    let open = deconvolution || (a > 0.0 && a < top);
                    if open && g > 0.0 { g } else { 0.0 }
                });
                let edited = TensorData::new(edited.collect::<Vec<f32>>(), input.dims());
                (input.clone() * Tensor::<4>::from_data(edited, &Device::flex()).autodiff()).sum()
            }
        };
        let gradients = score.backward();
        let add = |to: &mut Vec<f32>, leaf: &Tensor<4>| {
            if let Some(gradient) = leaf.grad(&gradients) {
                to.iter_mut().zip(host(gradient)).for_each(|(sum, g)| *sum += g);
            }
        };
        add(&mut at_input, &x);
        behind.iter_mut().zip(&leaves).for_each(|(to, leaf)| add(to, leaf));
        match segment.unwrap_or(leaves.len()) {
            0 => return at_input,
            at => segment = Some(at - 1),
        }
    }
}

#[test]
fn guided_backpropagation_equals_a_twin_that_edits_gradients_between_segments() {
    for (name, top) in [
        ("resnet_basic", f32::INFINITY),
        ("resnet_bottleneck", f32::INFINITY),
        ("regnety_002", f32::INFINITY),
        ("mbv2_035", 6.0),
    ] {
        let (mut explainer, tensors) = golden_model(name);
        let image = tensor(&tensors, "input");
        let x = &tensors["input"].1;
        let plain = gradient(&explainer, x, 2);
        for rule in ["guided", "deconvolution"] {
            let map = run(&mut explainer, &image, json!({ "method": "guided_backprop", "target": 2, "rule": rule }));
            let twin = guided_twin(&explainer, x, 2, rule == "deconvolution", top);
            let difference = relative(&map.values, &twin);
            println!("{name} {rule}: {difference:.1e}; cosine with the gradient {:.3}", cosine(&twin, &plain));
            assert!(difference < 1e-4, "{name} {rule}: {difference:.1e}");
            assert!(cosine(&twin, &plain) < 0.95, "{name} {rule}: the rule changes nothing");
        }
    }
}

#[test]
fn guided_grad_cam_is_the_product_of_its_parts() {
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    let [c, h, w] = explainer.package().model.spec().input_size;
    let guided = run(&mut explainer, &image, json!({ "method": "guided_backprop", "target": 1 })).values;
    for layer in ["layer2", "layer4"] {
        let cam = run(&mut explainer, &image, json!({ "method": "grad_cam", "target": 1, "layer": layer }));
        let (rows, columns) = (cam.shape[0], cam.shape[1]);
        let request = json!({ "method": "guided_grad_cam", "target": 1, "layer": layer, "interpolation": "nearest" });
        let product = run(&mut explainer, &image, request).values;
        for i in 0..c * h * w {
            let (y, x) = (i % (h * w) / w, i % w);
            let factor = cam.values[y * rows / h * columns + x * columns / w].max(0.0);
            assert_eq!(product[i], guided[i] * factor, "{layer}: {i}");
        }
    }
}
