//! The gradient itself, and its product with the input.

use super::*;

#[test]
fn saliency_and_the_product_are_made_of_timms_gradient() {
    for name in ["resnet_basic", "vit_reg", "mbv2_035"] {
        let (mut explainer, tensors) = golden_model(name);
        let meta = read_json(&golden(&format!("models/{name}/golden.json")));
        let target = &meta["target"];
        let image = tensor(&tensors, "input");
        let (x, g) = (&tensors["input"].1, &tensors["input_gradient"].1);
        let saliency = run(&mut explainer, &image, json!({ "method": "saliency", "target": target }));
        let expected: Vec<f32> = g.iter().map(|g| g.abs()).collect();
        assert!(relative(&saliency.values, &expected) < 1e-4, "{name}");
        let product = run(&mut explainer, &image, json!({ "method": "input_x_gradient", "target": target }));
        let expected: Vec<f32> = g.iter().zip(x).map(|(g, x)| g * x).collect();
        assert!(relative(&product.values, &expected) < 1e-4, "{name}");
    }
}

#[test]
fn a_linear_models_gradient_is_its_weights() {
    let mut explainer = net([3, 2, 2], 2, &[], linear_model);
    let pixels: Vec<f32> = (0..12).map(|i| (i as f32 * 1.3).cos()).collect();
    let input = image(&pixels, [3, 2, 2]);
    let weight: Vec<f32> = (0..12).map(|i| (i as f32 * 0.7).sin()).collect();
    let mut map = |method: &str| run(&mut explainer, &input, json!({ "method": method, "target": 0 })).values;
    assert!(relative(&map("smooth_grad"), &weight) < 1e-6);
    let squares: Vec<f32> = weight.iter().map(|w| w * w).collect();
    assert!(relative(&map("smooth_grad_sq"), &squares) < 1e-6);
    assert!(map("var_grad").iter().all(|v| *v < 1e-12), "a linear model's gradient does not vary");
    let magnitudes: Vec<f32> = weight.iter().map(|w| w.abs()).collect();
    assert!(relative(&map("saliency"), &magnitudes) < 1e-6);
    let product: Vec<f32> = weight.iter().zip(&pixels).map(|(w, x)| w * x).collect();
    assert!(relative(&map("input_x_gradient"), &product) < 1e-6);
}

#[test]
fn signed_gradients_are_linear_in_the_score() {
    let (mut explainer, tensors) = golden_model("resnet_basic");
    let image = tensor(&tensors, "input");
    for method in ["input_x_gradient", "smooth_grad", "integrated_gradients"] {
        let mut map = |target: Value| {
            let mut request = json!({ "method": method, "target": target });
            if method != "input_x_gradient" {
                request[if method == "smooth_grad" { "nSamples" } else { "nSteps" }] = json!(4);
            }
            run(&mut explainer, &image, request).values
        };
        let difference: Vec<f32> = map(json!(1)).iter().zip(map(json!(5))).map(|(a, b)| a - b).collect();
        assert!(relative(&map(json!({ "contrast": [1, 5] })), &difference) < 1e-4, "{method}");
    }
}

#[test]
fn equivalent_nets_have_equal_gradients() {
    let input = image(&[3.0, 1.0], [1, 1, 2]);
    for (method, expected) in
        [("saliency", [1.0, 1.0]), ("input_x_gradient", [3.0, -1.0]), ("smooth_grad", [1.0, -1.0])]
    {
        for forward in [f2_direct as Forward, f2_equivalent] {
            let mut explainer = net([1, 1, 2], 2, &[], forward);
            let mut request = json!({ "method": method, "target": 0 });
            if method == "smooth_grad" {
                request["noiseLevel"] = json!(0.01);
            }
            let map = run(&mut explainer, &input, request);
            assert!(relative(&map.values, &expected) < 1e-6, "{method}: {:?}", map.values);
        }
    }
}
