//! `cargo bench --features webgpu --bench gpu`: how much of a GPU the kernels use, natively through
//! Vulkan, where burn compiles the same WGSL as in a browser.
//!
//! WebGPU tells nobody a card's peak, so what is attainable is measured first: multiply-adds in
//! registers, and a sum of two buffers. Then per row
//! * GFLOP/s: two operations per product, as counted for one input in the layer or the model's
//!   stages; the input gradient counts as another forward pass;
//! * GB/s: what has to move at least, inputs, weights and outputs; with the gradient twice that.
//!   What a model stores between its layers is not counted.
//!
//! Passes are queued and waited for together; times are medians. Every row's values and gradients
//! are compared with the CPU's, and the bench fails where they differ.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that panics has failed")]

#[path = "../tests/common/mod.rs"]
mod common;
mod shared;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use burn::tensor::wgpu::{WgpuBackend, WgpuSetup};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::device::WgpuDeviceKind;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::{CubeDevice, cubecl};
use common::{cosine, hashed_weights, relative};
use serde_json::json;
use shared::{convolutions, packages, values, weights};
use sightline::nn::families::plan;
use sightline::nn::layers::LinearSpec;
use sightline::nn::load::Loader;
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::nn::weights::Param;
use sightline::package::Config;

/// Seconds. 16 inputs that would take longer are left out, so that an adapter in software comes to
/// an end.
const LONGEST: f64 = 1.0;
/// For the samples of a row.
const BUDGET: Duration = Duration::from_millis(400);
/// Largest difference of values from the CPU's, by their range.
const TOLERANCE: f64 = 1e-3;
/// Least cosine between the input gradients of both.
const COSINE: f64 = 0.999;

/// Linear layers of DeiT-tiny and of a ViT-B: name, tokens, inputs, outputs.
const LINEARS: [(&str, usize, usize, usize); 4] = [
    ("linear, 192 to 576, 197 tokens", 197, 192, 576),
    ("linear, 192 to 768, 197 tokens", 197, 192, 768),
    ("linear, 768 to 192, 197 tokens", 197, 768, 192),
    ("linear, 768 to 3072, 197 tokens", 197, 768, 3072),
];

type Forward = Box<dyn Fn(Activation) -> Activation>;
type Timed<'a> = &'a dyn Fn(Activation);

/// A layer or a model.
struct Work {
    name: String,
    /// Shape of one input.
    input: Vec<usize>,
    /// For one input.
    macs: f64,
    /// Numbers in all.
    weights: usize,
    /// Numbers for one input.
    outputs: usize,
    /// Puts the weights on a device.
    load: Box<dyn Fn(&Device) -> Forward>,
}

fn works() -> Vec<Work> {
    let convolutions = convolutions().map(|(name, spec, side)| {
        let [h, w] = spec.output([side, side]);
        Work {
            name: name.into(),
            input: vec![spec.inputs, side, side],
            macs: spec.macs(h, w),
            weights: numbers(&spec.params()),
            outputs: spec.outputs * h * w,
            load: Box::new(move |device| {
                let conv = spec.load(&mut weights(&spec.params(), device)).unwrap();
                Box::new(move |x| conv.forward(Tappable::unwrap(x).unwrap()).wrap())
            }),
        }
    });
    let linears = LINEARS.into_iter().map(|(name, tokens, inputs, outputs)| {
        let spec = LinearSpec { name: "l".into(), inputs, outputs, bias: true };
        Work {
            name: name.into(),
            input: vec![tokens, inputs],
            macs: spec.macs() * tokens as f64,
            weights: numbers(&spec.params()),
            outputs: tokens * outputs,
            load: Box::new(move |device| {
                let linear = spec.load(&mut weights(&spec.params(), device)).unwrap();
                Box::new(move |x| linear.forward(Tappable::unwrap(x).unwrap()).wrap())
            }),
        }
    });
    let packages = packages().map(|(name, folder)| {
        let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
        model(name, config, std::fs::read(folder.join("model.safetensors")).unwrap())
    });
    let config = json!({ "architecture": "resnet18", "num_classes": 1000 }).to_string();
    let hashed = hashed_weights(&config, 1, 1.0);
    convolutions.chain(linears).chain(packages).chain([model("resnet18, hashed weights", config, hashed)]).collect()
}

fn numbers(params: &[Param]) -> usize {
    params.iter().map(|param| param.shape.iter().product::<usize>()).sum()
}

fn model(name: &str, config: String, weights: Vec<u8>) -> Work {
    let plan = plan(&Config::parse(&config).unwrap()).unwrap();
    let spec = plan.spec();
    let [_, height, width] = spec.input_size;
    Work {
        name: format!("{name} at {height}x{width}"),
        input: spec.input_size.to_vec(),
        macs: spec.stages.iter().map(|stage| stage.macs).sum(),
        weights: numbers(&plan.params()),
        outputs: spec.num_classes,
        load: Box::new(move |device| {
            let mut loader = Loader::new(&config, None, device).unwrap();
            loader.feed(&weights).unwrap();
            let model = loader.finish().unwrap().model;
            Box::new(move |x| model.run(0..model.spec().stages.len(), x, &mut Pass::new()).unwrap())
        }),
    }
}

/// So many inputs of that shape.
fn inputs(shape: &[usize], n: usize, device: &Device) -> Activation {
    let data = TensorData::new(values(n * shape.iter().product::<usize>(), 2), [&[n], shape].concat());
    match shape.len() {
        2 => Tensor::<3>::from_data(data, device).wrap(),
        _ => Tensor::<4>::from_data(data, device).wrap(),
    }
}

/// The gradient of the sum of all outputs.
fn gradient(x: Activation, forward: &Forward) -> Activation {
    fn of<const D: usize>(x: Tensor<D>, forward: &Forward) -> Activation
    where
        Tensor<D>: Tappable,
    {
        let x = x.autodiff().require_grad();
        let sum = match forward(x.clone().wrap()) {
            Activation::Map(y) => y.sum(),
            Activation::Tokens(y) => y.sum(),
            Activation::Logits(y) => y.sum(),
        };
        x.grad(&sum.backward()).unwrap().wrap()
    }
    match x {
        Activation::Map(x) => of(x, forward),
        Activation::Tokens(x) => of(x, forward),
        Activation::Logits(x) => of(x, forward),
    }
}

fn read(activation: Activation) -> Vec<f32> {
    let data = match activation {
        Activation::Map(t) => t.into_data(),
        Activation::Tokens(t) => t.into_data(),
        Activation::Logits(t) => t.into_data(),
    };
    data.try_into_vec().unwrap()
}

/// Seconds of a pass in ascending order; a sample is of as many as take a tenth of a second.
fn time(device: &Device, pass: &dyn Fn()) -> Vec<f64> {
    let sample = |passes: usize| {
        let start = Instant::now();
        (0..passes).for_each(|_| pass());
        device.sync().unwrap();
        start.elapsed().as_secs_f64() / passes as f64
    };
    let start = Instant::now();
    let mut samples = vec![sample(1)];
    while samples.len() < 3 && start.elapsed().as_secs_f64() < 3.0 * LONGEST || start.elapsed() < BUDGET {
        // By the last sample: the first may have compiled shaders.
        let passes = (0.1 / samples[samples.len() - 1]) as usize;
        samples.push(sample(passes.clamp(1, 200)));
    }
    samples.sort_by(f64::total_cmp);
    samples
}

/// Seconds of the fastest pass, with shaders compiled and memory there.
fn least(device: &Device, pass: &dyn Fn()) -> f64 {
    (0..3).map(|_| time(device, pass)[0]).fold(f64::INFINITY, f64::min)
}

/// Four chains of multiply-adds per thread, each `steps unroll` long.
#[cube(launch)]
fn chains_kernel<N: Size>(
    out: &mut [Vector<f32, N>],
    steps: u32,
    factor: f32,
    term: f32,
    #[comptime] unroll: usize,
    #[comptime] fused: bool,
) {
    let factor = Vector::new(factor);
    let term = Vector::new(term);
    let mut a = Vector::new(ABSOLUTE_POS as f32);
    let mut b = a + term;
    let mut c = b + term;
    let mut d = c + term;
    for _ in 0..steps {
        #[unroll]
        for _ in 0..unroll {
            a = multiply_add::<N>(a, factor, term, fused);
            b = multiply_add::<N>(b, factor, term, fused);
            c = multiply_add::<N>(c, factor, term, fused);
            d = multiply_add::<N>(d, factor, term, fused);
        }
    }
    out[ABSOLUTE_POS] = a + b + c + d;
}

#[cube]
fn multiply_add<N: Size>(
    x: Vector<f32, N>,
    factor: Vector<f32, N>,
    term: Vector<f32, N>,
    #[comptime] fused: bool,
) -> Vector<f32, N> {
    if comptime![fused] { fma(x, factor, term) } else { x * factor + term }
}

/// Operations per second of the best of numbers or vectors, fused or not.
fn peak(device: &Device, cube: &CubeDevice) -> f64 {
    const THREADS: usize = 1 << 18;
    const UNROLL: usize = 16;
    let variants = [(1, false), (1, true), (4, false), (4, true)];
    let measure = |(width, fused): (usize, bool)| {
        let client = cube.client();
        let out =
            empty_device_contiguous_dtype(client.clone(), cube.clone(), Shape::new([THREADS * width]), DType::F32);
        let dim = CubeDim::new(&client, THREADS);
        let count = calculate_cube_count_elemwise(&client, THREADS, dim);
        let mut steps = 16;
        loop {
            let seconds = least(device, &|| {
                let (count, out) = (count.clone(), out.clone().into_buffer_arg());
                chains_kernel::launch(&client, count, dim, width, out, steps, 0.5, 0.5, UNROLL, fused);
            });
            if seconds > 0.01 {
                return 2.0 * (THREADS * width * 4 * UNROLL) as f64 * f64::from(steps) / seconds;
            }
            steps *= 4;
        }
    };
    variants.map(measure).into_iter().fold(0.0, f64::max)
}

/// Bytes per second of a sum of two buffers of 128 MiB, more than caches hold.
fn bandwidth(device: &Device) -> f64 {
    const NUMBERS: usize = 1 << 25;
    let [a, b] = [1.0, 2.0].map(|value| Tensor::<1>::full([NUMBERS], value, device));
    let seconds = least(device, &|| drop(a.clone() + b.clone()));
    (3 * 4 * NUMBERS) as f64 / seconds
}

fn open() -> Result<(Device, WgpuSetup, CubeDevice), String> {
    let options = Device::wgpu_options().graphics_api(WgpuBackend::Vulkan).tasks_max(32);
    let (device, setup) = options.init_with_setup().map_err(|error| error.to_string())?;
    let cube = CubeDevice::vulkan(WgpuDeviceKind::DefaultDevice).map_err(|error| error.to_string())?;
    Ok((device, setup, cube))
}

fn main() -> ExitCode {
    let (device, setup, cube) = match open() {
        Ok(opened) => opened,
        Err(error) => {
            println!("skipped: no Vulkan adapter ({error})");
            return ExitCode::SUCCESS;
        }
    };
    let adapter = setup.adapter.get_info();
    println!("{} ({:?}, {:?}, {})", adapter.name, adapter.backend, adapter.device_type, adapter.driver_info);
    let (peak, bandwidth) = (peak(&device, &cube), bandwidth(&device));
    println!("attainable: {:.1} GFLOP/s in f32, {:.1} GB/s\n", peak / 1e9, bandwidth / 1e9);
    println!(
        "{:<38}{:>6}  {:<17}{:>10}{:>10}{:>10}{:>9}{:>14}",
        "", "inputs", "pass", "ms", "GFLOP/s", "of peak", "GB/s", "of bandwidth"
    );

    let (mut off, mut alike) = (0f64, 1f64);
    for work in works() {
        let forward = (work.load)(&device);
        // Two unlike inputs, so that the second's place in a batch counts.
        let [on_gpu, on_cpu] =
            [(&device, &forward), (&Device::flex(), &(work.load)(&Device::flex()))].map(|(device, forward)| {
                let x = inputs(&work.input, 2, device);
                (read(forward(x.clone())), read(gradient(x, forward)))
            });
        let (difference, cosine) = (relative(&on_gpu.0, &on_cpu.0), cosine(&on_gpu.1, &on_cpu.1));
        // Not a number is no agreement.
        if !(difference <= TOLERANCE && cosine >= COSINE) {
            println!("{}: values off by {difference:.1e} of their range, gradients' cosine {cosine}", work.name);
            return ExitCode::FAILURE;
        }
        (off, alike) = (off.max(difference), alike.min(cosine));

        let passes: [(&str, f64, Timed); 2] =
            [("forward", 1.0, &|x| drop(forward(x))), ("forward, gradient", 2.0, &|x| drop(gradient(x, &forward)))];
        let mut expected = [0f64; 2];
        for n in [1, 16] {
            let x = inputs(&work.input, n, &device);
            for ((name, times, pass), expected) in passes.iter().zip(&mut expected) {
                print!("{:<38}{n:>6}  {name:<17}", work.name);
                if *expected > LONGEST {
                    println!("    left out: about {expected:.1} s");
                    continue;
                }
                let samples = time(&device, &|| pass(x.clone()));
                let seconds = samples[samples.len() / 2];
                *expected = 16.0 * seconds;
                let n = n as f64;
                let operations = times * 2.0 * n * work.macs / seconds;
                let read_and_written =
                    n * (work.input.iter().product::<usize>() + work.outputs) as f64 + work.weights as f64;
                let bytes = times * 4.0 * read_and_written / seconds;
                println!(
                    "{:>10.3}{:>10.2}{:>8.1} %{:>9.2}{:>12.1} %",
                    seconds * 1e3,
                    operations / 1e9,
                    operations / peak * 1e2,
                    bytes / 1e9,
                    bytes / bandwidth * 1e2
                );
            }
        }
    }
    println!(
        "\nagrees with the CPU: values within {off:.0e} of their range, \
         input gradients with a cosine of at least {alike:.8}"
    );
    ExitCode::SUCCESS
}
