//! What makes a map meaningless, and why a map is empty.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use crate::ask::warning::{CANCELLED, CONSTANT_MAP, DEAD_RELU, DISCONNECTED, NON_FINITE, SATURATED, Warning, ZERO_MAP};
use crate::error::Result;
use crate::math::random::stream;
use crate::methods::context::Context;
use crate::nn::model::{Fold, Layer};
use crate::nn::pass::{Activation, Pass, Tappable};

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
    /// The causes of maps of zeros, one for each of the request's layers at `empty`, from the
    /// gradients that the maps were made of; of a method that reads no layer, the one of its map.
    pub(crate) async fn why_zero(&self, empty: &[usize]) -> Result<Vec<Warning>> {
        if self.layers.is_empty() {
            let input = self.upload(self.input());
            let gradient = self.gradient_of(input, &mut Pass::new(), |logits| self.target.score(logits))?;
            let largest = match &gradient {
                Some(gradient) => self.largest(gradient.clone()).await?,
                None => 0.0,
            };
            let cause = match gradient {
                None => DISCONNECTED,
                Some(_) if largest > 0.0 => CANCELLED,
                Some(_) if self.depends(None).await? => SATURATED,
                Some(_) => DISCONNECTED,
            };
            return Ok(vec![cause.with([])]);
        }
        let (pass, gradients) = self.backward_to_layers()?;
        let mut causes = Vec::with_capacity(empty.len());
        for layer in empty.iter().filter_map(|&index| self.layers.get(index)) {
            let tapped = pass.tapped(&layer.id)?;
            let active = self.largest(layer.fold.grid(tapped.value.clone())?).await? > 0.0;
            let slope = self.largest(layer.fold.grid(tapped.gradient(&gradients)?)?).await?;
            let cause = match (tapped.reached(&gradients), active) {
                (false, _) => DISCONNECTED,
                (_, false) => DEAD_RELU,
                _ if slope > 0.0 => CANCELLED,
                _ if self.depends(Some(layer)).await? => SATURATED,
                _ => DISCONNECTED,
            };
            causes.push(cause.with([]));
        }
        Ok(causes)
    }

    /// Whether the score depends on the places of a layer, or on the input, at all: a gradient of 0
    /// there says only that it does not at this image. (A class token is all that the classifier
    /// reads of the last block.) Strong noise of either sign is added to them; units that are dead
    /// or saturated wake up for one or the other.
    async fn depends(&self, layer: Option<&Layer>) -> Result<bool> {
        let stage = layer.map_or(0, |layer| layer.stage);
        let mut before = None;
        for (index, size) in [0f32, 1.0, -1.0, 1e2, -1e2, 1e4, -1e4].into_iter().enumerate() {
            let noise = |shape: &[usize], prefix: usize| {
                let mut random = stream(0, index as u64);
                let special = shape.iter().skip(2).product::<usize>() * prefix;
                (0..shape.iter().product())
                    .map(|i: usize| if i < special { 0.0 } else { size * random.random_range(0.5..1.0f32) })
                    .collect::<Vec<f32>>()
            };
            let louder = |activation: Activation| {
                let shape = activation.shape();
                let prefix = match layer.map(|layer| layer.fold) {
                    Some(Fold::Tokens { prefix, .. }) => prefix,
                    _ => 0,
                };
                let noise = TensorData::new(noise(&shape, prefix), shape);
                Ok(match activation {
                    Activation::Map(x) => (x + Tensor::from_data(noise, self.device)).wrap(),
                    Activation::Tokens(x) => (x + Tensor::from_data(noise, self.device)).wrap(),
                    Activation::Logits(x) => (x + Tensor::from_data(noise, self.device)).wrap(),
                })
            };
            let logits = match layer {
                Some(layer) => self.resume(stage, self.state(stage)?, &mut Pass::new().replace(&layer.id, louder))?,
                None => self.resume(stage, louder(self.state(stage)?)?, &mut Pass::new())?,
            };
            let score = self.read(self.target.score(logits)).await?;
            // What is not a number came from the noise, and is not equal to anything.
            if before.get_or_insert_with(|| score.clone()) != &score {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn largest(&self, tensor: Tensor<4>) -> Result<f32> {
        Ok(self.read(tensor.abs().max()).await?.first().copied().unwrap_or_default())
    }
}
