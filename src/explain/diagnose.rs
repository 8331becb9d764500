//! What makes a map meaningless, and why a map is empty.

use burn::tensor::Tensor;

use crate::ask::control::Warning;
use crate::error::Result;
use crate::methods::context::Context;
use crate::nn::pass::Pass;

/// Makes a map presentable, never prettier: values that are not finite become 0, and what makes a
/// map meaningless is said.
pub(crate) fn examine(values: &mut [f32]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code, message: String| warnings.push(Warning { code, cause: None, message });
    let broken = values.iter().filter(|v| !v.is_finite()).count();
    values.iter_mut().filter(|v| !v.is_finite()).for_each(|v| *v = 0.0);
    if broken > 0 {
        warn(
            "non-finite",
            format!(
                "{broken} of {} values are not finite and are shown as 0: numbers overflowed during the computation",
                values.len()
            ),
        );
    }
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    if low == 0.0 && high == 0.0 {
        warn("zero-map", "every value is 0: the score does not change with what this method looks at".into());
    } else if low == high && values.len() > 1 {
        warn("constant-map", format!("every value is {low}: the map singles out no place"));
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
        let (cause, message) = match (reached, active, largest > 0.0) {
            (false, ..) => ("disconnected", "every value is 0: the score does not depend on what this method looks at"),
            (_, false, _) => {
                ("dead-relu", "every value is 0: no unit of this layer is active for this image (dead ReLUs)")
            }
            (_, _, false) => (
                "saturated",
                "every value is 0: the gradient vanishes on its way back from the score (saturated units or dead \
                 ReLUs)",
            ),
            _ => (
                "cancelled",
                "every value is 0 although activations and gradients are not: they cancel out under this method's rule",
            ),
        };
        Ok(Warning { code: "zero-map", cause: Some(cause), message: message.into() })
    }

    async fn largest(&self, tensor: Tensor<4>) -> Result<f32> {
        Ok(self.read(tensor.abs().max()).await?.first().copied().unwrap_or_default())
    }
}
