//! XRAI's segments against scikit-image's.

use super::*;

/// The picture that the golden script describes, planes of `[h, w]`.
fn picture(h: u64, w: u64, block: u64, noise: f64) -> Vec<Vec<f64>> {
    let value = |y: u64, x: u64, c: u64| {
        let region = (y / block + 3 * (x / (block + 3)) + (x * x + y * y) / (block * block * 7)) % 11;
        let colour = ((region + 1) * (c + 2) * 37 % 101) as f64 / 128.0;
        let grain = (((y * w + x) * 3 + c) as u32).wrapping_mul(2_654_435_761) >> 24;
        colour * (1.0 - noise) + f64::from(grain) / 256.0 * noise * 0.5 - 0.5
    };
    (0..3).map(|c| (0..h * w).map(|i| value(i / w, i % w, c)).collect()).collect()
}

#[test]
fn segments_are_those_of_scikit_image() {
    let cases = read_json(&golden("felzenszwalb/cases.json"));
    let bytes = std::fs::read(golden("felzenszwalb/labels.safetensors")).unwrap();
    let labels = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() >= 30);
    for (k, case) in cases.iter().enumerate() {
        let int = |key: &str| case[key].as_u64().unwrap();
        let number = |key: &str| case[key].as_f64().unwrap();
        let (h, w) = (int("height"), int("width"));
        let planes = picture(h, w, int("block"), number("noise"));
        let graph = now(Graph::new(&planes, [h as usize, w as usize], number("sigma"), &idle)).unwrap();
        let got = graph.segments(number("scale"), int("min_size") as usize);
        let view = labels.tensor(&k.to_string()).unwrap();
        let expected = view.data().as_chunks::<2>().0.iter().map(|&b| u32::from(u16::from_le_bytes(b)));
        let expected: Vec<u32> = expected.collect();
        assert_eq!(got.iter().max().unwrap() + 1, int("segments") as u32, "{case}");
        let same = got.iter().zip(&expected).filter(|(a, b)| a == b).count();
        assert_eq!(same, expected.len(), "{case}");
    }
}
