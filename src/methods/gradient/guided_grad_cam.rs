//! Guided Grad-CAM. Selvaraju et al. 2016, arXiv 1610.02391, section 3.2.
//!
//! Guided backpropagation times ReLU(Grad-CAM) of the layer shown on the input's grid. Two forward
//! and two backward passes, the second pair from the layer on.
//!
//! Output `[C, H, W]`, signed as guided backpropagation. The paper interpolates the map linearly
//! (here as PyTorch with `align_corners=False`); captum's `GuidedGradCam` takes the nearest cell by
//! default.

use crate::error::Result;
use crate::math::grid::{bilinear, nearest};
use crate::methods::Context;
use crate::methods::cam::grad_cam;
use crate::methods::gradient::GRADIENT;
use crate::methods::gradient::guided_backprop::{self, Rectified};
use crate::methods::{Kind, MethodSpec, Need, OptionSpec, Output, Reads};

/// The registry entry.
pub static SPEC: MethodSpec = MethodSpec {
    id: "guided_grad_cam",
    name: "Guided Grad-CAM",
    summary: "Which fine structures lie in the regions that push the score up?",
    caveat: "Its detail comes from guided backpropagation, which hardly depends on the class: only the location comes \
             from Grad-CAM.",
    citation: "Selvaraju et al. 2016",
    arxiv: "1610.02391",
    equation: "guided_backprop * upsampled ReLU(grad_cam)",
    cost: "2 forward and 2 backward passes, one pair of them from the layer on",
    needs: &[Need::Gradients, Need::Rectifiers],
    reads: Reads::Layer,
    options: &[OptionSpec {
        id: "interpolation",
        kind: Kind::Choice { default: "bilinear", choices: &["bilinear", "nearest"] },
        unit: None,
        help: "how the layer's map is resized to the input",
    }],
    ..GRADIENT
};

/// Computes the attribution.
///
/// # Errors
/// Those of the model and the device.
pub async fn run(context: &Context<'_>) -> Result<Output> {
    let [channels, h, w] = context.spec().input_size;
    let grow = match context.options().choice("interpolation")? {
        "nearest" => nearest,
        _ => bilinear,
    };
    let map = grad_cam::run(context).await?;
    let positive: Vec<f32> = map.values.iter().map(|v| v.max(0.0)).collect();
    let factors = grow(&positive, context.layer()?.fold.grid_shape(), [h, w]);
    let mut values = context.read(guided_backprop::gradient(context, Rectified::Guided)?).await?;
    values.iter_mut().zip(factors.iter().cycle()).for_each(|(value, factor)| *value *= factor);
    Ok(Output::new(values, [channels, h, w]))
}
