//! Ablation-CAM. Desai and Ramaswamy 2020, doi 10.1109/WACV45572.2020.9093360.
//!
//! L = sum_k w_k A_k, w_k = (y - y_k) / |y|: y the score, y_k the score with channel k set to 0; a
//! transformer's channel in all its tokens, those that are no patches included. 0 where y = 0.
//!
//! One forward pass per channel, from the layer's stage on; channels of the largest variance first,
//! so that stopping after n of them is `maxChannels: n`. Memory is that of one chunk.
//!
//! Output `[h, w]`, signed; the paper's last ReLU is left to rendering, and |y| in place of its y
//! keeps the sign where the score is negative. pytorch-grad-cam sets a channel to 0 where a layer
//! has no negative values, else to the smallest value less 1e7: `replacement`.

use burn::tensor::{Tensor, TensorData};

use crate::error::Result;
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::cam::channels::{self, ChannelMaps, MAX_CHANNELS};
use crate::methods::{CHUNK_SIZE, Kind, MethodSpec, OptionSpec, Output};
use crate::nn::model::Layer;
use crate::nn::pass::{Activation, Pass, Tappable};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "ablation_cam",
    name: "Ablation-CAM",
    summary: "Which of this layer's channels lower the score when removed, and where are they active?",
    caveat: "Channels are removed one at a time: evidence that two of them share is counted for neither or for both.",
    citation: "Desai and Ramaswamy 2020",
    arxiv: "10.1109/WACV45572.2020.9093360",
    equation: "sum_k ((y - y_k) / |y|) A_k, y_k the score with A_k = 0",
    cost: "1 forward pass up to the layer, then 1 from the layer on for each of its channels",
    needs: &[],
    estimates: true,
    options: &[
        OptionSpec {
            id: "replacement",
            kind: Kind::Number { default: 0.0, min: -1e9, max: 1e9 },
            unit: Some("activation"),
            help: "what a channel is set to; in layers with negative activations pytorch-grad-cam sets it far below \
                   all values",
        },
        MAX_CHANNELS,
        CHUNK_SIZE,
    ],
    ..CAM
};

/// Computes the map.
///
/// # Errors
/// [`Error::Aborted`](crate::Error::Aborted) between chunks; those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let replacement = context.options().number("replacement")?;
    let score = |layer: &Layer, maps: &ChannelMaps, chunk: &[usize]| {
        let (n, count) = (chunk.len(), maps.count());
        let mut kept = vec![1.0f32; n * count];
        for (row, &k) in kept.chunks_exact_mut(count.max(1)).zip(chunk) {
            row.iter_mut().skip(k).take(1).for_each(|v| *v = 0.0);
        }
        let kept = Tensor::<2>::from_data(TensorData::new(kept, [n, count]), context.device());
        let instead = (kept.clone().neg() + 1.0) * replacement;
        let mut pass = Pass::new().replace(&layer.id, |activation| {
            let (kept, instead) = (kept.clone(), instead.clone());
            Ok(match activation {
                Activation::Map(x) => {
                    let shape = [n, count, 1, 1];
                    (x * kept.reshape(shape) + instead.reshape(shape)).wrap()
                }
                Activation::Tokens(x) => {
                    let shape = [n, 1, count];
                    (x * kept.reshape(shape) + instead.reshape(shape)).wrap()
                }
                Activation::Logits(x) => (x * kept + instead).wrap(),
            })
        });
        let states = context.state(layer.stage)?.repeat(n);
        Ok(context.target().score(context.resume(layer.stage, states, &mut pass)?))
    };
    let whole = context.score();
    let weight = |score: &f64| if whole == 0.0 { 0.0 } else { (whole - score) / whole.abs() };
    channels::weigh(context, |layer| layer.stage, score, |scores| scores.iter().map(weight).collect()).await
}
