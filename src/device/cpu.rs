//! What the CPU computes with kernels of its own (`kernels/`) instead of burn-flex's: burn's
//! extension point, and the operations that go through it.
//!
//! Why: in the browser burn-flex's matrix product runs at half of what 128-bit SIMD without fused
//! multiply-add allows (its tiles of 12 x 4 need more registers than there are), its convolutions
//! lay their input out anew and write windows of it, and its exponential and error functions
//! compute one value at a time. `docs/speed.md` has the figures. WebGPU has kernels of its own in
//! `webgpu/`; the facade in `mod.rs` chooses. What has none here (softmax by itself, attention
//! whose matrix is asked for) is burn's.
//!
//! An operation ([`Kernel`]) has one input and constants, which are not differentiated.

use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData};
use sightline_kernels::Act;
use sightline_kernels::gemm::{Bias, Factor, Product, Strided, add_sparse, pack_b};
use sightline_kernels::geometry::Geometry;
use sightline_kernels::{attention, conv, norm, pool};

/// What an operation's derivative is computed from, apart from constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Its input.
    Input,
    /// Its output.
    Output,
}

/// An operation on the CPU.
pub trait Kernel: Debug + Send + Sync {
    /// The output's shape for an input's.
    fn output(&self, input: &[usize]) -> Vec<usize>;
    /// What [`Kernel::backward`] gets.
    fn keeps(&self) -> Keep;
    /// Writes the output to `y`, which is 0.
    fn forward(&self, shape: &[usize], x: &[f32], y: &mut [f32]);
    /// Writes to `dx`, which is 0, the derivative by the input, of `shape`, of the output's product
    /// with `gradient`.
    fn backward(&self, shape: &[usize], kept: &[f32], gradient: &[f32], dx: &mut [f32]);
}

/// The output of `kernel` for `x`, which is on the CPU.
pub fn run<const D: usize, const E: usize>(kernel: impl Kernel + 'static, x: Tensor<D>) -> Tensor<E> {
    Tensor::from_dispatch(<Dispatch as Extension>::run(x.into_dispatch(), Arc::new(kernel)))
}

#[backend_extension(Flex, Autodiff)]
trait Extension: Backend {
    fn run(x: FloatTensor<Self>, kernel: Arc<dyn Kernel>) -> FloatTensor<Self>;
    fn run_backward(
        gradient: FloatTensor<Self>,
        kept: FloatTensor<Self>,
        shape: Vec<usize>,
        kernel: Arc<dyn Kernel>,
    ) -> FloatTensor<Self>;
}

type FlexTensor = FloatTensor<Flex>;

/// A tensor's values; it has to be contiguous.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().unwrap_or_default()
}

/// The values of a tensor on the CPU, row-major and shared with it.
#[derive(Debug, Clone)]
pub struct Constant(FlexTensor);

impl Constant {
    /// `None` on another device, or if the tensor may be differentiated.
    pub fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        let tensor = tensor.clone().try_into_primitive::<Flex>().ok()?;
        Some(Self(tensor.to_contiguous()))
    }

    /// The values.
    pub fn values(&self) -> &[f32] {
        values(&self.0)
    }
}

impl Extension for Flex {
    fn run(x: FlexTensor, kernel: Arc<dyn Kernel>) -> FlexTensor {
        let shape = x.shape().to_vec();
        let x = x.to_contiguous();
        let output = kernel.output(&shape);
        let mut y = vec![0.0; output.iter().product()];
        kernel.forward(&shape, values(&x), &mut y);
        FlexTensor::from_data(TensorData::new(y, output))
    }

    fn run_backward(gradient: FlexTensor, kept: FlexTensor, shape: Vec<usize>, kernel: Arc<dyn Kernel>) -> FlexTensor {
        let (gradient, kept) = (gradient.to_contiguous(), kept.to_contiguous());
        let mut dx = vec![0.0; shape.iter().product()];
        kernel.backward(&shape, values(&kept), values(&gradient), &mut dx);
        FlexTensor::from_data(TensorData::new(dx, shape))
    }
}

#[derive(Debug)]
struct KernelBackward;

#[derive(Debug, Clone)]
struct State<T> {
    kept: Option<T>,
    shape: Vec<usize>,
    kernel: Arc<dyn Kernel>,
}

impl<B: Backend + Extension> Backward<B, 1> for KernelBackward {
    type State = State<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let State { kept, shape, kernel } = ops.state;
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            let kept = kept.unwrap_or_else(|| gradient.clone());
            B::run_backward(gradient, kept, shape, kernel)
        });
    }
}

impl<B: Backend + Extension, C: CheckpointStrategy> Extension for Autodiff<B, C> {
    fn run(x: FloatTensor<Self>, kernel: Arc<dyn Kernel>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let shape = x.shape().to_vec();
        match Backward::<B, 1>::prepare::<C>(KernelBackward, [node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let input = (kernel.keeps() == Keep::Input).then(|| x.clone());
                let y = B::run(x, kernel.clone());
                let kept = input.or_else(|| (kernel.keeps() == Keep::Output).then(|| y.clone()));
                prepared.finish(State { kept, shape, kernel }, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::run(x, kernel)),
        }
    }

    fn run_backward(
        gradient: FloatTensor<Self>,
        kept: FloatTensor<Self>,
        shape: Vec<usize>,
        kernel: Arc<dyn Kernel>,
    ) -> FloatTensor<Self> {
        // A derivative has none of its own here.
        FloatTensor::<Self>::new(B::run_backward(gradient.into_primitive(), kept.into_primitive(), shape, kernel))
    }
}

/// An activation function.
impl Kernel for Act {
    fn output(&self, input: &[usize]) -> Vec<usize> {
        input.to_vec()
    }
    fn keeps(&self) -> Keep {
        if self.slope_from_value() { Keep::Output } else { Keep::Input }
    }
    fn forward(&self, _: &[usize], x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(x);
        self.apply(y);
    }
    fn backward(&self, _: &[usize], kept: &[f32], gradient: &[f32], dx: &mut [f32]) {
        dx.copy_from_slice(gradient);
        self.apply_slope(kept, dx);
    }
}

/// A gradient behind an activation function, brought before it.
fn before_act<'a>(act: Option<Act>, kept: &[f32], gradient: &'a [f32], buffer: &'a mut Vec<f32>) -> &'a [f32] {
    let Some(act) = act else { return gradient };
    buffer.extend_from_slice(gradient);
    act.apply_slope(kept, buffer);
    buffer
}

/// A convolution, its bias and an activation function.
#[derive(Debug, Clone)]
pub struct Convolution {
    pub geometry: Geometry,
    /// `[O, I / groups, kh, kw]`
    pub weights: Constant,
    /// Kept for these weights; `None` for weights that are used once.
    pub prepared: Option<Arc<conv::Prepared>>,
    /// `[O]`
    pub bias: Option<Constant>,
    /// The activation function that follows.
    pub act: Option<Act>,
}

impl Convolution {
    fn weights(&self) -> conv::Weights<'_> {
        conv::Weights { plain: self.weights.values(), prepared: self.prepared.as_deref() }
    }
}

impl Kernel for Convolution {
    fn output(&self, input: &[usize]) -> Vec<usize> {
        let Geometry { outputs, output: [h, w], .. } = self.geometry;
        vec![input.first().copied().unwrap_or_default(), outputs, h, w]
    }

    fn keeps(&self) -> Keep {
        if self.act.is_some() { Keep::Output } else { Keep::Nothing }
    }

    fn forward(&self, _: &[usize], x: &[f32], y: &mut [f32]) {
        let bias = self.bias.as_ref().map(Constant::values);
        conv::forward(&self.geometry, x, self.weights(), bias, self.act, y);
    }

    fn backward(&self, _: &[usize], kept: &[f32], gradient: &[f32], dx: &mut [f32]) {
        let mut buffer = Vec::new();
        let gradient = before_act(self.act, kept, gradient, &mut buffer);
        conv::backward(&self.geometry, gradient, self.weights(), dx);
    }
}

/// Rows of a gradient that are not 0, for which packing weights would take longer than using them:
/// those of a classifier, of class tokens.
const FEW: usize = 16;

/// A linear layer on the last axis, and an activation function.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Output width.
    pub outputs: usize,
    /// `[out, in]`
    pub weights: Constant,
    /// Those of [`pack_dense`].
    pub packed: Option<Arc<[f32]>>,
    /// `[out]`
    pub bias: Option<Constant>,
    /// The activation function that follows.
    pub act: Option<Act>,
}

/// Linear weights `[out, in]`, packed for [`Dense`].
pub fn pack_dense(weights: &[f32], outputs: usize) -> Vec<f32> {
    let inputs = weights.len() / outputs;
    pack_b(&Strided { data: weights, line: inputs, step: 1 }, outputs, inputs)
}

impl Kernel for Dense {
    fn output(&self, input: &[usize]) -> Vec<usize> {
        let mut shape = input.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.outputs;
        }
        shape
    }

    fn keeps(&self) -> Keep {
        if self.act.is_some() { Keep::Output } else { Keep::Nothing }
    }

    fn forward(&self, shape: &[usize], x: &[f32], y: &mut [f32]) {
        let inputs = shape.last().copied().unwrap_or_default();
        let columns = Strided { data: self.weights.values(), line: inputs, step: 1 };
        let product = Product {
            rows: shape.iter().rev().skip(1).product(),
            columns: self.outputs,
            steps: inputs,
            a: Factor::From(&Strided { data: x, line: inputs, step: 1 }),
            b: self.packed.as_deref().map_or(Factor::From(&columns), Factor::Packed),
            bias: self.bias.as_ref().map_or(Bias::None, |bias| Bias::Column(bias.values())),
            act: self.act,
        };
        product.run(y, self.outputs);
    }

    fn backward(&self, shape: &[usize], kept: &[f32], gradient: &[f32], dx: &mut [f32]) {
        let inputs = shape.last().copied().unwrap_or_default();
        let mut buffer = Vec::new();
        let gradient = before_act(self.act, kept, gradient, &mut buffer);
        // Behind a class token's last attention all rows but its own are 0.
        let some = |row: &&[f32]| row.iter().any(|value| *value != 0.0);
        if gradient.chunks_exact(self.outputs).filter(some).count() <= FEW {
            return add_sparse(gradient, self.weights.values(), inputs, dx);
        }
        let product = Product {
            rows: shape.iter().rev().skip(1).product(),
            columns: inputs,
            steps: self.outputs,
            a: Factor::From(&Strided { data: gradient, line: self.outputs, step: 1 }),
            b: Factor::From(&Strided { data: self.weights.values(), line: 1, step: inputs }),
            bias: Bias::None,
            act: None,
        };
        product.run(dx, inputs);
    }
}

/// Layer norm over the last axis.
#[derive(Debug, Clone)]
pub struct Norm {
    /// `[D]`
    pub weight: Constant,
    /// `[D]`
    pub bias: Constant,
    /// Epsilon under the root.
    pub epsilon: f32,
}

impl Kernel for Norm {
    fn output(&self, input: &[usize]) -> Vec<usize> {
        input.to_vec()
    }
    fn keeps(&self) -> Keep {
        Keep::Input
    }
    fn forward(&self, _: &[usize], x: &[f32], y: &mut [f32]) {
        norm::forward(x, self.weight.values(), self.bias.values(), self.epsilon, y);
    }
    fn backward(&self, _: &[usize], kept: &[f32], gradient: &[f32], dx: &mut [f32]) {
        norm::backward(kept, self.weight.values(), self.epsilon, gradient, dx);
    }
}

/// Softmax attention, `[N, T, 3 D]` (queries, keys, values) to `[N, T, D]`.
#[derive(Debug, Clone)]
pub struct Attention {
    pub heads: usize,
}

impl Attention {
    fn shape(&self, input: &[usize]) -> attention::Shape {
        let [tokens, width] = [1, 2].map(|axis| input.get(axis).copied().unwrap_or_default());
        attention::Shape { tokens, width: width / 3, heads: self.heads }
    }
}

impl Kernel for Attention {
    fn output(&self, input: &[usize]) -> Vec<usize> {
        let attention::Shape { tokens, width, .. } = self.shape(input);
        vec![input.first().copied().unwrap_or_default(), tokens, width]
    }
    fn keeps(&self) -> Keep {
        Keep::Input
    }
    fn forward(&self, shape: &[usize], x: &[f32], y: &mut [f32]) {
        self.shape(shape).forward(x, y);
    }
    fn backward(&self, shape: &[usize], kept: &[f32], gradient: &[f32], dx: &mut [f32]) {
        self.shape(shape).backward(kept, gradient, dx);
    }
}

/// Maxima in windows of each channel; `inputs` of the geometry count.
#[derive(Debug, Clone)]
pub struct MaxPool(pub Geometry);

impl Kernel for MaxPool {
    fn output(&self, input: &[usize]) -> Vec<usize> {
        let [h, w] = self.0.output;
        vec![input.first().copied().unwrap_or_default(), self.0.inputs, h, w]
    }
    fn keeps(&self) -> Keep {
        Keep::Input
    }
    fn forward(&self, _: &[usize], x: &[f32], y: &mut [f32]) {
        pool::max(&self.0, x, y);
    }
    fn backward(&self, _: &[usize], kept: &[f32], gradient: &[f32], dx: &mut [f32]) {
        pool::max_backward(&self.0, kept, gradient, dx);
    }
}
