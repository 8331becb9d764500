//! An operation whose backward pass is not the derivative of its forward pass.

#[cfg(feature = "webgpu")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;

/// `value`, as if it were made of `source`: on the way back, the positive part of its gradient,
/// max(g, 0), goes to `source` and nothing to what `value` was made of. Both have the same shape.
pub fn positive_gradient<const D: usize>(source: Tensor<D>, value: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as GradientRule>::positive_gradient(source.into_dispatch(), value.into_dispatch()))
}

#[backend_extension(Flex, Cube: cfg(feature = "webgpu"), Autodiff)]
trait GradientRule: Backend {
    fn positive_gradient(source: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl GradientRule for Flex {
    fn positive_gradient(_: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        value
    }
}

#[cfg(feature = "webgpu")]
impl GradientRule for Cube {
    fn positive_gradient(_: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        value
    }
}

#[derive(Debug)]
struct PositiveGradient;

impl<B: Backend> Backward<B, 1> for PositiveGradient {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| B::float_clamp_min(gradient, 0.into()));
    }
}

impl<B: Backend, C: CheckpointStrategy> GradientRule for Autodiff<B, C> {
    fn positive_gradient(source: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = Backward::<B, 1>::prepare::<C>(PositiveGradient, [source.node()]).compute_bound();
        match prepared.stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((), value.into_primitive()),
            OpsKind::UnTracked(prepared) => prepared.finish(value.into_primitive()),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn the_value_stays_and_the_source_gets_the_positive_part() {
        let row = |data: [f32; 4]| Tensor::<1>::from_data(TensorData::from(data), &Device::flex());
        let x = row([1.0, -2.0, 3.0, -4.0]).autodiff().require_grad();
        let made = positive_gradient(x.clone() * 2.0, row([5.0, 6.0, 7.0, 8.0]).autodiff());
        assert_eq!(made.clone().inner().into_data().try_into_vec::<f32>().unwrap(), [5.0, 6.0, 7.0, 8.0]);
        let gradients = (made * row([0.5, -1.0, -1.0, 3.0]).autodiff()).sum().backward();
        let gradient = x.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap();
        assert_eq!(gradient, [1.0, 0.0, 0.0, 6.0]);
        let plain = positive_gradient(row([1.0; 4]), row([2.0; 4]));
        assert_eq!(plain.into_data().try_into_vec::<f32>().unwrap(), [2.0; 4]);
    }
}
