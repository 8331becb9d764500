//! XRAI. Kapishnikov et al. 2019, arXiv 1906.02825, algorithm 1.
//!
//! Integrated gradients from a black and from a white picture, their mean, of the channels the
//! largest; segments of the photo at several scales, which overlap; then segments by how much they
//! gain: the one with the largest mean attribution over the pixels that no earlier one has gets
//! that mean on those pixels, until every segment that would add `minPixelDiff` pixels is in. What
//! is left gets its own mean, so the map sums to what the attribution does. `algorithm: "fast"`
//! takes the segments in the order of their mean over all their pixels. 2 `nSteps` forward and
//! backward passes in chunks.
//!
//! Output `[1, H, W]`, signed. As PAIR saliency 0.2.1 but for two defaults: its baselines are the
//! input's least and largest value, and its integral is the mean of 100 gradients from end to end
//! (`quadrature`, `nSteps`, `baselines`). Segments as there: the photo brought to [-1, 1] and 224 x
//! 224 (bilinear here, spline there), [`crate::methods::path::felzenszwalb`] at six scales, each
//! segment grown by 5 pixels of the input; or `segments` as given.

use crate::ask::fill::{Baseline, blur};
use crate::ask::warning::Warning;
use crate::error::Result;
use crate::math::grid::bilinear;
use crate::methods::Context;
use crate::methods::path::PATH;
use crate::methods::path::felzenszwalb::Graph;
use crate::methods::path::integrated_gradients::{Progress, integral};
use crate::methods::path::{QUADRATURE, asked_rule};
use crate::methods::{CHUNK_SIZE, ChannelReduction, Kind, MethodSpec, Need, OptionSpec, Output};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "xrai",
    name: "XRAI",
    summary: "Which regions of the image add most to the score per pixel?",
    caveat: "Regions come from colour alone: anything that shares a region with something important looks just as \
             important.",
    citation: "Kapishnikov et al. 2019",
    arxiv: "1906.02825",
    equation: "segments one after another by the largest mean of integrated gradients over their pixels not yet taken",
    cost: "2 nSteps forward and backward passes",
    shape: "[1, H, W]",
    channels: ChannelReduction::None,
    needs: &[Need::Gradients, Need::Superpixels],
    estimates: true,
    options: &[
        OptionSpec {
            id: "algorithm",
            kind: Kind::Choice { default: "full", choices: &["full", "fast"] },
            unit: None,
            help: "whether each region's gain is computed again after every choice (full) or only once (fast)",
        },
        OptionSpec {
            id: "nSteps",
            kind: Kind::Integer { default: Some(50), min: 1, max: 1000 },
            unit: Some("points"),
            help: "points on the path, per baseline",
        },
        QUADRATURE,
        OptionSpec {
            id: "minPixelDiff",
            kind: Kind::Integer { default: Some(50), min: 1, max: 1 << 20 },
            unit: Some("input pixels"),
            help: "regions that would add fewer pixels than this are left out",
        },
        OptionSpec {
            id: "segments",
            kind: Kind::Tensor { shape: "[S, H, W], 1 inside a region and 0 outside" },
            unit: None,
            help: "regions to use instead of those found by colour",
        },
        OptionSpec {
            id: "baselines",
            kind: Kind::Tensor { shape: "[B, C, H, W] as fed to the model" },
            unit: None,
            help: "baseline images to use instead of black and white",
        },
        CHUNK_SIZE,
    ],
    ..PATH
};

/// Where the segmentation's scales and sizes are meant.
const SIDE: usize = 224;
const SCALES: [f64; 6] = [50.0, 100.0, 150.0, 250.0, 500.0, 1200.0];
const SIGMA: f64 = 0.8;
const MIN_SIZE: usize = 150;
const DILATION: i64 = 5;

/// Computes the map.
///
/// # Errors
/// [`Error::Aborted`] between chunks; [`Error::BadOption`] for tensors of another shape; those of
/// the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let shape @ [_, h, w] = context.spec().input_size;
    let fits = |s: &[usize]| s.len() == 3 && s.ends_with(&[h, w]);
    let given = options.tensor("segments", fits, &format!("[S, {h}, {w}]"))?;
    let segments = match given {
        Some(given) => {
            let mut segments = Vec::new();
            for mask in given.data.chunks(h * w) {
                segments.push(mask.iter().zip(0..).filter(|(v, _)| **v > 0.5).map(|(_, i)| i).collect());
                context.breathe().await?;
            }
            segments
        }
        None => by_colour(context, shape).await?,
    };
    let least = options.count("minPixelDiff")?;
    let full = options.choice("algorithm")? == "full";
    let map = async |attribution: &[f64]| {
        let pixels: Vec<f64> = (0..h * w)
            .map(|i| attribution.iter().skip(i).step_by(h * w).copied().fold(f64::NEG_INFINITY, f64::max))
            .collect();
        if full {
            by_gain(context, &pixels, &segments, least).await
        } else {
            by_mean(context, &pixels, &segments, least).await
        }
    };
    let mut warnings = Vec::new();
    let show = async |attribution: Vec<f64>| {
        context.estimate(&map(&attribution).await?, &[1, h, w]);
        Ok(())
    };
    let attribution = attribution(context, &show, &mut warnings).await?;
    let values = map(&attribution).await?;
    Ok(Output { warnings, ..Output::new(values, [1, h, w]) })
}

/// Integrated gradients, the mean over the baselines, `[C, H, W]`: if the caller stops, over those
/// that are done, or what there is of the first.
async fn attribution(
    context: &Context<'_>,
    show: &impl AsyncFn(Vec<f64>) -> Result<()>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<f64>> {
    let options = context.options();
    let shape @ [c, h, w] = context.spec().input_size;
    let fits = |s: &[usize]| s.len() == 4 && s.ends_with(&shape) && s.iter().take(1).all(|&n| n <= 16);
    let baselines = match options.tensor("baselines", fits, &format!("[B, {c}, {h}, {w}] with B up to 16"))? {
        Some(given) => given.data.chunks(c * h * w).map(<[f32]>::to_vec).collect(),
        None => {
            let mut both = Vec::new();
            for baseline in [Baseline::Black, Baseline::White] {
                let breathe = async || context.breathe().await;
                both.push(baseline.of(context.input(), shape, context.preprocess(), &breathe).await?);
            }
            both
        }
    };
    let rule = asked_rule(options)?;
    let nodes = rule.nodes(options.count("nSteps")?);
    let input = context.upload(context.input());
    let mut progress = Progress { done: 0, total: nodes.len() * baselines.len() };
    let mut mean = vec![0.0; context.input().len()];
    for (done, baseline) in baselines.iter().enumerate() {
        let so_far = |mean: &[f64], running: Vec<f32>| -> Vec<f64> {
            match done {
                0 => running.into_iter().map(f64::from).collect(),
                _ => mean.iter().map(|sum| sum * baselines.len() as f64 / done as f64).collect(),
            }
        };
        let part = integral(context, &context.upload(baseline), &input, &nodes, &mut progress, &async |running| {
            show(so_far(&mean, running)).await
        })
        .await?;
        if part.nodes < nodes.len() {
            warnings.push(context.stopped_after(progress.done, progress.total));
            return Ok(so_far(&mean, part.values));
        }
        mean.iter_mut().zip(part.values).for_each(|(sum, v)| *sum += f64::from(v) / baselines.len() as f64);
        if part.stopped {
            warnings.push(context.stopped_after(progress.done, progress.total));
            mean.iter_mut().for_each(|sum| *sum *= baselines.len() as f64 / (done + 1) as f64);
            break;
        }
    }
    Ok(mean)
}

/// Each region's pixels, ascending: the input `[C, H, W]` cut up at several scales, every region
/// grown.
async fn by_colour(context: &Context<'_>, [_, h, w]: [usize; 3]) -> Result<Vec<Vec<u32>>> {
    let (input, breathe) = (context.input(), async || context.breathe().await);
    let (low, high) = input.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let spread = (high - low).max(f32::MIN_POSITIVE);
    let mut planes: Vec<Vec<f64>> = Vec::new();
    for plane in input.chunks(h * w) {
        let mut plane: Vec<f32> = plane.iter().map(|v| (v - low) / spread * 2.0 - 1.0).collect();
        let shrink = h.max(w) as f64 / SIDE as f64;
        if shrink > 1.0 {
            plane = blur(&plane, h, w, (shrink - 1.0) / 2.0, &breathe).await?;
        }
        planes.push(bilinear(&plane, [h, w], [SIDE, SIDE]).into_iter().map(f64::from).collect());
    }
    let graph = Graph::new(&planes, [SIDE, SIDE], SIGMA, &breathe).await?;
    let centre = |i: usize, n: usize| (2 * i + 1) * SIDE / (2 * n);
    let cells: Vec<usize> = (0..h).flat_map(|y| (0..w).map(move |x| centre(y, h) * SIDE + centre(x, w))).collect();
    let disk: Vec<(i64, i64)> = (-DILATION..=DILATION)
        .flat_map(|y| (-DILATION..=DILATION).map(move |x| (y, x)))
        .filter(|(y, x)| y * y + x * x <= DILATION * DILATION)
        .collect();
    let mut regions: Vec<Vec<u32>> = Vec::new();
    for scale in SCALES {
        let found = graph.segments(scale, MIN_SIZE);
        let first = regions.len();
        regions.resize(first + found.iter().max().map_or(0, |last| *last as usize + 1), Vec::new());
        let of: Vec<u32> = cells.iter().map(|&cell| found[cell]).collect();
        let mut near = Vec::new();
        for y in 0..h {
            for x in 0..w {
                // A pixel is in a grown region where that region is within the disk around the
                // pixel.
                near.clear();
                for (dy, dx) in &disk {
                    let (y, x) = (y as i64 + dy, x as i64 + dx);
                    if (0..h as i64).contains(&y) && (0..w as i64).contains(&x) {
                        let region = of[y as usize * w + x as usize];
                        if !near.contains(&region) {
                            near.push(region);
                        }
                    }
                }
                for region in &near {
                    regions[first + *region as usize].push((y * w + x) as u32);
                }
            }
            breathe().await?;
        }
    }
    Ok(regions)
}

/// The means of regions taken one after another, and of what is left.
struct Painter<'a> {
    attribution: &'a [f64],
    values: Vec<Option<f64>>,
}

impl<'a> Painter<'a> {
    fn new(attribution: &'a [f64]) -> Self {
        Self { attribution, values: vec![None; attribution.len()] }
    }

    /// A region's pixels that no earlier one has.
    fn free(&self, region: &[u32]) -> Vec<u32> {
        region.iter().copied().filter(|&i| self.values[i as usize].is_none()).collect()
    }

    fn mean(&self, pixels: &[u32]) -> f64 {
        pixels.iter().map(|&i| self.attribution[i as usize]).sum::<f64>() / pixels.len() as f64
    }

    fn paint(&mut self, pixels: &[u32]) {
        let mean = self.mean(pixels);
        pixels.iter().for_each(|&i| self.values[i as usize] = Some(mean));
    }

    fn finish(mut self) -> Vec<f32> {
        let all: Vec<u32> = (0..self.values.len() as u32).collect();
        self.paint(&self.free(&all));
        self.values.into_iter().map(|v| v.unwrap_or_default() as f32).collect()
    }
}

/// Always the region that gains most. Each pixel leaves the sums of its regions once, so the cost
/// is not regions x regions x pixels.
async fn by_gain(context: &Context<'_>, attribution: &[f64], regions: &[Vec<u32>], least: usize) -> Result<Vec<f32>> {
    let mut painter = Painter::new(attribution);
    let mut regions_of = vec![Vec::new(); attribution.len()];
    let mut rest: Vec<(usize, f64)> = Vec::new();
    for (region, pixels) in regions.iter().enumerate() {
        pixels.iter().for_each(|&i| regions_of[i as usize].push(region as u32));
        rest.push((pixels.len(), pixels.iter().map(|&i| attribution[i as usize]).sum()));
        context.breathe().await?;
    }
    loop {
        let mut best: Option<(usize, f64)> = None;
        for (region, &(count, sum)) in rest.iter().enumerate().filter(|(_, (count, _))| *count >= least) {
            let gain = sum / count as f64;
            if best.is_none_or(|(_, most)| gain > most) {
                best = Some((region, gain));
            }
        }
        let Some((best, _)) = best else { return Ok(painter.finish()) };
        let free = painter.free(&regions[best]);
        painter.paint(&free);
        for i in free {
            for &region in &regions_of[i as usize] {
                let (count, sum) = &mut rest[region as usize];
                (*count, *sum) = (*count - 1, *sum - attribution[i as usize]);
            }
        }
        context.breathe().await?;
    }
}

/// By the mean over the whole region.
async fn by_mean(context: &Context<'_>, attribution: &[f64], regions: &[Vec<u32>], least: usize) -> Result<Vec<f32>> {
    let mut painter = Painter::new(attribution);
    let mut order: Vec<(f64, &Vec<u32>)> =
        regions.iter().filter(|pixels| !pixels.is_empty()).map(|pixels| (painter.mean(pixels), pixels)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, pixels) in order {
        let free = painter.free(pixels);
        if free.len() >= least {
            painter.paint(&free);
        }
        context.breathe().await?;
    }
    Ok(painter.finish())
}
