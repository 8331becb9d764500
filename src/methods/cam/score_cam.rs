//! Score-CAM. Wang et al. 2019, arXiv 1910.01279.
//!
//! L = sum_k w_k A_k. Each channel, resized to the input and scaled to [0, 1], is a mask; w is the
//! softmax over channels of the scores of the masked inputs. A constant channel's mask is 0. With
//! `difference`, w_k is the channel's increase of confidence itself: the masked input's score less
//! that of an input of zeros. (Ahead of a softmax that difference would change nothing.) The input
//! that is masked is the normalised one, so that what is hidden becomes the data set's mean colour.
//!
//! One forward pass per channel, channels of the largest variance first, so that stopping after n
//! of them is `maxChannels: n`. Memory is that of one chunk.
//!
//! Output `[h, w]`, signed where activations are; the paper's last ReLU is left to rendering.
//! Channels are resized with half-pixel centres and then scaled, as in the paper and its authors'
//! program; `alignCorners` resizes as pytorch-grad-cam does, `scaleFirst` scales before, as
//! torch-cam does.

use burn::tensor::{Tensor, TensorData};

use crate::error::Result;
use crate::math::grid::{Align, bilinear_aligned};
use crate::methods::Context;
use crate::methods::cam::CAM;
use crate::methods::cam::channels::{self, ChannelMaps, MAX_CHANNELS};
use crate::methods::{CHUNK_SIZE, Kind, MethodSpec, OptionSpec, Output};
use crate::nn::model::Layer;

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "score_cam",
    name: "Score-CAM",
    summary: "Which of this layer's channels, used as masks on the image, keep the score high?",
    caveat: "A mask adds edges of its own, and the softmax over scores lets a few channels dominate the map.",
    citation: "Wang et al. 2019",
    arxiv: "1910.01279",
    equation: "sum_k w_k A_k, w = softmax_k F(x up(A_k))",
    cost: "1 forward pass up to the layer, then 1 forward pass per mask, as many as there are channels",
    needs: &[],
    estimates: true,
    options: &[
        OptionSpec {
            id: "difference",
            kind: Kind::Boolean { default: false },
            unit: None,
            help: "weight channels by their gain over the score of an empty input, without a softmax",
        },
        OptionSpec {
            id: "alignCorners",
            kind: Kind::Boolean { default: false },
            unit: None,
            help: "align corners instead of pixel centres when resizing channels, as pytorch-grad-cam does",
        },
        OptionSpec {
            id: "scaleFirst",
            kind: Kind::Boolean { default: false },
            unit: None,
            help: "scale channels to [0, 1] before resizing them, as torch-cam does",
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
    let [_, rows, columns] = context.spec().input_size;
    let options = context.options();
    let align = if options.boolean("alignCorners")? { Align::Corners } else { Align::Centres };
    let scale_first = options.boolean("scaleFirst")?;
    let input = context.upload(context.input());
    let nothing = if options.boolean("difference")? {
        Some(context.score_of_input(&vec![0.0; context.input().len()]).await?)
    } else {
        None
    };
    let score = |_: &Layer, maps: &ChannelMaps, chunk: &[usize]| {
        let mask = |&k: &usize| {
            let resized = |channel: &[f32]| bilinear_aligned(channel, maps.grid, [rows, columns], align);
            let channel = maps.channel(k);
            if scale_first { resized(&scaled(channel)) } else { scaled(&resized(channel)) }
        };
        let masks: Vec<f32> = chunk.iter().flat_map(mask).collect();
        let masks = Tensor::<4>::from_data(TensorData::new(masks, [chunk.len(), 1, rows, columns]), context.device());
        context.scores(input.clone() * masks)
    };
    let weights = |scores: &[f64]| match nothing {
        Some(nothing) => scores.iter().map(|score| score - nothing).collect(),
        None => {
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let exp: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
            let sum: f64 = exp.iter().sum();
            exp.into_iter().map(|e| e / sum).collect()
        }
    };
    channels::weigh(context, |_| 0, score, weights).await
}

/// A channel scaled to [0, 1]; 0 where it is constant.
fn scaled(values: &[f32]) -> Vec<f32> {
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let scale = if high > low { 1.0 / (high - low) } else { 0.0 };
    values.iter().map(|v| (v - low) * scale).collect()
}
