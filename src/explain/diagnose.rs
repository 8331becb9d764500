//! What makes a map meaningless, and why a map is empty.

use burn::tensor::Tensor;

use crate::ask::warning::{CANCELLED, CONSTANT_MAP, DEAD_RELU, DISCONNECTED, NON_FINITE, SATURATED, Warning, ZERO_MAP};
use crate::error::Result;
use crate::methods::context::Context;
use crate::nn::pass::Pass;

/// Makes a map presentable, never prettier: values that are not finite become 0, and what makes a
/// map meaningless is said.
pub(crate) fn examine(values: &mut [f32]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let broken = values.iter().filter(|v| !v.is_finite()).count();
    values.iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = 0.0);
    if broken > 0 {
        warnings.push(NON_FINITE.with([("count", broken as f64), ("cells", values.len() as f64)]));
    }
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    if low == 0.0 && high == 0.0 {
        warnings.push(ZERO_MAP.with([]));
    } else if low == high && values.len() > 1 {
        warnings.push(CONSTANT_MAP.with([("value", f64::from(low))]));
    }
    warnings
}

impl Context<'_> {
    /// The cause of a map of zeros, from the gradient that it was made of.
    pub(crate) async fn why_zero(&self) -> Result<Warning> {
        let (mut reached, mut active) = (false, false);
        let mut largest = 0f32;
        if self.layers.is_empty() {
            let input = self.upload(self.input());
            if let Some(gradient) = self.gradient_of(input, &mut Pass::new(), |logits| self.target.score(logits))? {
                reached = true;
                largest = self.largest(gradient).await?;
            }
            active = true;
        } else {
            let (pass, gradients) = self.backward_to_layers()?;
            for layer in &self.layers {
                let tapped = pass.tapped(&layer.id)?;
                reached |= tapped.reached(&gradients);
                active |= self.largest(layer.fold.grid(tapped.value.clone())?).await? > 0.0;
                largest = largest.max(self.largest(layer.fold.grid(tapped.gradient(&gradients)?)?).await?);
            }
        }
        let warning = match (reached, active, largest > 0.0) {
            (false, ..) => DISCONNECTED,
            (_, false, _) => DEAD_RELU,
            (_, _, false) => SATURATED,
            _ => CANCELLED,
        };
        Ok(warning.with([]))
    }

    async fn largest(&self, tensor: Tensor<4>) -> Result<f32> {
        Ok(self.read(tensor.abs().max()).await?.first().copied().unwrap_or_default())
    }
}
