//! SLIC superpixels. Achanta et al. 2012, doi 10.1109/TPAMI.2012.120.
//!
//! k-means of (L, a, b, y, x) from a regular grid of seeds, each moved to the lowest gradient of
//! its 3 x 3 neighbourhood; a pixel is compared with the centres within one grid step S of it, by
//! D^2 = dc^2 + (ds m / S)^2 with the compactness m; ten rounds. Then connectivity: every connected
//! piece is a superpixel of its own, but one below S^2 / 4 pixels joins the neighbour with which it
//! shares the longest border. Nothing is drawn at random.
//!
//! scikit-image leaves the seeds on the grid, joins pieces below half a superpixel and cuts those
//! above three.

use std::collections::BTreeMap;

use crate::error::Result;

const ROUNDS: usize = 10;

/// Divides an image `[3, h, w]` with sRGB values in [0, 1] into about `count` superpixels: an id
/// per pixel, `0..n` in raster order of their first pixels. `compactness`: CIELAB units that weigh
/// as much as one grid step; the larger, the squarer. `breathe` is awaited after every few thousand
/// pixels.
///
/// # Errors
/// Those of `breathe`.
pub async fn slic(
    pixels: &[f32],
    [h, w]: [usize; 2],
    count: usize,
    compactness: f64,
    breathe: &impl AsyncFn() -> Result<()>,
) -> Result<Vec<usize>> {
    let n = h * w;
    if n == 0 {
        return Ok(Vec::new());
    }
    let value = |c: usize, i: usize| pixels.get(c * n + i).copied().unwrap_or_default();
    let mut lab: Vec<[f64; 3]> = Vec::with_capacity(n);
    for i in 0..n {
        lab.push(cielab([value(0, i), value(1, i), value(2, i)]));
        if i % 4096 == 0 {
            breathe().await?;
        }
    }
    let count = count.clamp(1, n) as f64;
    let columns = ((count * w as f64 / h as f64).sqrt().round() as usize).clamp(1, w);
    let rows = ((count / columns as f64).round() as usize).clamp(1, h);
    let step = (n as f64 / (rows * columns) as f64).sqrt();
    let labels = cluster(&lab, [h, w], [rows, columns], step, compactness, breathe).await?;
    Ok(connect(&labels, [h, w], step * step / 4.0))
}

/// CIELAB at the white D65 of an sRGB colour in [0, 1].
fn cielab(rgb: [f32; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(|v| {
        let v = f64::from(v).clamp(0.0, 1.0);
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    let f = |t: f64| if t > (6f64 / 29.0).powi(3) { t.cbrt() } else { t * (29f64 / 6.0).powi(2) / 3.0 + 4.0 / 29.0 };
    let x = f((0.412_453 * r + 0.357_580 * g + 0.180_423 * b) / 0.950_47);
    let y = f(0.212_671 * r + 0.715_160 * g + 0.072_169 * b);
    let z = f((0.019_334 * r + 0.119_193 * g + 0.950_227 * b) / 1.088_83);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn squared(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The nearest centre of each pixel after the last round.
async fn cluster(
    lab: &[[f64; 3]],
    [h, w]: [usize; 2],
    [rows, columns]: [usize; 2],
    step: f64,
    compactness: f64,
    breathe: &impl AsyncFn() -> Result<()>,
) -> Result<Vec<usize>> {
    let gradient = |y: usize, x: usize| {
        let across = squared(lab[y * w + (x + 1).min(w - 1)], lab[y * w + x.saturating_sub(1)]);
        across + squared(lab[(y + 1).min(h - 1) * w + x], lab[y.saturating_sub(1) * w + x])
    };
    let mut centres: Vec<([f64; 3], [f64; 2])> = (0..rows * columns)
        .map(|i| {
            // The cell's middle, which lies between pixels where its side is even.
            let middle = |cell: usize, cells: usize, n: usize| (cell as f64 + 0.5) * n as f64 / cells as f64 - 0.5;
            let seed = [middle(i / columns, rows, h), middle(i % columns, columns, w)];
            let [y, x] = seed.map(|v| v.max(0.0) as usize);
            let mut best = (gradient(y, x), lab[y * w + x], seed);
            for y in y.saturating_sub(1)..=(y + 1).min(h - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                    let here = gradient(y, x);
                    if here < best.0 {
                        best = (here, lab[y * w + x], [y as f64, x as f64]);
                    }
                }
            }
            (best.1, best.2)
        })
        .collect();
    // A pixel that no centre reaches stays with its cell of the grid.
    let mut labels: Vec<usize> = (0..h * w).map(|i| i / w * rows / h * columns + i % w * columns / w).collect();
    let space = (compactness / step).powi(2);
    for _ in 0..ROUNDS {
        let mut nearest = vec![f64::INFINITY; h * w];
        for (k, (colour, [cy, cx])) in centres.iter().enumerate() {
            let reach =
                |c: f64, n: usize| (c - step).ceil().max(0.0) as usize..((c + step).floor() as usize + 1).min(n);
            for y in reach(*cy, h) {
                for x in reach(*cx, w) {
                    let i = y * w + x;
                    let away = (y as f64 - cy).powi(2) + (x as f64 - cx).powi(2);
                    let distance = squared(lab[i], *colour) + away * space;
                    if distance < nearest[i] {
                        (nearest[i], labels[i]) = (distance, k);
                    }
                }
            }
            breathe().await?;
        }
        let mut sums = vec![([0.0; 3], [0.0; 2], 0.0); centres.len()];
        for (i, &label) in labels.iter().enumerate() {
            let (colour, place, n) = &mut sums[label];
            colour.iter_mut().zip(lab[i]).for_each(|(sum, v)| *sum += v);
            place.iter_mut().zip([i / w, i % w]).for_each(|(sum, v)| *sum += v as f64);
            *n += 1.0;
        }
        for (centre, (colour, place, n)) in centres.iter_mut().zip(sums) {
            if n > 0.0 {
                *centre = (colour.map(|v| v / n), place.map(|v| v / n));
            }
        }
    }
    Ok(labels)
}

fn neighbours(i: usize, [h, w]: [usize; 2]) -> impl Iterator<Item = usize> {
    let (y, x) = (i / w, i % w);
    [(x > 0).then(|| i - 1), (x + 1 < w).then(|| i + 1), (y > 0).then(|| i - w), (y + 1 < h).then(|| i + w)]
        .into_iter()
        .flatten()
}

/// Ids of connected pieces; those below `least` pixels have joined a neighbour.
fn connect(labels: &[usize], shape: [usize; 2], least: f64) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let mut ids = vec![NONE; labels.len()];
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    for start in 0..labels.len() {
        if ids[start] != NONE {
            continue;
        }
        ids[start] = pieces.len();
        let mut piece = vec![start];
        let mut next = 0;
        while let Some(&i) = piece.get(next) {
            next += 1;
            for j in neighbours(i, shape) {
                if ids[j] == NONE && labels[j] == labels[start] {
                    ids[j] = pieces.len();
                    piece.push(j);
                }
            }
        }
        pieces.push(piece);
    }
    for id in 0..pieces.len() {
        if pieces[id].len() as f64 >= least {
            continue;
        }
        let mut borders: BTreeMap<usize, usize> = BTreeMap::new();
        for j in pieces[id].iter().flat_map(|&i| neighbours(i, shape)).map(|j| ids[j]).filter(|&other| other != id) {
            *borders.entry(j).or_default() += 1;
        }
        // Of equally long borders, that with the first neighbour.
        let Some((&other, _)) = borders.iter().rev().max_by_key(|(_, length)| **length) else { continue };
        let piece = std::mem::take(&mut pieces[id]);
        piece.iter().for_each(|&i| ids[i] = other);
        pieces[other].extend(piece);
    }
    let mut dense = BTreeMap::new();
    ids.into_iter()
        .map(|id| {
            let next = dense.len();
            *dense.entry(id).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::waiting::{idle, now};

    fn slic(pixels: &[f32], shape: [usize; 2], count: usize, compactness: f64) -> Vec<usize> {
        now(super::slic(pixels, shape, count, compactness, &idle)).unwrap()
    }

    /// `[3, h, w]` from a colour per pixel.
    fn picture([h, w]: [usize; 2], colour: impl Fn(usize, usize) -> [f32; 3]) -> Vec<f32> {
        (0..3).flat_map(|c| (0..h * w).map(move |i| (c, i))).map(|(c, i)| colour(i / w, i % w)[c]).collect()
    }

    const COLOURS: [[f32; 3]; 4] = [[0.9, 0.1, 0.1], [0.1, 0.7, 0.2], [0.1, 0.2, 0.9], [0.9, 0.9, 0.2]];

    #[test]
    fn colours_become_cielab() {
        // skimage.color.rgb2lab, 0.26.0
        for (rgb, expected) in [
            ([1.0, 1.0, 1.0], [100.0, -0.002_455, 0.004_653]),
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([0.2, 0.4, 0.6], [42.008_001, -0.154_041, -32.842_897]),
            ([0.01, 0.02, 0.0], [1.148_685, -1.376_036, 1.695_175]),
        ] {
            let lab = cielab(rgb);
            assert!(lab.iter().zip(expected).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-3), "{rgb:?}: {lab:?}");
        }
    }

    #[test]
    fn four_flat_quadrants_are_four_superpixels() {
        // The boundaries are off the middle, where the grid has its own.
        for (h, w, top, left) in [(16, 16, 8, 8), (17, 20, 7, 12), (32, 24, 19, 10)] {
            let quadrant = |y, x| usize::from(y >= top) * 2 + usize::from(x >= left);
            let ids = slic(&picture([h, w], |y, x| COLOURS[quadrant(y, x)]), [h, w], 4, 10.0);
            let expected: Vec<usize> = (0..h * w).map(|i| quadrant(i / w, i % w)).collect();
            assert_eq!(ids, expected, "{h} x {w}");
        }
    }

    #[test]
    fn pieces_are_connected_and_not_small() {
        let (h, w) = (40, 50);
        // Speckles and stripes, which k-means alone tears apart.
        let speckled =
            |y: usize, x: usize| COLOURS[usize::from((y * 7 + x * 11).is_multiple_of(13)) + usize::from(x % 9 < 3) * 2];
        let ids = slic(&picture([h, w], speckled), [h, w], 20, 2.0);
        let count = ids.iter().max().unwrap() + 1;
        let least = (h * w) as f64 / 20.0 / 4.0;
        for id in 0..count {
            let first = ids.iter().position(|&i| i == id).unwrap();
            let mut seen = vec![false; h * w];
            let mut stack = vec![first];
            seen[first] = true;
            let mut size = 0;
            while let Some(i) = stack.pop() {
                size += 1;
                for j in neighbours(i, [h, w]).filter(|&j| ids[j] == id) {
                    if !std::mem::replace(&mut seen[j], true) {
                        stack.push(j);
                    }
                }
            }
            assert_eq!(size, ids.iter().filter(|&&i| i == id).count(), "{id} is torn");
            assert!(size as f64 >= least, "{id} has {size} pixels");
        }
    }

    #[test]
    fn a_flat_picture_falls_into_the_grids_cells() {
        let ids = slic(&picture([30, 60], |_, _| [0.5; 3]), [30, 60], 18, 10.0);
        assert_eq!(ids.iter().max(), Some(&17));
        for id in 0..18 {
            assert_eq!(ids.iter().filter(|&&i| i == id).count(), 100);
        }
        // Degenerate sizes.
        assert_eq!(slic(&[0.5; 3], [1, 1], 50, 10.0), [0]);
        assert_eq!(slic(&picture([1, 3], |_, _| [0.1; 3]), [1, 3], 3, 10.0), [0, 1, 2]);
        assert!(slic(&[], [0, 4], 3, 10.0).is_empty());
    }
}
