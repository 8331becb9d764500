//! What a model's files say.

mod config;
mod guess;
mod pth;

use serde_json::Value;

use crate::common::*;

pub fn tiny(name: &str) -> (String, Vec<u8>) {
    let folder = golden(&format!("packages/{name}"));
    (
        std::fs::read_to_string(folder.join("config.json")).unwrap(),
        std::fs::read(folder.join("model.safetensors")).unwrap(),
    )
}

pub fn message(config: &str, weights: &[u8], code: &str) -> String {
    let error = load(config, weights).err().expect("this package must be refused");
    assert_eq!(error.code(), code, "{error}");
    error.to_string()
}

/// The config with `edit` applied.
pub fn edited(config: &str, edit: impl Fn(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(config).unwrap();
    edit(&mut value);
    value.to_string()
}
