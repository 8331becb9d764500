//! Cancel and stop mean now, for every method and option: at a random moment of a call, it ends
//! within a chunk. What is counted are breaths (when messages come in), reports of progress and
//! passes, not time.

use std::path::Path;

use serde_json::{Value, json};
use sightline::ask::control::Unwatched;
use sightline::explain::Image;
use sightline::methods::{Kind, METHODS, MethodSpec, Space};
use sightline::nn::model::ModelSpec;
use sightline::{Error, Explainer};

use crate::common::*;

/// The largest chunk that a call without `chunkSize` takes.
const CHUNK: usize = 16;

/// The values of an option at its ends, and what is nearest to nothing.
fn ends(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Integer { min, max, .. } => vec![json!(min), json!(max)],
        Kind::Number { min, max, .. } if min == 0.0 => vec![json!(min), json!(5e-324), json!(max)],
        Kind::Number { min, max, .. } => vec![json!(min), json!(max)],
        Kind::Choice { choices, .. } => choices.iter().map(|choice| json!(choice)).collect(),
        Kind::Boolean { .. } => vec![json!(true), json!(false)],
        Kind::Baseline { choices, many, .. } => {
            let all = many.then(|| json!(choices.iter().cycle().take(16).collect::<Vec<_>>()));
            choices.iter().map(|choice| json!(choice)).chain(all).collect()
        }
        Kind::Tensor { .. } => Vec::new(),
    }
}

/// A method with its defaults, with each option at each of its ends, and with all at their largest.
fn requests(spec: &MethodSpec) -> Vec<Value> {
    let mut plain = json!({ "method": spec.id });
    let mut all = vec![plain.clone()];
    // Small chunks are many moments for little work.
    if spec.options.iter().any(|option| option.id == "chunkSize") {
        plain["chunkSize"] = json!(3);
    }
    let mut largest = plain.clone();
    for option in spec.options {
        let ends = ends(option.kind);
        if let Some(last) = ends.last() {
            largest[option.id] = last.clone();
        }
        for end in ends {
            let mut request = plain.clone();
            request[option.id] = end;
            if option.id == "blurSigma" {
                request["baseline"] = json!("blur");
            }
            all.push(request);
        }
    }
    all.push(largest);
    all
}

fn finite_and_of_shape(map: &sightline::explain::Attribution, spec: &MethodSpec, model: &ModelSpec, name: &str) {
    assert_eq!(map.values.len(), map.shape.iter().product::<usize>(), "{name}");
    assert!(map.values.iter().all(|v| v.is_finite()), "{name}");
    let [channels, h, w] = model.input_size;
    match spec.space {
        Space::Input => assert!(map.shape == [channels, h, w] || map.shape == [1, h, w], "{name}: {:?}", map.shape),
        Space::Layer => assert_eq!(map.shape.len(), 2, "{name}"),
    }
}

/// One call with a wish at a breath. Whether the wish came up before the call was over.
fn end(explainer: &mut Explainer, image: &Image, spec: &MethodSpec, request: &Value, at: (usize, Wish)) -> bool {
    let name = format!("{request}, {:?} at breath {}", at.1, at.0);
    let watcher = Watcher::wishing(at.0, at.1);
    let outcome = watched(explainer, image, request.clone(), &watcher);
    let chunk = request["chunkSize"].as_u64().map_or(CHUNK, |chunk| chunk as usize);
    // A chunk forward and back, or what a method runs in one go.
    let between = (2 * chunk).max(6) as f64;
    assert!(watcher.between.get() <= between, "{name}: {} passes without a breath", watcher.between.get());
    let Some((passes, reports)) = watcher.since() else {
        match outcome {
            Ok(map) => finite_and_of_shape(&map, spec, explainer.package().model.spec(), &name),
            // An end of an option's range need not be one for this model.
            Err(Error::BadOption(_)) => {}
            Err(error) => panic!("{name}: {error}"),
        }
        return false;
    };
    match (at.1, outcome) {
        (Wish::Cancel, Err(Error::Aborted)) => {
            assert_eq!((passes, watcher.breaths.get()), (0.0, at.0), "{name}: it went on");
        }
        (Wish::Stop, Err(Error::Unsupported(message))) => {
            assert!(!spec.estimates && message.contains("cannot be stopped"), "{name}: {message}");
            assert_eq!((passes, watcher.breaths.get()), (0.0, at.0), "{name}: it went on");
        }
        (Wish::Stop, Ok(map)) => {
            finite_and_of_shape(&map, spec, explainer.package().model.spec(), &name);
            if spec.estimates {
                // A chunk, the prediction if that was not over, the scores of baselines, and why a
                // map is empty.
                let empty = map.warnings.iter().any(|w| w.code == "zero-map");
                let most = (2 * chunk + 4 + if empty { 10 } else { 0 }) as f64;
                assert!(reports <= 1 && passes <= most, "{name}: {reports} reports, {passes} passes");
                let partial = map.warnings.iter().find(|w| w.code == "partial");
                if let Some(partial) = partial {
                    assert!(partial.values["done"] <= partial.values["total"], "{name}");
                } else {
                    let last = watcher.progress.borrow().last().copied();
                    assert!(last.is_none_or(|(done, total)| done == total), "{name}: {last:?} and not said");
                }
            } else {
                // It came when the map was there.
                assert_eq!((watcher.breaths.get(), reports), (at.0, 0), "{name}");
            }
        }
        (Wish::Stop, Err(Error::BadOption(_))) => {}
        (wish, outcome) => panic!("{name}: {wish:?} came to {:?}", outcome.map(|map| map.warnings)),
    }
    true
}

/// A breath between 1 and 20, early ones more often: a breath may be a chunk of passes.
fn moment(next: &mut impl FnMut() -> u64) -> usize {
    20f64.powf((next() >> 40) as f64 / (1u64 << 24) as f64) as usize
}

fn every_method_ends_at_random_moments(package: &str) {
    let (mut explainer, image) = Golden::read(format!("packages/{package}")).open();
    let model = explainer.package().model.spec().clone();
    let mut next = lcg(17);
    let (mut calls, mut ended) = (0, 0);
    for spec in METHODS.iter().map(|m| m.spec).filter(|spec| spec.works_on(&model)) {
        for request in requests(spec) {
            for wish in [Wish::Cancel, Wish::Stop] {
                let at = match request["chunkSize"].as_u64() {
                    Some(64) => moment(&mut next).min(5),
                    _ => moment(&mut next),
                };
                calls += 1;
                ended += usize::from(end(&mut explainer, &image, spec, &request, (at, wish)));
            }
        }
        // The first breath of all, before there is anything.
        for wish in [Wish::Cancel, Wish::Stop] {
            end(&mut explainer, &image, spec, &json!({ "method": spec.id }), (1, wish));
        }
    }
    println!("{package}: {ended} of {calls} calls ended early");
    assert!(2 * ended > calls, "{ended} of {calls}");
}

#[test]
fn every_method_on_a_convolutional_net_ends_at_random_moments() {
    every_method_ends_at_random_moments("tiny-cnn");
}

#[test]
fn every_method_on_a_transformer_ends_at_random_moments() {
    every_method_ends_at_random_moments("tiny-vit");
}

/// Requests that once ran on for seconds after a stop.
fn slow() -> Vec<Value> {
    vec![
        json!({ "method": "xrai", "algorithm": "fast", "chunkSize": 1, "minPixelDiff": 1, "nSteps": 1000 }),
        json!({ "method": "xrai", "algorithm": "full", "nSteps": 1000 }),
        json!({ "method": "integrated_gradients", "chunkSize": 22, "tolerance": 1e-9 }),
        json!({ "method": "integrated_gradients", "blurSigma": 1.0, "tolerance": 5e-324 }),
        json!({ "method": "integrated_gradients", "tolerance": 1e-9, "baseline": ["mean", "black", "blur"] }),
        json!({ "method": "blur_ig", "nSteps": 1000, "chunkSize": 1 }),
        json!({ "method": "guided_ig", "nSteps": 1000, "fraction": 0.01, "maxDist": 1.0 }),
    ]
}

fn end_now(requests: &[Value]) {
    for package in ["tiny-cnn", "tiny-vit"] {
        let (mut explainer, image) = Golden::read(format!("packages/{package}")).open();
        let mut next = lcg(5);
        for request in requests {
            let spec = METHODS.iter().map(|m| m.spec).find(|spec| request["method"] == spec.id).unwrap();
            assert!(spec.estimates, "{request}");
            for wish in [Wish::Cancel, Wish::Stop, Wish::Stop] {
                let at = 2 * moment(&mut next);
                assert!(end(&mut explainer, &image, spec, request, (at, wish)), "{request} was over before {at}");
            }
        }
    }
}

#[test]
fn what_ran_on_for_seconds_stops() {
    end_now(&slow());
}

#[test]
#[ignore = "needs ../shared"]
fn the_slow_options_of_the_fault_list_stop() {
    let mut requests = Vec::new();
    for entry in std::fs::read_dir(shared("faults")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("options-slow-") {
            requests.push(read_json(Path::new(&path))["r"].clone());
        }
    }
    assert!(requests.len() >= 4);
    end_now(&requests);
}

/// A stopped map is one that a shorter call makes, where it says so.
#[test]
fn a_stopped_integral_keeps_what_is_complete() {
    let (mut explainer, image) = Golden::read("packages/tiny-cnn").open();
    let mut run = |request: Value, watcher: &Watcher| watched(&mut explainer, &image, request, watcher).unwrap();
    // Within the third doubling: the map of the second.
    let request = json!({
        "method": "integrated_gradients", "nSteps": 4, "tolerance": 5e-324, "chunkSize": 4, "maxSteps": 4000
    });
    let stopped = run(request, &Watcher::stop_after(4));
    let plain = run(json!({ "method": "integrated_gradients", "nSteps": 8, "chunkSize": 4 }), &Watcher::default());
    assert_eq!(stopped.values, plain.values);
    assert_eq!((&stopped.details, stopped.completeness), (&plain.details, plain.completeness));
    assert_eq!(stopped.warnings[0].code, "partial");
    // Within the second of three baselines: the map of the first.
    let request = |baseline: Value| {
        let mut request = json!({ "method": "integrated_gradients", "nSteps": 8, "chunkSize": 4 });
        request["baseline"] = baseline;
        request
    };
    let stopped = run(request(json!(["black", "white", "mean"])), &Watcher::stop_after(3));
    let plain = run(request(json!("black")), &Watcher::default());
    assert!(relative(&stopped.values, &plain.values) < 1e-6);
    let ([a, b], of) = ([&stopped, &plain].map(|map| map.completeness.unwrap().baseline_score), &stopped.details);
    assert!((a - b).abs() < 1e-9 && of.as_ref().unwrap()["steps"] == json!([8]), "{a} {b} {of:?}");
    // Within the first: the sum so far, and what it misses.
    let stopped = run(request(json!("black")), &Watcher::stop_after(1));
    assert_eq!(stopped.details.as_ref().unwrap()["steps"], json!([4]));
    assert!(stopped.values.iter().any(|v| *v != 0.0) && stopped.values != plain.values);
}

/// Work that is no pass breathes: what was computed in one go for up to seconds.
#[test]
fn long_work_on_the_host_breathes() {
    let least = |package: &str, request: Value, least: usize| {
        let (mut explainer, image) = Golden::read(format!("packages/{package}")).open();
        now(explainer.classify(&image, None, &Unwatched)).unwrap();
        let watcher = Watcher::default();
        watched(&mut explainer, &image, request.clone(), &watcher)
            .unwrap_or_else(|error| panic!("{}: {error}", request["method"]));
        let breaths = watcher.breaths.get();
        assert!(breaths >= least, "{}: {breaths} breaths", request["method"]);
        // And each of them is one at which the call ends.
        let spec = METHODS.iter().map(|m| m.spec).find(|spec| request["method"] == spec.id).unwrap();
        for part in [0.3, 0.6, 0.95] {
            let at = (part * breaths as f64) as usize;
            assert!(end(&mut explainer, &image, spec, &request, (at, Wish::Cancel)), "{request}");
        }
    };
    // Every row and column of three channels; the input has 64 of each.
    let blur = json!({ "method": "integrated_gradients", "nSteps": 1, "baseline": "blur", "blurSigma": 100 });
    least("tiny-cnn", blur, 3 * 128);
    // A step of the eigenvector, or a row of the matrix.
    least("tiny-vit", json!({ "method": "token_cut" }), 8);
    least("tiny-cnn", json!({ "method": "eigen_cam" }), 16);
    // Superpixels: ten rounds over their centres.
    least("tiny-cnn", json!({ "method": "lime", "nSamples": 2, "nSegments": 100 }), 10 * 80);
    // A row of the regions' disks at six scales.
    least("tiny-cnn", json!({ "method": "xrai", "nSteps": 1 }), 6 * 64);
    // A row of the factor, then a number of the inverse's diagonal, of as many segments as may be.
    let segmentation: Vec<usize> = (0..4096).map(|i| i / 8 % 300).collect();
    let segmentation = json!({ "data": segmentation, "shape": [64, 64] });
    let shap = json!({ "method": "kernel_shap", "nSamples": 620, "chunkSize": 64, "segmentation": segmentation });
    least("tiny-cnn", shap, 2 * 300);
    least("tiny-cnn", json!({ "method": "salient_relevance" }), 30);
}
