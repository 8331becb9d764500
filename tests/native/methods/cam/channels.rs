//! Score-CAM and Ablation-CAM, which try a layer's channels one by one: chunks, stops and passes.

use super::*;

#[test]
fn score_and_ablation_cam_run_in_chunks_that_can_be_watched_and_stopped() {
    for (name, method) in
        ["resnet_basic", "vit_reg"].into_iter().flat_map(|n| ["score_cam", "ablation_cam"].map(|m| (n, m)))
    {
        let (mut explainer, image) = Golden::read(format!("models/{name}")).open();
        let mut run = |more: Value, watcher: &Watcher| {
            let mut request = json!({ "method": method });
            more.as_object().unwrap().iter().for_each(|(key, value)| request[key] = value.clone());
            watched(&mut explainer, &image, request, watcher)
        };
        let whole = run(json!({ "chunkSize": 1 }), &Watcher::default()).unwrap();
        for chunk in [3, 8, 64] {
            let watcher = Watcher::default();
            let map = run(json!({ "chunkSize": chunk }), &watcher).unwrap();
            assert!(relative(&map.values, &whole.values) < 1e-4, "{name}, {method}, chunks of {chunk}");
            assert!(map.warnings.is_empty(), "{:?}", map.warnings);
            let (done, total) = watcher.last();
            assert_eq!(done, total);
            let estimates = watcher.estimates.borrow();
            assert_eq!(estimates.last().map(|last| &last.values), Some(&map.values), "the last estimate is the map");
            assert_eq!(estimates.len(), total.div_ceil(chunk));
        }
        // Stopped after two channels: what two channels alone give.
        let stopped = run(json!({ "chunkSize": 2 }), &Watcher::stop_after(1)).unwrap();
        assert_eq!(stopped.warnings[0].code, "partial");
        let two = run(json!({ "chunkSize": 2, "maxChannels": 2 }), &Watcher::default()).unwrap();
        assert_eq!((stopped.values, stopped.shape), (two.values, two.shape));
        let cancelled = run(json!({ "chunkSize": 2 }), &Watcher::cancel_after(1));
        assert!(matches!(cancelled, Err(Error::Aborted)));
        // Of several layers, those that were reached, on the grid that is the finest of them.
        let request = json!({ "layer": "all", "maxChannels": 4, "chunkSize": 2 });
        let several = run(request, &Watcher::stop_after(3)).unwrap();
        assert_eq!((several.layers.len(), several.warnings[0].code), (2, "partial"));
    }
}

#[test]
fn passes_of_channel_scores_are_counted() {
    let (mut explainer, image) = Golden::read("models/resnet_basic").open();
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
