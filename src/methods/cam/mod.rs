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
pub mod score_cam;
pub mod xgrad_cam;
