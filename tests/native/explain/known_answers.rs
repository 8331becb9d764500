//! Nets small enough to solve by hand: F1, F2, F5, F6 of the field's known answers, and what a pass can do.

use burn::tensor::Tensor;
use serde_json::json;
use sightline::layers::Act;
use sightline::pass::{Pass, Rules, Tappable};

use crate::common::nets::*;
use crate::common::*;

#[test]
fn f1_grad_cam_of_captums_one_conv_net() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let input = image(&pixels, [1, 4, 4]);
    let mut explainer = net([1, 4, 4], 2, &[("conv", [2, 2, 2]), ("relu", [2, 2, 2])], one_conv);
    for (layer, expected) in [("conv", [11.25, 13.5, 20.25, 22.5]), ("relu", [0.0, 4.0, 28.0, 32.5])] {
        let request = json!({ "method": "grad_cam", "target": 0, "layer": layer });
        let map = attribute(&mut explainer, &input, request).unwrap();
        assert_eq!(map.values, expected, "{layer}");
        assert_eq!((map.shape, map.score), (vec![2, 2], 54.0));
        assert!(map.warnings.is_empty());
    }
}

#[test]
fn f1_relu_rule_changes_the_gradient_and_not_the_score() {
    /// Passes every gradient through a ReLU unchanged.
    struct Straight;
    impl Rules for Straight {
        fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
            let y = sightline::pass::Plain.act(act, x.clone());
            x.clone() + (y - x).detach()
        }
    }
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let gradient = |pass: &mut Pass| {
        let x = t(&pixels, [1, 1, 4, 4]).autodiff().require_grad();
        let score = one_conv(x.clone(), pass).unwrap().narrow(1, 0, 1).sum();
        let value: f32 = score.clone().inner().into_data().try_into_vec::<f32>().unwrap()[0];
        let gradients = score.backward();
        (value, x.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap())
    };
    // conv: channel 0 is -5, 4, 31, 40; channel 1 is -30, -21, 6, 15. Alive with weights: (0, 1), (1, 0), (1, 1) of channel 0 with +1
    // and the lower row of channel 1 with -1: what remains is the upper right placement of the kernel.
    let (score, plain) = gradient(&mut Pass::new());
    assert_eq!(score, 54.0);
    assert_eq!(plain, [0., 1., 1., 1., 0., 1., 1., 1., 0., 1., 1., 1., 0., 0., 0., 0.]);
    let (score, straight) = gradient(&mut Pass::new().with_rules(&Straight));
    assert_eq!(score, 54.0);
    // Without any ReLU the gradient is the sum of the kernels' placements times the weights: channel 0 everywhere +1, channel 1 +1 at
    // the first cell and -1 at the three others.
    let mut expected = [0.0f32; 16];
    for (cell, weight) in [2.0, 0.0, 0.0, 0.0].into_iter().enumerate() {
        for k in 0..9 {
            expected[(cell / 2 + k / 3) * 4 + cell % 2 + k % 3] += weight;
        }
    }
    assert_eq!(straight, expected);
    assert_ne!(plain, straight);
}

#[test]
fn a_pass_replaces_what_it_is_told_to() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let mut pass = Pass::new().replace("relu", |a| {
        let a = Tensor::<4>::unwrap(a)?;
        let dead = a.clone().narrow(1, 1, 1) * 0.0;
        Ok(Tensor::cat(vec![a.narrow(1, 0, 1), dead], 1).wrap())
    });
    let y = one_conv(t(&pixels, [1, 1, 4, 4]), &mut pass).unwrap();
    // Channel 0 alone: 0 + 4 + 31 + 40.
    assert_eq!(y.into_data().try_into_vec::<f32>().unwrap(), [75.0, -75.0]);

    let mut pass = Pass::new().replace("relu", |a| Ok(Tensor::<4>::unwrap(a)?.narrow(1, 0, 1).wrap()));
    assert!(one_conv(t(&pixels, [1, 1, 4, 4]), &mut pass).is_err(), "a replacement of another shape");
}

#[test]
fn f2_integrated_gradients_of_the_papers_two_nets() {
    for forward in [f2_direct as Forward, f2_equivalent] {
        let mut explainer = net([1, 1, 2], 2, &[], forward);
        let input = image(&[3.0, 1.0], [1, 1, 2]);
        for steps in [50, 100] {
            let request = json!({ "method": "integrated_gradients", "target": 0, "nSteps": steps, "chunkSize": 7 });
            let ig = attribute(&mut explainer, &input, request).unwrap();
            assert_eq!((ig.score, ig.shape.clone()), (1.0, vec![1, 1, 2]));
            // The path crosses the kink at a = 1/2, where an even rule has no node.
            assert!((ig.values[0] - 1.5).abs() < 1e-5 && (ig.values[1] + 0.5).abs() < 1e-5, "{steps}: {:?}", ig.values);
            let completeness = ig.completeness.unwrap();
            assert!(completeness.delta.abs() < 1e-5 && completeness.baseline_score == 0.0);
        }
    }
}

#[test]
fn f5_every_quadrature_is_exact_on_a_linear_model_at_every_n() {
    let mut explainer = net([3, 2, 2], 2, &[], linear_model);
    let pixels: Vec<f32> = (0..12).map(|i| (i as f32 * 1.3).cos()).collect();
    let input = image(&pixels, [3, 2, 2]);
    for quadrature in ["gauss_legendre", "midpoint", "trapezoid"] {
        for baseline in ["mean", "black", "white", "blur"] {
            for steps in [1, 2, 3, 10, 33] {
                let request = json!({
                    "method": "integrated_gradients", "target": 0, "nSteps": steps, "quadrature": quadrature, "baseline": baseline
                });
                let ig = attribute(&mut explainer, &input, request).unwrap();
                let c = ig.completeness.unwrap();
                assert!(c.delta.abs() < 1e-5, "{quadrature} {baseline} {steps}: {c:?}");
                if baseline == "mean" {
                    for (i, (value, pixel)) in ig.values.iter().zip(&pixels).enumerate() {
                        assert!((value - pixel * (i as f32 * 0.7).sin()).abs() < 1e-5);
                    }
                }
            }
        }
    }
}

#[test]
fn f6_meaningless_maps_say_so_and_are_never_nan() {
    let input = image(&[1.0; 4], [1, 2, 2]);
    for (forward, code) in [(dead as Forward, "zero-map"), (constant, "constant-map"), (overflow, "non-finite")] {
        let mut explainer = net([1, 2, 2], 2, &[("a", [1, 2, 2])], forward);
        let map = attribute(&mut explainer, &input, json!({ "method": "grad_cam", "target": 0 })).unwrap();
        assert!(map.values.iter().all(|v| v.is_finite()), "{code}: {:?}", map.values);
        let codes: Vec<&str> = map.warnings.iter().map(|w| w.code).collect();
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    let mut explainer = net([1, 2, 2], 2, &[], dead);
    let map = attribute(&mut explainer, &input, json!({ "method": "integrated_gradients", "target": 0, "nSteps": 4 }))
        .unwrap();
    assert_eq!(map.values, [0.0; 4]);
    assert_eq!(map.warnings[0].code, "zero-map");
}
