//! Salient relevance, which no library has: its definition written out a second time.

use super::*;

/// Salient relevance as its documentation defines it, place by place and without any of the
/// method's shortcuts.
fn salient_twin(relevance: &[f64], h: usize, w: usize, neighbours: usize, weight: f64, attended: f64) -> Vec<f64> {
    let low = relevance.iter().copied().fold(f64::INFINITY, f64::min);
    let range = relevance.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    // Area means by summing 60 x 60 points of each new cell, each in its old cell.
    let shrunk = |scale: f64| -> (Vec<Vec<f64>>, usize, usize) {
        let (rows, columns) = ((h as f64 * scale).round() as usize, (w as f64 * scale).round() as usize);
        let old = |i: usize, k: usize, from: usize, to: usize| (i * 60 + k) * from / (to * 60);
        let cell = |i: usize, j: usize| {
            let points = (0..60).flat_map(|a| (0..60).map(move |b| (a, b)));
            points.map(|(a, b)| relevance[old(i, a, h, rows) * w + old(j, b, w, columns)]).sum::<f64>() / 3600.0 / range
        };
        ((0..rows).map(|i| (0..columns).map(|j| cell(i, j)).collect()).collect(), rows, columns)
    };
    let corners = |n: usize| -> Vec<usize> { (0..n - 6).filter(|i| i % 4 == 0 || *i == n - 7).collect() };
    let patches = |scale: f64| {
        let (plane, rows, columns) = shrunk(scale);
        let mut all = Vec::new();
        if rows >= 7 && columns >= 7 {
            for y in corners(rows) {
                for x in corners(columns) {
                    let values: Vec<f64> = (0..49).map(|k| plane[y + k / 7][x + k % 7]).collect();
                    let longer = rows.max(columns) as f64;
                    all.push((y, x, (y as f64 + 3.5) / longer, (x as f64 + 3.5) / longer, values));
                }
            }
        }
        (all, rows, columns)
    };
    let distance = |a: (f64, f64), b: (f64, f64)| ((a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)).sqrt();
    let mut maps = Vec::new();
    for scale in [1.0, 0.8, 0.5, 0.3] {
        let (own, rows, columns) = patches(scale);
        if own.len() < 2 {
            continue;
        }
        let mut s = Vec::new();
        let parts: Vec<f64> = [1.0, 0.5, 0.25].into_iter().filter(|part| scale * part >= 0.2).collect();
        let others: Vec<_> = parts.iter().map(|part| patches(scale * part).0).collect();
        for (i, p) in own.iter().enumerate() {
            let mut differences = Vec::new();
            for (part, others) in others.iter().enumerate() {
                for (j, q) in others.iter().enumerate() {
                    if part > 0 || i != j {
                        let rms = (p.4.iter().zip(&q.4).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 49.0).sqrt();
                        differences.push(rms / (1.0 + weight * distance((p.2, p.3), (q.2, q.3))));
                    }
                }
            }
            differences.sort_by(f64::total_cmp);
            differences.truncate(neighbours);
            s.push(1.0 - (-differences.iter().sum::<f64>() / differences.len() as f64).exp());
        }
        let largest = s.iter().copied().fold(0.0, f64::max);
        s.iter_mut().for_each(|s| *s /= largest);
        let to_focus = |p: &(usize, usize, f64, f64, Vec<f64>)| {
            let foci = own.iter().zip(&s).filter(|(_, s)| **s > attended);
            foci.map(|(q, _)| distance((p.2, p.3), (q.2, q.3))).fold(f64::INFINITY, f64::min)
        };
        let away: Vec<f64> = own.iter().map(to_focus).collect();
        let farthest = away.iter().copied().fold(0.0, f64::max);
        let s: Vec<f64> = s.iter().zip(&away).map(|(s, d)| s * (1.0 - d / farthest)).collect();
        let at = |y: usize, x: usize| {
            let over = own.iter().zip(&s).filter(|(p, _)| (p.0..p.0 + 7).contains(&y) && (p.1..p.1 + 7).contains(&x));
            let (sum, count) = over.fold((0.0, 0.0), |(sum, count), (_, s)| (sum + s, count + 1.0));
            sum / count
        };
        let plane: Vec<f32> = (0..rows * columns).map(|i| at(i / columns, i % columns) as f32).collect();
        maps.push(sightline::math::grid::bilinear(&plane, [rows, columns], [h, w]));
    }
    (0..h * w).map(|i| maps.iter().map(|map| f64::from(map[i])).sum::<f64>() / maps.len() as f64).collect()
}

#[test]
fn salient_relevance_equals_its_definition_written_out() {
    let (mut explainer, input) = open_golden("resnet_basic");
    for options in [json!({}), json!({ "neighbours": 5, "distanceWeight": 0.5, "attended": 0.4, "target": 2 })] {
        let mut request = json!({ "method": "lrp", "target": options["target"] });
        let lrp = attribute(&mut explainer, &input, request.clone()).unwrap();
        let [h, w] = [lrp.shape[1], lrp.shape[2]];
        let channel = |c: usize, i: usize| f64::from(lrp.values[c * h * w + i]);
        let relevance: Vec<f64> = (0..h * w).map(|i| channel(0, i) + channel(1, i) + channel(2, i)).collect();
        let number = |key: &str, default: f64| options[key].as_f64().unwrap_or(default);
        let (neighbours, weight) = (number("neighbours", 64.0) as usize, number("distanceWeight", 3.0));
        let expected = salient_twin(&relevance, h, w, neighbours, weight, number("attended", 0.8));
        request["method"] = json!("salient_relevance");
        options.as_object().unwrap().iter().for_each(|(key, value)| request[key] = value.clone());
        let map = attribute(&mut explainer, &input, request).unwrap();
        let expected: Vec<f32> = expected.into_iter().map(|v| v as f32).collect();
        assert_eq!(map.shape, [1, h, w]);
        assert!(relative(&map.values, &expected) < 1e-3, "{options}: {:.1e}", relative(&map.values, &expected));
        assert!(map.values.iter().all(|v| (0.0..=1.0).contains(v)));
    }
}

#[test]
fn salient_relevance_shows_what_stands_out() {
    let shape = [1, 32, 40];
    // Relevance where the last layer looks: at one pixel, everywhere alike, nowhere.
    let map = |looks: &dyn Fn(usize) -> f32| {
        let weight: Vec<f32> = (0..32 * 40).map(looks).collect();
        let ops = vec![Op::Conv(conv("first", 1, 1, [1, 1])), Op::Flatten, dense("last", 32 * 40, 1, false)];
        let mut explainer = net(ops, shape, 1, &[("first.weight", &[1.0]), ("last.weight", &weight)], unnamed);
        let input = image(&[1.0; 32 * 40], shape);
        attribute(&mut explainer, &input, json!({ "method": "salient_relevance", "neighbours": 1 })).unwrap()
    };
    let (y, x) = (9, 27);
    let one = map(&|i| if i == y * 40 + x { 2.0 } else { 0.0 });
    let largest = one.values.iter().copied().fold(0.0, f32::max);
    for (i, &v) in one.values.iter().enumerate() {
        let away = (i / 40).abs_diff(y).max((i % 40).abs_diff(x));
        // A patch of the smallest scale reaches 7 / 0.3 pixels, and one more of that scale; beyond,
        // every patch has its like.
        assert!(v <= largest && (away < 28 || v == 0.0), "{i}: {v} {away} away");
    }
    assert!(one.values[y * 40 + x] > 0.9 * largest && largest > 0.2);
    for alike in [map(&|_| 1.0), map(&|_| 0.0)] {
        assert_eq!(alike.values, vec![0.0; 32 * 40]);
        assert_eq!(alike.warnings[0].code, "zero-map");
    }
}
