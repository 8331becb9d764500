//! Maps that mean nothing say so.

use serde_json::json;

use crate::common::nets::*;
use crate::common::*;

#[test]
fn f6_meaningless_maps_say_so_and_are_never_nan() {
    let input = image(&[1.0; 4], [1, 2, 2]);
    for (forward, code) in [(dead as Forward, "zero-map"), (constant, "constant-map"), (overflow, "non-finite")] {
        let mut explainer = net([1, 2, 2], 2, &[("a", [1, 2, 2])], forward);
        let map = attribute(&mut explainer, &input, json!({ "method": "grad_cam", "target": 0 })).unwrap();
        assert!(map.values.iter().all(|v| v.is_finite()), "{code}: {:?}", map.values);
        let codes: Vec<&str> = map.warnings.iter().map(|w| w.code).collect();
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    let mut explainer = net([1, 2, 2], 2, &[], dead);
    let map = attribute(&mut explainer, &input, json!({ "method": "integrated_gradients", "target": 0, "nSteps": 4 }))
        .unwrap();
    assert_eq!(map.values, [0.0; 4]);
    assert_eq!(map.warnings[0].code, "zero-map");
}
