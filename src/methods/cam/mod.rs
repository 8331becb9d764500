//! Class activation maps: weighted sums of a layer's channels.

pub mod ablation_cam;
pub mod channels;
pub mod eigen_cam;
pub mod eigen_grad_cam;
pub mod grad_cam;
pub mod grad_cam_plus_plus;
pub mod hires_cam;
pub mod layer_cam;
pub mod norm_grad;
pub mod principal;
pub mod score_cam;
pub mod xgrad_cam;

use burn::tensor::Tensor;

use crate::error::Result;
use crate::math::grid::bilinear;
use crate::methods::context::Context;
use crate::methods::output::{LayerMap, Output};
use crate::methods::{Group, MethodSpec, Reads, Space};

/// Defaults for the SPEC of a CAM.
pub const CAM: MethodSpec = MethodSpec { reads: Reads::Layers, ..MethodSpec::base(Group::Cam, Space::Layer, "[h, w]") };

impl Context<'_> {
    /// A CAM: `map` turns a layer's activations and gradients, both `[1, C, h, w]`, into `[1, 1, h,
    /// w]`.
    ///
    /// # Errors
    /// Those of the model and the device.
    pub async fn cam(&self, map: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>) -> Result<Output> {
        let maps: Vec<Tensor<4>> = self.layer_gradients()?.into_iter().map(|(a, g)| map(a, g)).collect();
        self.combine(maps).await
    }

    /// The output of a method that has a map `[1, 1, h, w]` of each of the request's layers; see
    /// [`Context::combined`].
    ///
    /// # Errors
    /// Those of the device.
    pub async fn combine(&self, maps: Vec<Tensor<4>>) -> Result<Output> {
        let sizes: Vec<usize> = maps.iter().map(|map| map.shape().num_elements()).collect();
        let flat = maps.into_iter().map(|map| map.flatten::<1>(0, 3)).collect();
        let all = self.read(Tensor::cat(flat, 0)).await?;
        let mut rest = all.as_slice();
        let split = sizes.into_iter().map(|size| {
            let (map, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            map.to_vec()
        });
        Ok(self.combined(split.collect()))
    }

    /// The output of a method that has a map, row-major, of each of the request's layers, or of the
    /// first of them. Of several, the whole is the mean of all, each divided by its largest
    /// magnitude and shown on the finest of the grids.
    pub fn combined(&self, maps: Vec<Vec<f32>>) -> Output {
        let named = self.layers.iter().zip(maps);
        let mut layers: Vec<LayerMap> =
            named.map(|(l, values)| LayerMap { id: l.id.clone(), shape: l.fold.grid_shape(), values }).collect();
        if self.layers.len() < 2 {
            return layers.pop().map_or_else(Output::default, |only| Output::new(only.values, only.shape));
        }
        let finest = layers.iter().map(|l| l.shape).max_by_key(|[h, w]| h * w).unwrap_or_default();
        let mut whole = vec![0f32; finest.iter().product()];
        for layer in &layers {
            let largest = layer.values.iter().fold(0f32, |m, v| m.max(v.abs()));
            if largest > 0.0 && largest.is_finite() {
                let shown = bilinear(&layer.values, layer.shape, finest);
                let share = 1.0 / (largest * layers.len() as f32);
                whole.iter_mut().zip(shown).for_each(|(sum, v)| *sum += v * share);
            }
        }
        Output { layers, ..Output::new(whole, finest) }
    }
}
