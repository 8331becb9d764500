//! What holds of every CAM, or of those that are linear.

use super::*;

fn all_layers(explainer: &mut Explainer, image: &Image, method: &str) -> Attribution {
    let mut request = json!({ "method": method, "layer": "all" });
    if ["score_cam", "ablation_cam"].contains(&method) {
        request["maxChannels"] = json!(3);
    }
    attribute(explainer, image, request).unwrap()
}

#[test]
fn all_layers_of_a_transformer_at_once_are_those_one_by_one() {
    assert!(cams().count() >= 10);
    let (mut explainer, image) = golden_model("vit_reg");
    let spec: ModelSpec = explainer.package().model.spec().clone();
    for method in cams() {
        let all = all_layers(&mut explainer, &image, method);
        assert_eq!(all.shape, [4, 4], "{method}");
        assert_eq!(all.layers.len(), spec.layers.len());
        let mut mean = vec![0f32; 16];
        for layer in &all.layers {
            let mut request = json!({ "method": method, "layer": layer.id });
            if ["score_cam", "ablation_cam"].contains(&method) {
                request["maxChannels"] = json!(3);
            }
            let alone = attribute(&mut explainer, &image, request).unwrap();
            if alone.values.iter().all(|v| *v == 0.0) {
                assert!(layer.values.iter().all(|v| *v == 0.0), "{method} at {}", layer.id);
                continue;
            }
            assert!(relative(&layer.values, &alone.values) < 1e-4, "{method} at {}", layer.id);
            let largest = layer.values.iter().fold(0f32, |m, v| m.max(v.abs()));
            mean.iter_mut().zip(&layer.values).for_each(|(m, v)| *m += v / largest / spec.layers.len() as f32);
        }
        assert!(relative(&all.values, &mean) < 1e-5, "{method}: the mean of all");
    }
}

/// Two convolutions without padding, means over space, a linear layer; `stride` and `kernel` of
/// both convolutions.
fn unpadded(size: usize, stride: usize, kernel: usize) -> Explainer {
    let conv = |name: &str, inputs, outputs| {
        Op::Conv(Conv2dSpec::new(name, inputs, outputs, kernel).stride(stride).padding(None).bias(true))
    };
    let first = vec![conv("one", 1, 6), Op::Act(Act::Relu)];
    let second = vec![conv("two", 6, 8), Op::Act(Act::Relu), Op::Tap("a".into())];
    let weight = |param: &Param| noise(param.name.bytes().map(u64::from).sum(), param.shape.iter().product());
    build([1, size, size], 4, &[("one", first), ("two", second), ("fc", net::classifier("fc", 8, 4))], weight)
}

#[test]
fn a_photo_that_is_moved_by_the_stride_moves_its_cam_by_a_cell() {
    // Overlapping windows, and windows side by side, whose grid covers the input exactly:
    // Score-CAM's masks move with the photo only there.
    for (size, stride, kernel, score_cam) in [(35, 2, 3, false), (32, 2, 2, true)] {
        let mut explainer = unpadded(size, stride, kernel);
        // A patch without a pattern on a plain ground, away from the edges.
        let patch = noise(5, 100);
        let photo = |top: usize, left: usize| {
            let mut data = vec![0.25; size * size];
            for (i, v) in patch.iter().enumerate() {
                data[(top + i / 10) * size + left + i % 10] = 3.0 * v;
            }
            Image::Tensor { data, shape: vec![1, size, size] }
        };
        let total = stride * stride;
        for method in cams().filter(|m| score_cam || *m != "score_cam") {
            let mut map = |top, left| {
                attribute(&mut explainer, &photo(top, left), json!({ "method": method, "target": 1 })).unwrap()
            };
            let (here, there) = (map(12, 8), map(12 - total, 8 + total));
            assert_eq!(here.shape, [8, 8]);
            assert!(here.warnings.is_empty(), "{method}: {:?}", here.warnings);
            let (mut moved, mut stayed) = (Vec::new(), Vec::new());
            for (y, x) in (0..7).flat_map(|y| (0..7).map(move |x| (y, x))) {
                moved.push(there.values[y * 8 + x + 1]);
                stayed.push(here.values[(y + 1) * 8 + x]);
            }
            assert!(relative(&moved, &stayed) < 1e-4, "{method}: {moved:?} {stayed:?}");
            assert!(relative(&there.values, &here.values) > 0.1, "{method}: the map says nothing about where");
        }
    }
}

#[test]
fn linear_cams_are_linear_in_the_score_and_hires_cam_adds_up() {
    let (mut explainer, image) = golden_model("resnet_basic");
    for method in ["grad_cam", "hires_cam", "xgrad_cam"] {
        let mut map = |target: Value| {
            attribute(&mut explainer, &image, json!({ "method": method, "target": target, "layer": "layer2" }))
                .unwrap()
                .values
        };
        let (a, b, contrast) = (map(json!(2)), map(json!(5)), map(json!({ "contrast": [2, 5] })));
        let difference: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        assert!(relative(&contrast, &difference) < 1e-4, "{method}");
    }
    // Only a mean and a linear layer follow the last one: HiResCAM is Grad-CAM there, and sums to
    // the logit without the bias.
    let mut at = |method: &str| attribute(&mut explainer, &image, json!({ "method": method, "target": 2 })).unwrap();
    let (hires, grad) = (at("hires_cam"), at("grad_cam"));
    assert!(relative(&hires.values, &grad.values) < 1e-5);
    let config = std::fs::read_to_string(golden("models/resnet_basic/config.json")).unwrap();
    let seed = read_json(&golden("models/resnet_basic/golden.json"))["seed"].as_u64().unwrap();
    let bytes = hashed_weights(&config, seed, 1.0);
    let weights = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let bias = f32::from_le_bytes(weights.tensor("fc.bias").unwrap().data()[8..12].try_into().unwrap());
    let sum: f64 = hires.values.iter().copied().map(f64::from).sum();
    assert!((sum + f64::from(bias) - hires.score).abs() < 1e-4, "{sum} + {bias}, {}", hires.score);
}
