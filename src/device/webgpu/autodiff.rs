//! How burn reaches the kernels and differentiates them. Its extension point
//! ([`backend_extension`]) takes a trait that two backends implement: the GPU's launches the
//! kernels, and the one that wraps it keeps what a gradient needs. Weights and biases receive no
//! gradient.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, backend_extension};
use burn::tensor::ops::ConvOptions;
use burn_cubecl::tensor::CubeTensor;
use sightline_kernels::Act;

use super::{conv, elementwise, matmul, norm};
use crate::device::ConvShape;

/// The operations that have kernels here. The prefix keeps their names apart from burn's own.
#[backend_extension(Cube, Autodiff)]
pub(super) trait Operations: Backend {
    fn gpu_act(x: FloatTensor<Self>, act: Act) -> FloatTensor<Self>;
    fn gpu_softmax(x: FloatTensor<Self>) -> FloatTensor<Self>;
    fn gpu_layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
    fn gpu_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        act: Option<Act>,
    ) -> FloatTensor<Self>;
    fn gpu_scores(q: FloatTensor<Self>, k: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;
    fn gpu_mix(attention: FloatTensor<Self>, v: FloatTensor<Self>) -> FloatTensor<Self>;
    fn gpu_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: ConvShape,
        act: Option<Act>,
    ) -> FloatTensor<Self>;
}

/// What their gradients consist of.
trait Derivatives: Operations {
    /// `gradient` times the derivative at `x`.
    fn gpu_act_backward(x: FloatTensor<Self>, gradient: FloatTensor<Self>, act: Act) -> FloatTensor<Self>;
    /// From softmax' value.
    fn gpu_softmax_backward(y: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
    fn gpu_layer_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
    /// `gradient` times the weights.
    fn gpu_linear_backward(weight: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
    /// `[.., I, K]` or, `transposed`, `[.., K, I]` times `[.., K, J]`, times `scale`.
    fn gpu_weighed_sum(a: FloatTensor<Self>, b: FloatTensor<Self>, transposed: bool, scale: f32) -> FloatTensor<Self>;
    /// What the input receives of `gradient`; strides only of depthwise convolutions.
    fn gpu_conv2d_backward(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        shape: ConvShape,
    ) -> FloatTensor<Self>;
}

impl Operations for Cube {
    fn gpu_act(x: CubeTensor, act: Act) -> CubeTensor {
        elementwise::launch_act(x, act)
    }

    fn gpu_softmax(x: CubeTensor) -> CubeTensor {
        norm::launch_softmax(x)
    }

    fn gpu_layer_norm(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, epsilon: f32) -> CubeTensor {
        norm::launch_layer_norm(x, weight, bias, epsilon)
    }

    fn gpu_linear(x: CubeTensor, weight: CubeTensor, bias: CubeTensor, act: Option<Act>) -> CubeTensor {
        matmul::launch_linear(x, weight, bias, act)
    }

    fn gpu_scores(q: CubeTensor, k: CubeTensor, scale: f32) -> CubeTensor {
        matmul::launch_scores(q, k, scale)
    }

    fn gpu_mix(attention: CubeTensor, v: CubeTensor) -> CubeTensor {
        matmul::launch_weighed_sum(attention, v, false, 1.0)
    }

    fn gpu_conv2d(
        x: CubeTensor,
        weight: CubeTensor,
        bias: CubeTensor,
        shape: ConvShape,
        act: Option<Act>,
    ) -> CubeTensor {
        conv::launch_conv2d(x, weight, bias, &shape, act)
    }
}

impl Derivatives for Cube {
    fn gpu_act_backward(x: CubeTensor, gradient: CubeTensor, act: Act) -> CubeTensor {
        elementwise::launch_act_backward(x, gradient, act)
    }

    fn gpu_softmax_backward(y: CubeTensor, gradient: CubeTensor) -> CubeTensor {
        norm::launch_softmax_backward(y, gradient)
    }

    fn gpu_layer_norm_backward(x: CubeTensor, weight: CubeTensor, gradient: CubeTensor, epsilon: f32) -> CubeTensor {
        norm::launch_layer_norm_backward(x, weight, gradient, epsilon)
    }

    fn gpu_linear_backward(weight: CubeTensor, gradient: CubeTensor) -> CubeTensor {
        matmul::launch_linear_backward(weight, gradient)
    }

    fn gpu_weighed_sum(a: CubeTensor, b: CubeTensor, transposed: bool, scale: f32) -> CubeTensor {
        matmul::launch_weighed_sum(a, b, transposed, scale)
    }

    fn gpu_conv2d_backward(weight: CubeTensor, gradient: CubeTensor, shape: ConvShape) -> CubeTensor {
        conv::launch_conv2d_backward(weight, gradient, &shape)
    }
}

impl<B: Derivatives, C: CheckpointStrategy> Operations for Autodiff<B, C> {
    fn gpu_act(x: FloatTensor<Self>, act: Act) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ActBackward;
        impl<B: Derivatives> Backward<B, 1> for ActBackward {
            type State = (FloatTensor<B>, Act);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (x, act) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::gpu_act_backward(x, gradient, act));
            }
        }
        match Backward::<B, 1>::prepare::<C>(ActBackward, [x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let x = x.into_primitive();
                prepared.finish((x.clone(), act), B::gpu_act(x, act))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::gpu_act(x.into_primitive(), act)),
        }
    }

    fn gpu_softmax(x: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct SoftmaxBackward;
        impl<B: Derivatives> Backward<B, 1> for SoftmaxBackward {
            type State = FloatTensor<B>;
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                    B::gpu_softmax_backward(ops.state, gradient)
                });
            }
        }
        match Backward::<B, 1>::prepare::<C>(SoftmaxBackward, [x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let y = B::gpu_softmax(x.into_primitive());
                prepared.finish(y.clone(), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::gpu_softmax(x.into_primitive())),
        }
    }

    fn gpu_layer_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LayerNormBackward;
        impl<B: Derivatives> Backward<B, 1> for LayerNormBackward {
            type State = (FloatTensor<B>, FloatTensor<B>, f32);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (x, weight, epsilon) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                    B::gpu_layer_norm_backward(x, weight, gradient, epsilon)
                });
            }
        }
        let prepared = Backward::<B, 1>::prepare::<C>(LayerNormBackward, [x.node()]).compute_bound().stateful();
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let y = B::gpu_layer_norm(x.clone(), weight.clone(), bias, epsilon);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, epsilon), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn gpu_linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        act: Option<Act>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LinearBackward;
        impl<B: Derivatives> Backward<B, 1> for LinearBackward {
            type State = (FloatTensor<B>, Option<(FloatTensor<B>, Act)>);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (weight, value) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                    B::gpu_linear_backward(weight, before::<B>(value, gradient))
                });
            }
        }
        let prepared = Backward::<B, 1>::prepare::<C>(LinearBackward, [x.node()]).compute_bound().stateful();
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let y = B::gpu_linear(x, weight.clone(), bias, act);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((weight, act.map(|act| (y.clone(), act))), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn gpu_scores(q: FloatTensor<Self>, k: FloatTensor<Self>, scale: f32) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ScoresBackward;
        impl<B: Derivatives> Backward<B, 2> for ScoresBackward {
            type State = (FloatTensor<B>, FloatTensor<B>, f32);
            fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (q, k, scale) = ops.state;
                binary::<B, _, _>(
                    ops.parents,
                    ops.node,
                    gradients,
                    |gradient| B::gpu_weighed_sum(gradient, k, false, scale),
                    |gradient| B::gpu_weighed_sum(gradient, q, true, scale),
                );
            }
        }
        let prepared = Backward::<B, 2>::prepare::<C>(ScoresBackward, [q.node(), k.node()]).compute_bound().stateful();
        let (q, k) = (q.into_primitive(), k.into_primitive());
        let y = B::gpu_scores(q.clone(), k.clone(), scale);
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((q, k, scale), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn gpu_mix(attention: FloatTensor<Self>, v: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct MixBackward;
        impl<B: Derivatives> Backward<B, 2> for MixBackward {
            type State = (FloatTensor<B>, FloatTensor<B>);
            fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (attention, v) = ops.state;
                binary::<B, _, _>(
                    ops.parents,
                    ops.node,
                    gradients,
                    |gradient| B::gpu_scores(gradient, v, 1.0),
                    |gradient| B::gpu_weighed_sum(attention, gradient, true, 1.0),
                );
            }
        }
        let prepared =
            Backward::<B, 2>::prepare::<C>(MixBackward, [attention.node(), v.node()]).compute_bound().stateful();
        let (attention, v) = (attention.into_primitive(), v.into_primitive());
        let y = B::gpu_mix(attention.clone(), v.clone());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish((attention, v), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn gpu_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: ConvShape,
        act: Option<Act>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ConvBackward;
        impl<B: Derivatives> Backward<B, 1> for ConvBackward {
            /// The input, where burn needs its sizes; the weights; the shape; the value, where it
            /// is an activation function's.
            type State = (Option<FloatTensor<B>>, FloatTensor<B>, ConvShape, Option<(FloatTensor<B>, Act)>);
            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let (x, weight, shape, value) = ops.state;
                unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
                    let gradient = before::<B>(value, gradient);
                    let Some(x) = x else { return B::gpu_conv2d_backward(weight, gradient, shape) };
                    let ConvShape { stride, dilation, padding, .. } = shape;
                    let options = ConvOptions { stride: [stride; 2], padding, dilation: [dilation; 2], groups: 1 };
                    B::conv2d_x_backward(x, weight, gradient, options)
                });
            }
        }
        let prepared = Backward::<B, 1>::prepare::<C>(ConvBackward, [x.node()]).compute_bound().stateful();
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => {
                let kept = (shape.stride > 1 && !shape.depthwise()).then(|| x.clone());
                let y = B::gpu_conv2d(x, weight.clone(), bias, shape, act);
                prepared.finish((kept, weight, shape, act.map(|act| (y.clone(), act))), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::gpu_conv2d(x, weight, bias, shape, act)),
        }
    }
}

/// The gradient before an activation function whose value determines its slope.
fn before<B: Derivatives>(value: Option<(FloatTensor<B>, Act)>, gradient: FloatTensor<B>) -> FloatTensor<B> {
    match value {
        Some((value, act)) => B::gpu_act_backward(value, gradient, act),
        None => gradient,
    }
}
