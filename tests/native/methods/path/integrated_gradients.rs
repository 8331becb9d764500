//! Integrated gradients: hand-solved nets, several baselines, and as many steps as the residual
//! asks for.

use burn::tensor::Tensor;
use serde_json::{Value, json};
use sightline::Result;
use sightline::explain::Attribution;
use sightline::nn::pass::Pass;

use crate::common::nets::*;
use crate::common::*;
use crate::methods::gradient::{golden_model, normal, run};

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
                    "method": "integrated_gradients", "target": 0, "nSteps": steps, "quadrature": quadrature,
                    "baseline": baseline
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
fn several_baselines_are_the_mean_of_single_runs() {
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    let shape = explainer.package().model.spec().input_size;
    let given = json!({ "data": normal(shape.iter().product()), "shape": shape });
    let mut ig = |baseline: Value| {
        let request = json!({ "method": "integrated_gradients", "target": 6, "nSteps": 6, "baseline": baseline });
        run(&mut explainer, &image, request)
    };
    let single = [json!("black"), json!("blur"), json!("noise"), given].map(|b| (ig(b.clone()), b));
    let together = ig(json!(single.iter().map(|s| &s.1).collect::<Vec<_>>()));
    let mean = |of: &dyn Fn(&Attribution) -> f64| single.iter().map(|s| of(&s.0)).sum::<f64>() / 4.0;
    let expected: Vec<f32> = (0..together.values.len()).map(|i| mean(&|m| f64::from(m.values[i])) as f32).collect();
    assert!(relative(&together.values, &expected) < 1e-5);
    let completeness = together.completeness.unwrap();
    assert!((completeness.baseline_score - mean(&|m| m.completeness.unwrap().baseline_score)).abs() < 1e-6);
    assert!((completeness.delta - mean(&|m| m.completeness.unwrap().delta)).abs() < 1e-5);
    assert_eq!(together.details, Some(json!({ "steps": [6, 6, 6, 6] })));
    assert_eq!(together.passes.backward, 24.0);
}

/// sum x^4
fn quartic(x: Tensor<4>, _: &mut Pass) -> Result<Tensor<2>> {
    let [n, ..] = x.dims();
    logits(x.square().square().reshape([n, 1, 4, 1]).sum_dim(2))
}

#[test]
fn steps_double_until_the_residual_is_within_the_tolerance() {
    let mut explainer = net([1, 2, 2], 2, &[], quartic);
    let input = image(&[1.0, -0.5, 2.0, 0.1], [1, 2, 2]);
    let mut ig = |steps: usize, tolerance: f64, most: usize| {
        let request = json!({
            "method": "integrated_gradients", "target": 0, "nSteps": steps, "quadrature": "midpoint",
            "tolerance": tolerance, "maxSteps": most
        });
        run(&mut explainer, &input, request)
    };
    // The midpoint rule's error of 4 a^3 on [0, 1] is 1 / (2 n^2) of the integral: below 0.005 from
    // n = 10 on, so from 3 the fourth try is it.
    let adaptive = ig(3, 0.005, 1000);
    assert_eq!(adaptive.details, Some(json!({ "steps": [12] })));
    assert!(adaptive.warnings.is_empty());
    assert_eq!(adaptive.values, ig(12, 0.0, 1000).values);
    assert_eq!(adaptive.passes.backward, 21.0);
    let completeness = adaptive.completeness.unwrap();
    let difference = completeness.score - completeness.baseline_score;
    assert!((completeness.delta / difference + 1.0 / 288.0).abs() < 1e-5, "{completeness:?}");
    // The last try has exactly `maxSteps`, and says that it is not enough.
    let short = ig(3, 0.005, 8);
    assert_eq!(short.details, Some(json!({ "steps": [8] })));
    assert_eq!(short.values, ig(8, 0.0, 1000).values);
    assert_eq!(short.warnings[0].code, "incomplete");
    assert_eq!(ig(50, 0.005, 8).details, Some(json!({ "steps": [8] })));
    // No tolerance: as many as were asked for, whatever the residual.
    assert_eq!(ig(3, 0.0, 2).details, Some(json!({ "steps": [3] })));

    // On a net, every baseline by itself.
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    let mut ig = |baseline: Value| {
        let request = json!({
            "method": "integrated_gradients", "target": 6, "nSteps": 2, "baseline": baseline, "tolerance": 0.02
        });
        run(&mut explainer, &image, request)
    };
    let steps = ["black", "white"].map(|b| {
        let single = ig(json!(b));
        let completeness = single.completeness.unwrap();
        let allowed = 0.02 * (completeness.score - completeness.baseline_score).abs();
        assert!(completeness.delta.abs() <= allowed + 1e-7, "{b}: {completeness:?}");
        single.details.unwrap()["steps"][0].clone()
    });
    assert_eq!(ig(json!(["black", "white"])).details, Some(json!({ "steps": steps })));
}

#[test]
fn the_same_request_gives_the_same_numbers_whatever_the_chunks() {
    for name in ["tiny-vit", "tiny-cnn"] {
        let folder = golden(&format!("packages/{name}"));
        let mut explainer = explainer(open(&folder));
        let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
        let mut ig = |chunk: usize| {
            let request = json!({
                "method": "integrated_gradients", "nSteps": 12, "chunkSize": chunk, "baseline": "blur",
                "blurSigma": 3
            });
            attribute(&mut explainer, &input, request).unwrap().values
        };
        let reference = ig(1);
        assert_eq!(reference, ig(1));
        for chunk in [2, 5, 12, 64] {
            let difference = relative(&ig(chunk), &reference);
            assert!(difference < 1e-5, "{name}, chunks of {chunk}: {difference:.1e}");
        }
    }
}
