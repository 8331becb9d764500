//! What a pass can do: replace, and rule how gradients go back.

use burn::tensor::Tensor;
use sightline::nn::pass::{Pass, Plain, Rules, Tappable};
use sightline_kernels::Act;

use crate::common::nets::*;

#[test]
fn f1_relu_rule_changes_the_gradient_and_not_the_score() {
    /// Passes every gradient through a ReLU unchanged.
    struct Straight;
    impl Rules for Straight {
        fn act(&self, act: Act, x: Tensor<4>) -> Tensor<4> {
            let y = Plain.act(act, x.clone());
            x.clone() + (y - x).detach()
        }
    }
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let gradient = |pass: &mut Pass| {
        let x = t(&pixels, [1, 1, 4, 4]).autodiff().require_grad();
        let score = one_conv(x.clone(), pass).unwrap().narrow(1, 0, 1).sum();
        let value: f32 = score.clone().inner().into_data().try_into_vec::<f32>().unwrap()[0];
        let gradients = score.backward();
        (value, x.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap())
    };
    // conv: channel 0 is -5, 4, 31, 40; channel 1 is -30, -21, 6, 15. Alive with weights: (0, 1),
    // (1, 0), (1, 1) of channel 0 with +1 and the lower row of channel 1 with -1: what remains is
    // the upper right placement of the kernel.
    let (score, plain) = gradient(&mut Pass::new());
    assert_eq!(score, 54.0);
    assert_eq!(plain, [0., 1., 1., 1., 0., 1., 1., 1., 0., 1., 1., 1., 0., 0., 0., 0.]);
    let (score, straight) = gradient(&mut Pass::new().with_rules(&Straight));
    assert_eq!(score, 54.0);
    // Without any ReLU the gradient is the sum of the kernels' placements times the weights:
    // channel 0 everywhere +1, channel 1 +1 at the first cell and -1 at the three others.
    let mut expected = [0.0f32; 16];
    for (cell, weight) in [2.0, 0.0, 0.0, 0.0].into_iter().enumerate() {
        for k in 0..9 {
            expected[(cell / 2 + k / 3) * 4 + cell % 2 + k % 3] += weight;
        }
    }
    assert_eq!(straight, expected);
    assert_ne!(plain, straight);
}

#[test]
fn a_pass_replaces_what_it_is_told_to() {
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let mut pass = Pass::new().replace("relu", |a| {
        let a = Tensor::<4>::unwrap(a)?;
        let dead = a.clone().narrow(1, 1, 1) * 0.0;
        Ok(Tensor::cat(vec![a.narrow(1, 0, 1), dead], 1).wrap())
    });
    let y = one_conv(t(&pixels, [1, 1, 4, 4]), &mut pass).unwrap();
    // Channel 0 alone: 0 + 4 + 31 + 40.
    assert_eq!(y.into_data().try_into_vec::<f32>().unwrap(), [75.0, -75.0]);

    let mut pass = Pass::new().replace("relu", |a| Ok(Tensor::<4>::unwrap(a)?.narrow(1, 0, 1).wrap()));
    assert!(one_conv(t(&pixels, [1, 1, 4, 4]), &mut pass).is_err(), "a replacement of another shape");
}
