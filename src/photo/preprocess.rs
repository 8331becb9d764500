//! From an upright photo to the tensor that a model is fed, as timm's evaluation transform does it
//! with Pillow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::photo::Photo;
use crate::photo::resize::{Axis, Interpolation, resample};

/// How the photo is fitted to the input, timm's `crop_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CropMode {
    /// Shorter side to floor(size / crop_pct), centre crop.
    Center,
    /// Both sides to floor(size / crop_pct) whatever the aspect, centre crop.
    Squash,
}

/// How photos become inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct PreprocessConfig {
    /// `[C, H, W]`; C is 3.
    pub input_size: [usize; 3],
    /// Subtracted from values in [0, 1].
    pub mean: [f32; 3],
    /// Divided by.
    pub std: [f32; 3],
    /// Share of the resized image's side that the crop keeps.
    pub crop_pct: f64,
    /// Resampling filter.
    pub interpolation: Interpolation,
    /// Fitting rule.
    pub crop_mode: CropMode,
}

impl PreprocessConfig {
    /// Reads a `pretrained_cfg`; absent or null keys take timm's defaults.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the key.
    pub fn from_pretrained_cfg(cfg: &Value) -> Result<Self> {
        let get = |key: &str| cfg.get(key).filter(|v| !v.is_null());
        let bad = |key: &str, why: &str| Error::BadModel(format!("config.json: pretrained_cfg.{key} {why}"));
        let triple = |key: &str, default: [f32; 3], fits: fn(f32) -> bool| match get(key) {
            None => Ok(default),
            Some(value) => {
                let list: Option<Vec<f32>> =
                    value.as_array().and_then(|a| a.iter().map(|v| v.as_f64().map(|v| v as f32)).collect());
                let triple = list.and_then(|l| <[f32; 3]>::try_from(l).ok()).filter(|t| t.iter().all(|&v| fits(v)));
                triple.ok_or_else(|| bad(key, "must be three numbers in a plausible range"))
            }
        };
        let input_size = match get("input_size") {
            None => [3, 224, 224],
            Some(value) => {
                let list: Option<Vec<u64>> = value.as_array().and_then(|a| a.iter().map(Value::as_u64).collect());
                match list.as_deref() {
                    Some(&[3, h, w]) if (1..=1024).contains(&h) && (1..=1024).contains(&w) => {
                        [3, h as usize, w as usize]
                    }
                    _ => return Err(bad("input_size", "must be [3, height, width] with sides from 1 to 1024")),
                }
            }
        };
        let crop_pct = match get("crop_pct") {
            None => 0.875,
            Some(v) => v
                .as_f64()
                .filter(|v| (0.05..=1.0).contains(v))
                .ok_or_else(|| bad("crop_pct", "must be from 0.05 to 1"))?,
        };
        let interpolation = match get("interpolation").map(|v| v.as_str()) {
            None => Interpolation::Bicubic,
            Some(Some("bilinear")) => Interpolation::Bilinear,
            Some(Some("bicubic")) => Interpolation::Bicubic,
            Some(Some("lanczos")) => Interpolation::Lanczos,
            Some(_) => return Err(bad("interpolation", "must be bilinear, bicubic or lanczos")),
        };
        let crop_mode = match get("crop_mode").map(|v| v.as_str()) {
            None | Some(Some("center")) => CropMode::Center,
            Some(Some("squash")) => CropMode::Squash,
            Some(_) => return Err(bad("crop_mode", "must be center or squash")),
        };
        Ok(Self {
            input_size,
            mean: triple("mean", [0.485, 0.456, 0.406], f32::is_finite)?,
            std: triple("std", [0.229, 0.224, 0.225], |v| v.is_finite() && v > 0.0)?,
            crop_pct,
            interpolation,
            crop_mode,
        })
    }

    /// Size (width, height) to which a photo of `width` x `height` is resized before the crop.
    fn resized(&self, width: usize, height: usize) -> (usize, usize) {
        let [_, h, w] = self.input_size;
        let scaled = |n: usize| ((n as f64 / self.crop_pct).floor() as usize).max(1);
        if self.crop_mode == CropMode::Squash {
            return (scaled(w), scaled(h));
        }
        if h == w {
            // torchvision's Resize: floor(short * long0 / short0) for the longer side.
            let short = scaled(w);
            return if width <= height { (short, short * height / width) } else { (short * width / height, short) };
        }
        // timm's ResizeKeepRatio for oblong inputs: the smaller ratio fills the crop, both sides
        // rounded half to even.
        let (target_w, target_h) = (scaled(w) as f64, scaled(h) as f64);
        let ratio = (width as f64 / target_w).min(height as f64 / target_h);
        let round = |n: usize| ((n as f64 / ratio).round_ties_even() as usize).max(1);
        (round(width), round(height))
    }
}

/// The part of the upright photo that the model saw, in the photo's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Crop {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// The upright photo's width.
    pub photo_width: u32,
    /// The upright photo's height.
    pub photo_height: u32,
}

/// A photo prepared for the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// `[3, H, W]`, normalised.
    pub data: Vec<f32>,
    /// The part of the photo that it shows.
    pub crop: Crop,
}

/// Resizes, crops and normalises.
///
/// # Errors
/// [`Error::UnsupportedImage`] for a photo without pixels.
pub fn preprocess(photo: &Photo, config: &PreprocessConfig) -> Result<Prepared> {
    let (width, height) = (photo.width as usize, photo.height as usize);
    if width == 0 || height == 0 || photo.rgb.len() != width * height * 3 {
        return Err(Error::UnsupportedImage("the image has no pixels; choose another one".into()));
    }
    let [_, h, w] = config.input_size;
    // By the photo's own size, of which it may be a smaller copy.
    let [photo_width, photo_height] = photo.full_size();
    let (resized_w, resized_h) = config.resized(photo_width as usize, photo_height as usize);
    // Round half to even, as Python's round in torchvision's CenterCrop. The resized picture is
    // never smaller than the crop.
    let offset = |n: usize, size: usize| ((n as f64 - size as f64) / 2.0).round_ties_even().max(0.0) as usize;
    let (left, top) = (offset(resized_w, w), offset(resized_h, h));
    let columns = Axis::new(width, resized_w, config.interpolation).outputs(left, w);
    let rows = Axis::new(height, resized_h, config.interpolation).outputs(top, h);
    let pixels = resample(photo, &columns, &rows);
    let mut data = vec![0.0f32; 3 * h * w];
    for ((plane, mean), (std, channel)) in data.chunks_mut(h * w).zip(config.mean).zip(config.std.iter().zip(0..)) {
        for (value, &level) in plane.iter_mut().zip(pixels.iter().skip(channel).step_by(3)) {
            *value = (f32::from(level) / 255.0 - mean) / std;
        }
    }
    let (scale_x, scale_y) = (f64::from(photo_width) / resized_w as f64, f64::from(photo_height) / resized_h as f64);
    let crop = Crop {
        x: left as f64 * scale_x,
        y: top as f64 * scale_y,
        width: w as f64 * scale_x,
        height: h as f64 * scale_y,
        photo_width,
        photo_height,
    };
    Ok(Prepared { data, crop })
}
