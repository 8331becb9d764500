//! Occlusion.

use super::*;

#[test]
fn occlusion_by_single_pixels_is_the_contribution_of_a_linear_net() {
    let map = explain(linear, json!({ "method": "occlusion", "window": 1, "stride": 1 }));
    assert!(relative(&map.values, &contributions()) < 1e-5);
    assert_eq!(map.details.unwrap(), json!({ "window": 1, "stride": 1, "windows": [7, 6] }));
    // Against white, of which every channel has another value once normalised.
    let white = explain(linear, json!({ "method": "occlusion", "window": 1, "stride": 1, "baseline": "white" }));
    let x = pixels();
    let level = [(1.0 - 0.485) / 0.229, (1.0 - 0.456) / 0.224, (1.0 - 0.406f32) / 0.225];
    let expected: Vec<f32> =
        (0..PIXELS).map(|i| (0..3).map(|c| weight(c * PIXELS + i) * (x[c * PIXELS + i] - level[c])).sum()).collect();
    assert!(relative(&white.values, &expected) < 1e-5);
}

#[test]
fn occlusion_matches_its_slow_twin_at_cut_and_overlapping_windows() {
    for (window, stride) in [(3, 2), (4, 3), (2, 2), (6, 6), (5, 1)] {
        let map = explain(crooked, json!({ "method": "occlusion", "window": window, "stride": stride }));
        let (mut sums, mut counts) = ([0f64; PIXELS], [0f64; PIXELS]);
        let ends =
            |n: usize| (0..).map(move |k| k * stride).take_while(move |at| *at < stride || at - stride + window < n);
        for top in ends(7) {
            for left in ends(6) {
                let inside =
                    |i: usize| (top..top + window).contains(&(i / 6)) && (left..left + window).contains(&(i % 6));
                let mask: Vec<f32> = (0..PIXELS).map(|i| f32::from(u8::from(!inside(i)))).collect();
                let fall = masked(crooked, &[1.0; PIXELS]) - masked(crooked, &mask);
                for i in (0..PIXELS).filter(|&i| inside(i)) {
                    sums[i] += fall;
                    counts[i] += 1.0;
                }
            }
        }
        let expected: Vec<f32> = sums.iter().zip(counts).map(|(s, n)| (s / n) as f32).collect();
        assert!(relative(&map.values, &expected) < 1e-5, "{window} {stride}");
    }
    for (window, stride, named) in [(2, 3, "stride"), (7, 1, "window")] {
        let request = json!({ "method": "occlusion", "window": window, "stride": stride });
        match attribute(&mut net(linear), &image(), request) {
            Err(Error::BadOption(message)) => assert!(message.starts_with(named), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}
