//! Score-CAM and Ablation-CAM, which try a layer's channels one by one: chunks, stops and passes.

use super::*;

/// A watcher who looks at every estimate and stops after some parts.
#[derive(Default)]
struct Watcher {
    stop_after: usize,
    cancel: bool,
    done: Cell<usize>,
    total: Cell<usize>,
    estimates: RefCell<Vec<Vec<f32>>>,
}

impl Control for Watcher {
    fn cancelled(&self) -> bool {
        self.cancel && self.done.get() >= self.stop_after
    }
    fn stopped(&self) -> bool {
        !self.cancel && self.done.get() >= self.stop_after
    }
    fn wants_estimate(&self) -> bool {
        true
    }
    fn estimate(&self, values: &[f32], shape: &[usize]) {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        self.estimates.borrow_mut().push(values.to_vec());
    }
    fn progress(&self, done: usize, total: usize) {
        assert!(done > self.done.get() && done <= total);
        self.done.set(done);
        self.total.set(total);
    }
}

#[test]
fn score_and_ablation_cam_run_in_chunks_that_can_be_watched_and_stopped() {
    for (name, method) in
        ["resnet_basic", "vit_reg"].into_iter().flat_map(|n| ["score_cam", "ablation_cam"].map(|m| (n, m)))
    {
        let (mut explainer, image) = golden_model(name);
        let mut watched = |request: &Value, watcher: &Watcher| {
            let Value::Object(request) = request.clone() else { panic!("an object") };
            now(explainer.attribute(&image, request, watcher))
        };
        let whole = watched(
            &json!({ "method": method, "chunkSize": 1 }),
            &Watcher { stop_after: usize::MAX, ..Watcher::default() },
        )
        .unwrap();
        for chunk in [3, 8, 64] {
            let watcher = Watcher { stop_after: usize::MAX, ..Watcher::default() };
            let map = watched(&json!({ "method": method, "chunkSize": chunk }), &watcher).unwrap();
            assert!(relative(&map.values, &whole.values) < 1e-4, "{name}, {method}, chunks of {chunk}");
            assert!(map.warnings.is_empty(), "{:?}", map.warnings);
            assert_eq!(watcher.done.get(), watcher.total.get());
            assert_eq!(watcher.estimates.borrow().last(), Some(&map.values), "the last estimate is the map");
            assert_eq!(watcher.estimates.borrow().len(), watcher.total.get().div_ceil(chunk));
        }
        // Stopped after two channels: what two channels alone give.
        let stopped =
            watched(&json!({ "method": method, "chunkSize": 2 }), &Watcher { stop_after: 2, ..Watcher::default() })
                .unwrap();
        assert_eq!(stopped.warnings[0].code, "partial");
        let two = watched(
            &json!({ "method": method, "chunkSize": 2, "maxChannels": 2 }),
            &Watcher { stop_after: usize::MAX, ..Watcher::default() },
        )
        .unwrap();
        assert_eq!((stopped.values, stopped.shape), (two.values, two.shape));
        let cancelled = watched(
            &json!({ "method": method, "chunkSize": 2 }),
            &Watcher { stop_after: 2, cancel: true, ..Watcher::default() },
        );
        assert!(matches!(cancelled, Err(Error::Aborted)));
        // Of several layers, those that were reached, on the grid that is the finest of them.
        let several = watched(
            &json!({ "method": method, "layer": "all", "maxChannels": 4, "chunkSize": 2 }),
            &Watcher { stop_after: 6, ..Watcher::default() },
        )
        .unwrap();
        assert_eq!((several.layers.len(), several.warnings[0].code), (2, "partial"));
    }
}

#[test]
fn passes_of_channel_scores_are_counted() {
    let (mut explainer, image) = golden_model("resnet_basic");
    now(explainer.classify(&image, None, &Unwatched)).unwrap();
    let spec = explainer.package().model.spec().clone();
    let share = |layer: &str, from: bool| {
        let stage = spec.layer(layer).unwrap().stage;
        if from { spec.share(stage..spec.stages.len()) } else { spec.share(stage..stage + 1) }
    };
    for (layer, channels) in [("layer2", 16.0), ("layer4", 32.0)] {
        let mut passes = |method: &str| {
            attribute(&mut explainer, &image, json!({ "method": method, "layer": layer })).unwrap().passes
        };
        let close =
            |got: f64, expected: f64| assert!((got - expected).abs() < 1e-9, "{layer}: {got}, expected {expected}");
        close(passes("ablation_cam").forward, share(layer, false) + channels * share(layer, true));
        close(passes("score_cam").forward, share(layer, false) + channels);
        close(passes("eigen_cam").forward, share(layer, false));
        assert_eq!(passes("ablation_cam").backward + passes("score_cam").backward + passes("eigen_cam").backward, 0.0);
    }
    // Ablation at the last layer runs the head alone.
    assert!(share("layer4", true) < 0.01);
}
