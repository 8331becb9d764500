//! What both benches measure: on the CPU (kernels.rs) and on a GPU (gpu.rs).

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sightline::nn::layers::{Conv2dSpec, Padding};
use sightline::nn::weights::Param;
use sightline::nn::weights::Weights;

/// Values in [-1, 1) without a pattern.
pub fn values(n: usize, seed: u64) -> Vec<f32> {
    let mix = |i: u64| (i ^ seed).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (0..n as u64).map(|i| mix(mix(i)) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// A layer's tensors.
pub fn weights(params: &[Param], device: &Device) -> Weights {
    let mut weights = Weights::default();
    for param in params {
        weights.insert(&param.name, &param.shape, values(param.shape.iter().product(), 1), device);
    }
    weights
}

/// Convolutions of the nets that are compared with others: name, geometry, side of the input.
pub fn convolutions() -> impl Iterator<Item = (&'static str, Conv2dSpec, usize)> {
    [
        ("7x7 stride 2, 3 to 64 at 224", 3, 64, 7, 2, 1, 224),
        ("3x3, 64 to 64 at 56", 64, 64, 3, 1, 1, 56),
        ("3x3, 512 to 512 at 7", 512, 512, 3, 1, 1, 7),
        ("1x1, 24 to 144 at 56", 24, 144, 1, 1, 1, 56),
        ("depthwise 3x3, 144 at 56", 144, 144, 3, 1, 144, 56),
        ("depthwise 3x3 stride 2, 144 at 56", 144, 144, 3, 2, 144, 56),
    ]
    .into_iter()
    .map(|(name, inputs, outputs, kernel, stride, groups, side)| {
        let spec = Conv2dSpec::new("c", inputs, outputs, kernel).stride(stride).groups(groups);
        (name, spec.padding(Some(Padding::Same)).bias(true), side)
    })
}

/// The packages that there are.
pub fn packages() -> impl Iterator<Item = (&'static str, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built_in = ["sightline-cnn", "sightline-vit"].map(|name| (name, root.join("www/models").join(name)));
    let shared = [("mobilenetv2", "mobilenetv2_100_same"), ("deit-tiny", "deit_tiny_patch16_224")];
    let shared = shared.map(|(name, folder)| (name, root.join("../shared/models").join(folder)));
    built_in.into_iter().chain(shared).filter(|(_, folder)| folder.exists())
}
