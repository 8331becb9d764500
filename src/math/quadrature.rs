//! Nodes and weights on [0, 1] for path integrals. Weights sum to 1, so that any rule is exact on a
//! linear model.

use std::f64::consts::PI;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Gauss-Legendre: exact for polynomials of degree 2n - 1.
    GaussLegendre,
    /// Midpoints of n equal steps.
    Midpoint,
    /// n equally spaced nodes with both ends, the ends at half weight (captum's `riemann_trapezoid`
    /// sums to (n - 1) / n instead).
    Trapezoid,
    /// Left ends of n equal steps.
    Left,
    /// Right ends of n equal steps, as in zennit.
    Right,
    /// n equally spaced nodes including both ends, with equal weights, as in PAIR saliency.
    BothEnds,
}

impl Rule {
    /// The rules by id.
    pub const CHOICES: &'static [&'static str] =
        &["gauss_legendre", "midpoint", "trapezoid", "left", "right", "both_ends"];

    /// The rule with this id.
    pub fn from_id(id: &str) -> Option<Self> {
        match id {
            "gauss_legendre" => Some(Self::GaussLegendre),
            "midpoint" => Some(Self::Midpoint),
            "trapezoid" => Some(Self::Trapezoid),
            "left" => Some(Self::Left),
            "right" => Some(Self::Right),
            "both_ends" => Some(Self::BothEnds),
            _ => None,
        }
    }

    /// `n` pairs (node, weight), nodes ascending. A trapezoid and both ends of one node are the
    /// midpoint.
    pub fn nodes(self, n: usize) -> Vec<(f64, f64)> {
        match self {
            Self::GaussLegendre => gauss_legendre(n),
            Self::Trapezoid if n > 1 => {
                let steps = (n - 1) as f64;
                (0..n).map(|i| (i as f64 / steps, if i == 0 || i == n - 1 { 0.5 } else { 1.0 } / steps)).collect()
            }
            Self::BothEnds if n > 1 => (0..n).map(|i| (i as f64 / (n - 1) as f64, 1.0 / n as f64)).collect(),
            _ => {
                let offset = match self {
                    Self::Left => 0.0,
                    Self::Right => 1.0,
                    _ => 0.5,
                };
                (0..n).map(|i| ((i as f64 + offset) / n as f64, 1.0 / n as f64)).collect()
            }
        }
    }
}

/// Roots of the Legendre polynomial by Newton's method from Chebyshev-like guesses; both mapped to
/// [0, 1].
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let mut nodes: Vec<(f64, f64)> = (1..=n)
        .map(|i| {
            let mut x = (PI * (i as f64 - 0.25) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (mut p, mut before) = (1.0, 0.0);
                for k in 1..=n {
                    let k = k as f64;
                    (p, before) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k, p);
                }
                slope = n as f64 * (x * p - before) / (x * x - 1.0);
                let step = p / slope;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            ((1.0 - x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect();
    let sum: f64 = nodes.iter().map(|(_, w)| w).sum();
    nodes.iter_mut().for_each(|(_, w)| *w /= sum);
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauss_legendre_integrates_polynomials_of_degree_2n_minus_1() {
        for n in [1, 2, 3, 5, 8, 50, 64] {
            let nodes = Rule::GaussLegendre.nodes(n);
            for degree in 0..=(2 * n - 1).min(40) {
                let integral: f64 = nodes.iter().map(|(a, w)| w * a.powi(degree as i32)).sum();
                assert!((integral - 1.0 / (degree as f64 + 1.0)).abs() < 1e-13, "n {n}, degree {degree}: {integral}");
            }
        }
    }

    #[test]
    fn weights_sum_to_one_and_nodes_ascend_within_the_interval() {
        for id in Rule::CHOICES {
            let rule = Rule::from_id(id).unwrap();
            for n in 1..=60 {
                let nodes = rule.nodes(n);
                assert_eq!(nodes.len(), n);
                assert!((nodes.iter().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-13, "{id} {n}");
                assert!(nodes.windows(2).all(|pair| pair[0].0 < pair[1].0), "{id} {n}");
                assert!(nodes.iter().all(|(a, _)| (0.0..=1.0).contains(a)), "{id} {n}");
            }
        }
    }
}
