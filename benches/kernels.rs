//! `cargo bench`: what takes the time, natively on the CPU. Weights are hashed or those of the
//! built-in models; with `../shared` there are DeiT-tiny and MobileNetV2 too. The browser is
//! another machine than this one: `cargo xtask bench` measures there.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that panics has failed")]

#[path = "../tests/common/mod.rs"]
mod common;
mod shared;

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use burn::tensor::{Device, Tensor, TensorData};
use common::{now, open};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use shared::{convolutions, packages, values, weights};
use sightline::Explainer;
use sightline::ask::control::Unwatched;
use sightline::explain::Image;
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::photo::Photo;
use sightline::photo::preprocess::preprocess;

fn tensor<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values(shape.iter().product(), seed), shape), &Device::flex())
}

fn layers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("convolution");
    for (name, spec, side) in convolutions() {
        let conv = spec.load(&mut weights(&spec.params(), &Device::flex())).unwrap();
        let x = tensor([1, spec.inputs, side, side], 2);
        let [h, w] = spec.output([side, side]);
        group.throughput(Throughput::Elements(spec.macs(h, w) as u64));
        group.bench_function(name, |b| b.iter(|| conv.forward(black_box(x.clone())).into_data()));
        group.bench_function(format!("{name}, input gradient"), |b| {
            b.iter(|| {
                let x = x.clone().autodiff().require_grad();
                let gradients = conv.forward(x.clone()).sum().backward();
                x.grad(&gradients).unwrap().into_data()
            })
        });
    }
    group.finish();
}

fn photo() -> Photo {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("www/samples/cat.jpg")).unwrap();
    Photo::decode(&bytes).unwrap()
}

fn resizing(criterion: &mut Criterion) {
    let photo = photo();
    for (name, folder) in packages() {
        let config = open(&folder).preprocess;
        let name = format!("resizing {}x{} for {name}", photo.width, photo.height);
        criterion.bench_function(&name, |b| b.iter(|| preprocess(black_box(&photo), &config).unwrap()));
    }
}

/// A transformer's block: attention and MLP.
fn blocks(criterion: &mut Criterion) {
    for (name, folder) in packages() {
        let model = open(&folder).model;
        let Some(block) = model.spec().stages.iter().position(|stage| stage.name.starts_with("blocks")) else {
            continue;
        };
        if model.spec().attention.is_none() {
            continue;
        }
        let size = model.spec().input_size;
        let x: Activation = tensor([1, size[0], size[1], size[2]], 3).wrap();
        let state = model.run(0..block, x, &mut Pass::new()).unwrap();
        criterion.bench_function(&format!("a block of {name}"), |b| {
            b.iter(|| {
                let y = model.run(block..block + 1, state.clone(), &mut Pass::new()).unwrap();
                Tensor::<3>::unwrap(y).unwrap().into_data()
            })
        });
    }
}

fn request(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// What a user waits for.
fn explanations(criterion: &mut Criterion) {
    for (name, folder) in packages() {
        let package = open(&folder);
        let shape = package.model.spec().input_size;
        let images =
            [4, 5].map(|seed| Image::Tensor { data: values(shape.iter().product(), seed), shape: shape.to_vec() });
        let mut explainer = Explainer::new(package, &Device::flex());
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).measurement_time(Duration::from_secs(3));
        let turn = Cell::new(0);
        // The explainer keeps the last photo: one that it does not know each time.
        let next = || {
            turn.set(1 - turn.get());
            &images[turn.get()]
        };
        group.bench_function("forward", |b| b.iter(|| now(explainer.classify(next(), None, &Unwatched)).unwrap()));
        let cam = json!({ "method": "grad_cam", "target": 1 });
        group.bench_function("forward and Grad-CAM", |b| {
            b.iter(|| now(explainer.attribute(next(), request(cam.clone()), &Unwatched)).unwrap())
        });
        let step = json!({ "target": 1 });
        now(explainer.classify(&images[0], None, &Unwatched)).unwrap();
        group.bench_function("a step of integrated gradients", |b| {
            b.iter(|| now(explainer.gradients(&images[0], request(step.clone()), &Unwatched)).unwrap())
        });
        group.finish();
    }
}

criterion_group!(benches, layers, resizing, blocks, explanations);
criterion_main!(benches);
