//! Values across the boundary.

use js_sys::{Array, Error as JsError, Float32Array, Reflect, Uint8Array};
use serde::Serialize;
use serde_json::{Map, Value};
use wasm_bindgen::prelude::*;

use crate::error::{Error, quote};
use crate::explain::{Image, Tensors};
use crate::wasm::photos;

pub(super) type JsResult<T> = Result<T, JsValue>;

pub(super) fn tensors(result: &Tensors) -> JsResult<JsValue> {
    let object = to_js(result)?;
    set(&object, "values", &Float32Array::from(result.values.as_slice()))?;
    Ok(object)
}

pub(super) fn read_request(request: JsValue) -> JsResult<Map<String, Value>> {
    serde_wasm_bindgen::from_value(request).map_err(|e| {
        throw(Error::BadOption(format!(
            "an option has an unsupported type; use numbers, strings, booleans, lists and objects: {}",
            quote(e)
        )))
    })
}

/// A whole number of at most 32 bits.
pub(super) fn whole_number(value: &JsValue) -> Option<u32> {
    value.as_f64().filter(|v| v.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(v)).map(|v| v as u32)
}

pub(super) fn read_image(input: &JsValue) -> JsResult<Image> {
    let bad = |what: &str| throw(Error::BadOption(format!("image: {what}")));
    let get = |key: &str| Reflect::get(input, &JsValue::from_str(key)).map_err(|_| bad("it must be an object"));
    let side = |key: &str| -> JsResult<u32> {
        whole_number(&get(key)?).ok_or_else(|| bad("width and height must be whole numbers"))
    };
    let bytes = |key: &str| -> JsResult<Vec<u8>> {
        let value = get(key)?;
        let view = value
            .dyn_ref::<js_sys::Uint8ClampedArray>()
            .map(|a| Uint8Array::new_with_byte_offset_and_length(&a.buffer(), a.byte_offset(), a.length()));
        let view =
            view.or_else(|| value.dyn_ref::<Uint8Array>().cloned()).ok_or_else(|| bad("the bytes are missing"))?;
        Ok(view.to_vec())
    };
    match get("kind")?.as_string().as_deref() {
        Some("encoded") => Ok(Image::Encoded(bytes("bytes")?)),
        Some("rgba") => Ok(Image::Rgba { width: side("width")?, height: side("height")?, data: bytes("data")? }),
        Some("photo") => {
            let id = side("id")?;
            Ok(Image::Photo { id, photo: photos::find(id).map_err(throw)? })
        }
        Some("tensor") => {
            let data =
                get("data")?.dyn_into::<Float32Array>().map_err(|_| bad("a tensor's data must be a Float32Array"))?;
            let shape: Array = get("shape")?.dyn_into().map_err(|_| bad("a tensor's shape must be a list"))?;
            // As many as an input has: a list that is longer is not read.
            let shape: Option<Vec<usize>> = match shape.length() {
                3 => shape.iter().map(|v| whole_number(&v).map(|v| v as usize)).collect(),
                _ => None,
            };
            Ok(Image::Tensor {
                data: data.to_vec(),
                shape: shape.ok_or_else(|| bad("a tensor's shape must be three whole numbers, [C, H, W]"))?,
            })
        }
        _ => Err(bad("its kind must be encoded, rgba, photo or tensor")),
    }
}

pub(super) fn set(object: &JsValue, key: &str, value: &JsValue) -> JsResult<()> {
    Reflect::set(object, &JsValue::from_str(key), value).map(drop)
}

pub(super) fn to_js<T: Serialize + ?Sized>(value: &T) -> JsResult<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|e| throw(Error::Internal(e.to_string())))
}

/// An `Error` object with the stable code as its own property.
pub(super) fn throw(error: Error) -> JsValue {
    let object = JsError::new(&error.to_string());
    let _ = Reflect::set(&object, &JsValue::from_str("code"), &JsValue::from_str(error.code()));
    object.into()
}
