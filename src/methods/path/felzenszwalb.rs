//! Segmentation of a picture by a graph of its pixels. Felzenszwalb and Huttenlocher 2004, doi
//! 10.1023/B:VISI.0000022288.19776.77, section 3; the choices that the paper leaves open are those
//! of scikit-image 0.26 (`skimage.segmentation.felzenszwalb`).

use crate::ask::fill::blur_exactly;
use crate::error::Result;

/// The edges between a picture's 8-neighbours, from the least colour difference on; one graph
/// serves any number of scales.
pub struct Graph {
    pixels: usize,
    edges: Vec<(f64, u32, u32)>,
}

impl Graph {
    /// The graph of a picture with planes `[h, w]`, blurred by `sigma` pixels first. `breathe` is
    /// awaited after every row and column of the blur.
    ///
    /// # Errors
    /// Those of `breathe`.
    pub async fn new(
        planes: &[Vec<f64>],
        [h, w]: [usize; 2],
        sigma: f64,
        breathe: &impl AsyncFn() -> Result<()>,
    ) -> Result<Self> {
        let mut blurred = Vec::with_capacity(planes.len());
        for plane in planes {
            blurred.push(blur_exactly(plane, h, w, sigma, breathe).await?);
        }
        let mut edges = Vec::with_capacity(4 * h * w);
        let mut connect = |a: usize, b: usize| {
            let square: f64 = blurred.iter().map(|plane| (plane[a] - plane[b]).powi(2)).sum();
            edges.push((square.sqrt(), a as u32, b as u32));
        };
        for y in 0..h {
            for x in 0..w {
                let at = y * w + x;
                if x + 1 < w {
                    connect(at, at + 1);
                }
                if y + 1 < h {
                    connect(at, at + w);
                    if x + 1 < w {
                        connect(at, at + w + 1);
                    }
                    if x > 0 {
                        connect(at, at + w - 1);
                    }
                }
            }
        }
        edges.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(Self { pixels: h * w, edges })
    }

    /// Each pixel's segment `[h * w]`, numbered from 0 in the order of their first pixels. Two
    /// segments become one where the least difference between them is below what either has inside
    /// plus `scale` / 255 / its size, then where one of them has fewer than `min_size` pixels.
    pub fn segments(&self, scale: f64, min_size: usize) -> Vec<u32> {
        let mut forest = Forest { parent: (0..self.pixels as u32).collect(), size: vec![1; self.pixels] };
        let mut inside = vec![0.0f64; self.pixels];
        for &(difference, a, b) in &self.edges {
            let (a, b) = (forest.root(a), forest.root(b));
            let limit = |root: usize| inside[root] + scale / 255.0 / forest.size[root] as f64;
            if a != b && difference < limit(a).min(limit(b)) {
                inside[forest.join(a, b)] = difference;
            }
        }
        for &(_, a, b) in &self.edges {
            let (a, b) = (forest.root(a), forest.root(b));
            if a != b && forest.size[a].min(forest.size[b]) < min_size {
                forest.join(a, b);
            }
        }
        let mut number = vec![0; self.pixels];
        let mut next = 0;
        (0..self.pixels)
            .map(|pixel| {
                let root = forest.root(pixel as u32);
                if root == pixel {
                    number[pixel] = next;
                    next += 1;
                }
                number[root]
            })
            .collect()
    }
}

/// Disjoint sets of pixels; a set's root is its first pixel.
struct Forest {
    parent: Vec<u32>,
    size: Vec<usize>,
}

impl Forest {
    fn root(&mut self, of: u32) -> usize {
        let mut at = of as usize;
        while self.parent[at] as usize != at {
            let above = self.parent[at] as usize;
            self.parent[at] = self.parent[above];
            at = self.parent[at] as usize;
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) -> usize {
        let (root, other) = (a.min(b), a.max(b));
        self.parent[other] = root as u32;
        self.size[root] += self.size[other];
        root
    }
}
