//! What a call costs after another one.

use serde_json::json;
use sightline::ask::control::{Passes, Unwatched};
use sightline::explain::Image;

use crate::common::*;
use crate::methods::cam::noise;

#[test]
fn another_class_or_cam_does_not_run_the_front_again() {
    for name in ["tiny-vit", "tiny-cnn"] {
        let folder = golden(&format!("packages/{name}"));
        let mut explainer = explainer(open(&folder));
        let input = tensor(&read_tensors(&folder.join("golden.safetensors")), "input");
        let seen = now(explainer.classify(&input, None, &Unwatched)).unwrap();
        assert_eq!((seen.passes.forward, seen.passes.backward), (1.0, 0.0));
        assert_eq!(now(explainer.classify(&input, None, &Unwatched)).unwrap().passes.forward, 0.0);
        let mut cam = |target: usize| {
            attribute(&mut explainer, &input, json!({ "method": "grad_cam", "target": target })).unwrap()
        };
        let seen: Vec<_> = (0..3).map(&mut cam).collect();
        for Passes { forward, backward } in seen.iter().map(|cam| cam.passes) {
            assert!(forward > 0.0 && forward < 0.4 && backward == forward, "{name}: {forward}, {backward}");
        }
        // Asked for together with the prediction, a CAM goes backward from it.
        let mut fresh = crate::common::explainer(open(&folder));
        let alone = attribute(&mut fresh, &input, json!({ "method": "grad_cam", "target": 1 })).unwrap();
        assert_eq!((alone.passes.forward, alone.passes.backward), (1.0, seen[1].passes.backward), "{name}");
        assert_eq!(alone.values, seen[1].values, "{name}");
        let ig = attribute(&mut explainer, &input, json!({ "method": "integrated_gradients", "nSteps": 10 })).unwrap();
        assert_eq!((ig.passes.forward, ig.passes.backward), (11.0, 10.0));
    }
}

#[test]
fn a_cam_after_a_prediction_takes_a_fraction_of_its_time() {
    for model in ["deit_tiny_patch16_224", "mobilenetv2_100_same"] {
        let Some(folder) = shared(&format!("models/{model}")) else { return };
        let mut explainer = explainer(open(&folder));
        let shape = explainer.package().model.spec().input_size;
        let image = |seed: u64| Image::Tensor { data: noise(seed, shape.iter().product()), shape: shape.to_vec() };
        let mut least = [f64::INFINITY; 2];
        for round in 0..3 {
            let start = std::time::Instant::now();
            now(explainer.classify(&image(round), None, &Unwatched)).unwrap();
            least[0] = least[0].min(start.elapsed().as_secs_f64());
            let start = std::time::Instant::now();
            attribute(&mut explainer, &image(round), json!({ "method": "grad_cam" })).unwrap();
            least[1] = least[1].min(start.elapsed().as_secs_f64());
        }
        println!("{model}: prediction {:.0} ms, Grad-CAM {:.0} ms", 1e3 * least[0], 1e3 * least[1]);
        assert!(least[1] <= 1.2 * least[0]);
    }
}
