//! CAMs whose weights are made of scores, one for each channel: Score-CAM and Ablation-CAM.

use burn::tensor::Tensor;

use crate::error::Result;
use crate::methods::Context;
use crate::methods::{Kind, OptionSpec, Output};
use crate::nn::model::Layer;

/// How many channels get a score of their own.
pub const MAX_CHANNELS: OptionSpec = OptionSpec {
    id: "maxChannels",
    kind: Kind::Integer { default: Some(0), min: 0, max: 65_536 },
    unit: Some("channels"),
    help: "number of channels to weight, those with the largest variance; 0 for all",
};

/// A layer's activations, read back from the device.
pub struct ChannelMaps {
    values: Vec<f32>,
    /// Rows and columns.
    pub grid: [usize; 2],
}

impl ChannelMaps {
    fn places(&self) -> usize {
        self.grid.iter().product::<usize>().max(1)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len() / self.places()
    }

    /// Channel `k`, row-major; empty if there is no such channel.
    pub fn channel(&self, k: usize) -> &[f32] {
        self.values.chunks_exact(self.places()).nth(k).unwrap_or_default()
    }

    /// The `limit` channels of the largest variance over the places, largest first, ties by index.
    fn by_variance(&self, limit: usize) -> Vec<usize> {
        let n = self.places() as f64;
        let variance = |channel: &[f32]| {
            let mean = channel.iter().copied().map(f64::from).sum::<f64>() / n;
            channel.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n
        };
        let mut order: Vec<(usize, f64)> = self.values.chunks_exact(self.places()).map(variance).enumerate().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        order.into_iter().take(limit).map(|(k, _)| k).collect()
    }

    /// The sum of channels, each times its weight.
    fn sum(&self, order: &[usize], weights: &[f64]) -> Vec<f32> {
        let mut sum = vec![0.0f64; self.places()];
        for (&k, weight) in order.iter().zip(weights) {
            sum.iter_mut().zip(self.channel(k)).for_each(|(s, &v)| *s += weight * f64::from(v));
        }
        sum.into_iter().map(|v| v as f32).collect()
    }
}

/// The CAM of each of the request's layers. `score` scores a layer's channels chunk by chunk, `[n]`
/// each; `weights` turns the scores so far into as many weights. `stage` is where `score` enters
/// the model, which decides the size of a chunk. [`MAX_CHANNELS`] limits the channels.
///
/// # Errors
/// [`Error::Aborted`](crate::Error::Aborted) between chunks; those of `score`, the model and the
/// device.
pub async fn weigh(
    context: &Context<'_>,
    stage: impl Fn(&Layer) -> usize,
    score: impl Fn(&Layer, &ChannelMaps, &[usize]) -> Result<Tensor<1>>,
    weights: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<Output> {
    let limit = match context.options().count("maxChannels")? {
        0 => usize::MAX,
        limit => limit,
    };
    let activations = context.layer_activations()?;
    let total = activations.iter().map(|a| a.dims()[1].min(limit)).sum();
    let (mut maps, mut done) = (Vec::new(), 0);
    for (layer, activations) in context.layers().iter().zip(activations) {
        let [_, _, h, w] = activations.dims();
        let channels = ChannelMaps { values: context.read(activations).await?, grid: [h, w] };
        let order = channels.by_variance(limit);
        let mut scores: Vec<f64> = Vec::with_capacity(order.len());
        for range in context.chunks_from(stage(layer), order.len())? {
            let chunk = order.get(range).unwrap_or_default();
            scores.extend(context.read(score(layer, &channels, chunk)?).await?.into_iter().map(f64::from));
            done += chunk.len();
            context.progress(done, total).await?;
            let so_far = || {
                let map = channels.sum(&order, &weights(&scores));
                context.combined(maps.iter().cloned().chain([map]).collect())
            };
            if context.wants_estimate() {
                let Output { values, shape, .. } = so_far();
                context.estimate(&values, &shape);
            }
            if context.stopped() && done < total {
                let mut output = so_far();
                output.warnings.push(context.stopped_after(done, total));
                return Ok(output);
            }
        }
        maps.push(channels.sum(&order, &weights(&scores)));
    }
    Ok(context.combined(maps))
}
