//! The photos that a page's explainers share, decoded once. What asks for them names them by
//! number.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{Object, Reflect, Uint8ClampedArray};
use sha2::{Digest as _, Sha256};
use wasm_bindgen::prelude::*;

use crate::error::{Error, Result};
use crate::explain::Image;
use crate::photo::Photo;
use crate::photo::resize::{Interpolation, resize};
use crate::wasm::convert::{JsResult, read_image, set, throw, whole_number};

thread_local! {
    static PHOTOS: RefCell<BTreeMap<u32, Rc<Photo>>> = const { RefCell::new(BTreeMap::new()) };
}

/// The photo that is kept under this number.
pub(super) fn find(id: u32) -> Result<Rc<Photo>> {
    PHOTOS
        .with_borrow(|photos| photos.get(&id).cloned())
        .ok_or_else(|| Error::Internal(format!("photo {id} is not here")))
}

/// Decodes an image (as calls take it) and keeps it, or the part of it in `part`
/// (`{ x, y, width, height }`, whole pixels).
#[wasm_bindgen(js_name = keepPhoto)]
pub fn keep_photo(id: u32, source: JsValue, part: JsValue) -> JsResult<()> {
    let photo = match read_image(&source)? {
        Image::Encoded(bytes) => Photo::decode(&bytes),
        Image::Rgba { width, height, data } => Photo::from_rgba(width, height, &data),
        Image::Photo { .. } | Image::Tensor { .. } => Err(Error::BadOption("image: this is not a photo".into())),
    };
    let mut photo = photo.map_err(throw)?;
    if !part.is_undefined() {
        let side = |key: &str| {
            whole_number(&Reflect::get(&part, &JsValue::from_str(key))?)
                .ok_or_else(|| throw(Error::BadOption(format!("box: {key} must be a whole number"))))
        };
        photo = photo.part(side("x")?, side("y")?, side("width")?, side("height")?).map_err(throw)?;
    }
    PHOTOS.with_borrow_mut(|photos| photos.insert(id, Rc::new(photo)));
    Ok(())
}

/// `{ width, height, bytes, sha256, pixels: { width, height, data } }` of a photo that is kept: its
/// size, what it takes decoded, the SHA-256 of its width and height (u32, little-endian) and its
/// RGB bytes, and RGBA with the longer side at most `longest`.
#[wasm_bindgen(js_name = describePhoto)]
pub fn describe_photo(id: u32, longest: u32) -> JsResult<JsValue> {
    let photo = find(id).map_err(throw)?;
    let [full_width, full_height] = photo.full_size();
    let mut hash = Sha256::new();
    hash.update(full_width.to_le_bytes());
    hash.update(full_height.to_le_bytes());
    hash.update(&photo.rgb);
    let sha256 = format!("{:x}", hash.finalize());
    let scale = (f64::from(longest) / f64::from(photo.width.max(photo.height))).min(1.0);
    let side = |length: u32| ((f64::from(length) * scale).round() as usize).max(1);
    let (width, height) = (side(photo.width), side(photo.height));
    let small = (scale < 1.0).then(|| resize(&photo, width, height, Interpolation::Bilinear));
    let rgb = small.as_ref().map_or(&photo.rgb, |small| &small.rgb);
    let rgba: Vec<u8> = rgb.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
    let pixels: JsValue = Object::new().into();
    set(&pixels, "width", &JsValue::from(width as f64))?;
    set(&pixels, "height", &JsValue::from(height as f64))?;
    set(&pixels, "data", &Uint8ClampedArray::from(rgba.as_slice()))?;
    let object: JsValue = Object::new().into();
    set(&object, "width", &JsValue::from(full_width))?;
    set(&object, "height", &JsValue::from(full_height))?;
    set(&object, "bytes", &JsValue::from(photo.rgb.len() as f64))?;
    set(&object, "sha256", &JsValue::from_str(&sha256))?;
    set(&object, "pixels", &pixels)?;
    Ok(object)
}

/// Nobody needs the photo any more.
#[wasm_bindgen(js_name = forgetPhoto)]
pub fn forget_photo(id: u32) {
    PHOTOS.with_borrow_mut(|photos| photos.remove(&id));
}
