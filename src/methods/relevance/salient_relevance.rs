//! Salient relevance. Li et al. 2017, arXiv 1712.08268: context-aware saliency (Goferman et al.
//! 2012, DOI 10.1109/TPAMI.2011.272) of the LRP map, which turns isolated relevant pixels into the
//! areas that stand out by them.
//!
//! On the relevance R, channels summed, divided by its range, at each of the scales r = 100, 80, 50
//! and 30 % (of the input, or of 250 pixels on its longer side where it is larger):
//! * patches of 7 x 7, every 4 pixels; d(p, q) = rms(p - q) / (1 + `distanceWeight` * |position of
//!   p - position of q|), positions in longer sides;
//! * S(p) = 1 - exp(-mean of d to the `neighbours` patches with the smallest d), among those of the
//!   scales r, r/2 and r/4 that are at least 20 %; a patch is no neighbour of itself; divided by
//!   the largest S of the scale;
//! * S(p) (1 - distance from p to the nearest patch with S > `attended`, divided by the largest
//!   such distance).
//!
//! A pixel's value is the mean over the patches that it lies in, and over the scales. Output `[1,
//! H, W]`, in [0, 1].
//!
//! Where the two papers leave it open: sizes are changed by area means, the scale's foci weigh the
//! scale's own map (Goferman et al.'s later version), and there is neither a centre prior nor a
//! face detector. Goferman et al. compare colours in L*a*b*; here relevance is the one colour.

use crate::error::Result;
use crate::math::grid::bilinear;
use crate::methods::Context;
use crate::methods::relevance::RELEVANCE;
use crate::methods::relevance::lrp::{self, COMPOSITE, EPSILON};
use crate::methods::{ChannelReduction, Kind, MethodSpec, OptionSpec, Output, Sign};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "salient_relevance",
    name: "Salient relevance",
    summary: "Which areas stand out from their surroundings in LRP's relevance?",
    caveat: "It shows where relevance differs from its surroundings, for or against the target, not how much there is.",
    citation: "Li et al. 2017",
    arxiv: "1712.08268",
    equation: "mean over scales of 1 - exp(-mean_K rms(p - q) / (1 + 3 |p - q|)), weakened far from the foci",
    cost: "1 forward and 1 backward pass, as for LRP, plus a comparison of all patches on the CPU",
    shape: "[1, H, W]",
    sign: Sign::Positive,
    channels: ChannelReduction::None,
    options: &[
        EPSILON,
        COMPOSITE,
        OptionSpec {
            id: "neighbours",
            kind: Kind::Integer { default: Some(64), min: 1, max: 1024 },
            unit: Some("patches"),
            help: "how many of the most similar patches each patch is compared with",
        },
        OptionSpec {
            id: "distanceWeight",
            kind: Kind::Number { default: 3.0, min: 0.0, max: 100.0 },
            unit: None,
            help: "how strongly distance reduces the weight of a difference",
        },
        OptionSpec {
            id: "attended",
            kind: Kind::Number { default: 0.8, min: 0.0, max: 1.0 },
            unit: None,
            help: "saliency above which a patch counts as a focus",
        },
    ],
    ..RELEVANCE
};

/// Scales whose maps are averaged.
const SCALES: [f64; 4] = [1.0, 0.8, 0.5, 0.3];
/// A scale's neighbours are at these parts of it.
const PARTS: [f64; 3] = [1.0, 0.5, 0.25];
/// No scale below it.
const SMALLEST: f64 = 0.2;
/// Longest side at full scale.
const LONGEST: usize = 250;
/// Side of a patch.
const SIDE: usize = 7;
/// Pixels from one patch to the next.
const STEP: usize = 4;
/// Patches between two looks at the caller.
const BATCH: usize = 256;

/// Computes the map.
///
/// # Errors
/// Those of LRP; [`Error::Aborted`](crate::Error::Aborted) between batches of patches.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let options = context.options();
    let (neighbours, weight, attended) =
        (options.count("neighbours")?, options.number("distanceWeight")?, options.number("attended")?);
    let [_, h, w] = context.spec().input_size;
    let relevance = lrp::relevance(context).await?;
    let mut plane = vec![0f32; h * w];
    for channel in relevance.chunks_exact(h * w) {
        plane.iter_mut().zip(channel).for_each(|(sum, v)| *sum += v);
    }
    let (low, high) = plane.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    if high > low {
        plane.iter_mut().for_each(|v| *v /= high - low);
    }
    let full = (LONGEST as f64 / h.max(w) as f64).min(1.0);
    let at = |scale: f64| Patches::of(&plane, [h, w], scale * full);
    // What is as small as a patch is one patch, and says nothing.
    let scales: Vec<(f64, Patches)> = SCALES.into_iter().map(|r| (r, at(r))).filter(|(_, p)| p.count() > 1).collect();
    let total = scales.iter().map(|(_, patches)| patches.count()).sum();
    let mut whole = vec![0f32; h * w];
    let mut done = 0;
    for (scale, patches) in &scales {
        let others: Vec<Patches> =
            PARTS.into_iter().map(|part| part * scale).filter(|r| *r >= SMALLEST).map(at).collect();
        let mut saliency = Vec::new();
        for start in (0..patches.count()).step_by(BATCH) {
            for index in start..patches.count().min(start + BATCH) {
                saliency.push(patches.stands_out(index, &others, neighbours, weight as f32));
                context.breathe().await?;
            }
            done += patches.count().min(start + BATCH) - start;
            context.progress(done, total).await?;
        }
        let largest = saliency.iter().copied().fold(0f32, f32::max);
        if largest > 0.0 {
            saliency.iter_mut().for_each(|s| *s /= largest);
            patches.focus(&mut saliency, attended as f32);
        }
        context.breathe().await?;
        let map = bilinear(&patches.spread(&saliency), patches.size, [h, w]);
        whole.iter_mut().zip(map).for_each(|(sum, v)| *sum += v / scales.len() as f32);
    }
    Ok(Output::new(whole, [1, h, w]))
}

/// A plane's patches.
struct Patches {
    /// The plane's rows and columns.
    size: [usize; 2],
    /// First rows and first columns.
    starts: [Vec<usize>; 2],
    /// Centres (row, column) in the plane's longer side.
    centres: Vec<[f32; 2]>,
    /// For each of a patch's pixels, its value in every patch.
    pixels: Vec<Vec<f32>>,
}

impl Patches {
    /// Those of the plane shrunk to `scale`; none where it is smaller than a patch.
    fn of(plane: &[f32], [h, w]: [usize; 2], scale: f64) -> Self {
        let size = [h, w].map(|n| ((n as f64 * scale).round() as usize).max(1));
        let plane = shrink(plane, [h, w], size);
        let starts = size.map(|n| match n.checked_sub(SIDE) {
            // The last reaches the end.
            Some(last) => (0..last).step_by(STEP).chain([last]).collect(),
            None => Vec::new(),
        });
        let [rows, columns] = &starts;
        let places = || rows.iter().flat_map(|y| columns.iter().map(move |x| [*y, *x]));
        let longer = size[0].max(size[1]) as f32;
        let centres = places().map(|place| place.map(|n| (n as f32 + SIDE as f32 / 2.0) / longer)).collect();
        let value = |y: usize, x: usize| plane.get(y * size[1] + x).copied().unwrap_or_default();
        let pixel = |k: usize| places().map(|[y, x]| value(y + k / SIDE, x + k % SIDE)).collect();
        Self { size, centres, pixels: (0..SIDE * SIDE).map(pixel).collect(), starts }
    }

    fn count(&self) -> usize {
        self.centres.len()
    }

    /// 1 - exp(-mean difference) of a patch to the most similar of `others`, the first of which are
    /// this scale's.
    fn stands_out(&self, index: usize, others: &[Patches], neighbours: usize, weight: f32) -> f32 {
        let Some(&[y, x]) = self.centres.get(index) else { return 0.0 };
        let mut all = Vec::new();
        for (part, other) in others.iter().enumerate() {
            let mut squares = vec![0f32; other.count()];
            for (own, theirs) in self.pixels.iter().zip(&other.pixels) {
                let own = own.get(index).copied().unwrap_or_default();
                squares.iter_mut().zip(theirs).for_each(|(sum, v)| *sum += (v - own) * (v - own));
            }
            let distances = squares.iter().zip(&other.centres).enumerate();
            all.extend(distances.filter(|(i, _)| part > 0 || *i != index).map(|(_, (square, centre))| {
                let far = (centre[0] - y).hypot(centre[1] - x);
                (square / (SIDE * SIDE) as f32).sqrt() / (1.0 + weight * far)
            }));
        }
        let count = neighbours.min(all.len());
        if count == 0 {
            return 0.0;
        }
        all.select_nth_unstable_by(count - 1, f32::total_cmp);
        // In order, so that the rounding is the same everywhere.
        let nearest = all.get_mut(..count).unwrap_or_default();
        nearest.sort_unstable_by(f32::total_cmp);
        -(-nearest.iter().sum::<f32>() / count as f32).exp_m1()
    }

    /// Weakens patches by their distance to the nearest focus.
    fn focus(&self, saliency: &mut [f32], attended: f32) {
        let foci: Vec<[f32; 2]> =
            self.centres.iter().zip(&*saliency).filter(|(_, s)| **s > attended).map(|(centre, _)| *centre).collect();
        let nearest = |[y, x]: [f32; 2]| foci.iter().map(|f| (f[0] - y).hypot(f[1] - x)).fold(f32::INFINITY, f32::min);
        let distances: Vec<f32> = self.centres.iter().map(|centre| nearest(*centre)).collect();
        let largest = distances.iter().copied().fold(0f32, f32::max);
        if largest > 0.0 && largest.is_finite() {
            saliency.iter_mut().zip(distances).for_each(|(s, d)| *s *= 1.0 - d / largest);
        }
    }

    /// The plane whose pixels are the mean of the patches that they lie in.
    fn spread(&self, saliency: &[f32]) -> Vec<f32> {
        let [h, w] = self.size;
        let [rows, columns] = &self.starts;
        let mut values = vec![(0f32, 0f32); h * w];
        for (i, s) in saliency.iter().enumerate() {
            let (Some(y), Some(x)) = (rows.get(i / columns.len()), columns.get(i % columns.len())) else { continue };
            for row in values.chunks_exact_mut(w).skip(*y).take(SIDE) {
                row.iter_mut().skip(*x).take(SIDE).for_each(|(sum, count)| (*sum, *count) = (*sum + s, *count + 1.0));
            }
        }
        values.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { 0.0 }).collect()
    }
}

/// A plane `[h, w]` on a coarser grid: the mean over each new cell's area.
fn shrink(plane: &[f32], [h, w]: [usize; 2], [rows, columns]: [usize; 2]) -> Vec<f32> {
    // For each new cell, the old cells that it touches and what it covers of them.
    let axis = |from: usize, to: usize| -> Vec<Vec<(usize, f32)>> {
        let step = from as f64 / to as f64;
        let cell = |i: usize| {
            let (begin, end) = (i as f64 * step, (i + 1) as f64 * step);
            let covered = |k: usize| ((k + 1) as f64).min(end) - (k as f64).max(begin);
            let touched = begin as usize..from.min(end.ceil() as usize);
            touched.map(|k| (k, (covered(k) / step).max(0.0) as f32)).collect()
        };
        (0..to).map(cell).collect()
    };
    let (ys, xs) = (axis(h, rows), axis(w, columns));
    let value = |y: usize, x: usize| plane.get(y * w + x).copied().unwrap_or_default();
    let mut out = Vec::with_capacity(rows * columns);
    for taps in &ys {
        for across in &xs {
            let row = |y: usize| across.iter().map(|(x, share)| value(y, *x) * share).sum::<f32>();
            out.push(taps.iter().map(|(y, share)| row(*y) * share).sum());
        }
    }
    out
}
