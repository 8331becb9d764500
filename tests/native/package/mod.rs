//! What a model's files say.

mod config;
mod guess;
mod memory;
mod pth;

use serde_json::Value;

use crate::common::*;

/// The config and the weights of tiny-vit.
pub fn tiny_vit() -> (String, Vec<u8>) {
    let golden = Golden::read("packages/tiny-vit");
    (golden.config.clone(), golden.weights())
}

/// The message with which a package is refused.
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
