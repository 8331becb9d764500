//! SLIC against scikit-image's.

use sightline::math::superpixels::slic;
use sightline::photo::Photo;

use crate::common::*;

/// Pixels that differ from the right or the lower neighbour.
fn borders(ids: &[usize], [h, w]: [usize; 2]) -> Vec<bool> {
    (0..h * w).map(|i| (i % w + 1 < w && ids[i] != ids[i + 1]) || (i / w + 1 < h && ids[i] != ids[i + w])).collect()
}

/// The share of the regions' border pixels with a border of a superpixel within two rows and
/// columns.
fn recall(ids: &[usize], regions: &[usize], [h, w]: [usize; 2]) -> f64 {
    let (found, truth) = (borders(ids, [h, w]), borders(regions, [h, w]));
    let near = |i: &usize| {
        let (y, x) = (i / w, i % w);
        (y.saturating_sub(2)..(y + 3).min(h)).any(|y| (x.saturating_sub(2)..(x + 3).min(w)).any(|x| found[y * w + x]))
    };
    let all: Vec<usize> = (0..h * w).filter(|&i| truth[i]).collect();
    all.iter().filter(|i| near(i)).count() as f64 / all.len() as f64
}

#[test]
fn superpixels_keep_to_the_borders_as_those_of_scikit_image() {
    let read = |name: &str| Photo::decode(&std::fs::read(golden("superpixels").join(name)).unwrap()).unwrap();
    let (picture, regions) = (read("picture.png"), read("regions.png"));
    let shape = [picture.height as usize, picture.width as usize];
    let regions: Vec<usize> = regions.rgb.chunks(3).map(|rgb| usize::from(rgb[0])).collect();
    let pixels: Vec<f32> =
        (0..3).flat_map(|c| picture.rgb.iter().skip(c).step_by(3)).map(|&v| f32::from(v) / 255.0).collect();
    for case in read_json(&golden("superpixels/golden.json"))["cases"].as_array().unwrap() {
        let count = case["count"].as_u64().unwrap() as usize;
        let theirs = (case["segments"].as_f64().unwrap(), case["recall"].as_f64().unwrap());
        let ids = now(slic(&pixels, shape, count, case["compactness"].as_f64().unwrap(), &idle)).unwrap();
        let found = (ids.iter().max().unwrap() + 1) as f64;
        let recall = recall(&ids, &regions, shape);
        println!("{count}: {found} superpixels, recall {recall:.4}; scikit-image {theirs:?}");
        assert!(recall >= 0.9 && recall >= theirs.1 - 0.03, "{count}: {recall}");
        assert!((0.7..=1.25).contains(&(found / count as f64)), "{count}: {found}");
        assert!((0.7..=1.6).contains(&(found / theirs.0)), "{count}: {found} and {}", theirs.0);
    }
}
