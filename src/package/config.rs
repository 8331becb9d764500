//! `config.json` in the layout that timm publishes, read with bounds on every dimension.

use serde_json::{Map, Value};

use crate::error::{Result, bad_model, quote};
use crate::package::args::Args;
use crate::package::json;
use crate::package::limits::{MAX_CONFIG_BYTES, MAX_LABEL_CHARS};
use crate::photo::preprocess::PreprocessConfig;

/// Whose names a package's tensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// timm's, the default.
    Timm,
    /// torchvision's.
    Torchvision,
}

/// What a package's `config.json` says.
#[derive(Debug, Clone)]
pub struct Config {
    /// timm's architecture name without the tag.
    pub architecture: String,
    /// K
    pub num_classes: usize,
    /// `token`, `avg`, ...; `None` for the architecture's default.
    pub global_pool: Option<String>,
    /// Constructor arguments.
    pub args: Args,
    /// How photos become inputs.
    pub preprocess: PreprocessConfig,
    /// K names, where the package has them.
    pub label_names: Option<Vec<String>>,
    /// What logits are divided by before the softmax that gives probabilities (`temperature`, 1
    /// where absent).
    pub temperature: f64,
    /// Whose names the tensors have (`keys`). The loader takes the other ones where they alone fit.
    pub keys: Keys,
}

impl Config {
    /// Reads config.json.
    ///
    /// # Errors
    /// [`Error::BadModel`] saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_CONFIG_BYTES {
            return bad_model(format!("config.json has {} bytes; the limit is {MAX_CONFIG_BYTES}", text.len()));
        }
        let value = json::config(text)?;
        let Some(top) = value.as_object() else {
            return bad_model("config.json is not a JSON object");
        };
        let empty = Value::Object(Map::new());
        // Older files keep the preprocessing at the top level.
        let pretrained =
            top.get("pretrained_cfg").unwrap_or(if top.contains_key("input_size") { &value } else { &empty });
        let Some(name) = top.get("architecture").and_then(Value::as_str) else {
            return bad_model("config.json has no \"architecture\"; only timm's layout is supported");
        };
        let architecture = name.split('.').next().unwrap_or(name).to_owned();
        let mut args = Args::new(match top.get("model_args") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(args)) => args.clone(),
            Some(_) => return bad_model("config.json: \"model_args\" must be an object"),
        });
        let given = args.take("num_classes");
        let num_classes = match class_count(given.as_ref(), &value).map(Value::as_u64) {
            Some(Some(n)) if (1..=1_000_000).contains(&n) => n as usize,
            Some(Some(0)) => {
                return bad_model(format!(
                    "config.json: num_classes is 0; this {} is a feature extractor without classes. Open a classifier \
                     instead",
                    quote(&architecture)
                ));
            }
            Some(_) => return bad_model("config.json: \"num_classes\" must be a number from 1 to 1,000,000"),
            None => return bad_model("config.json has no \"num_classes\""),
        };
        let described = top.get("global_pool").filter(|pool| !pool.is_null());
        let global_pool = match args.take("global_pool").or(described.cloned()) {
            None => None,
            Some(Value::String(pool)) => Some(pool),
            Some(_) => return bad_model("config.json: \"global_pool\" must be a string"),
        };
        let label_names = match top.get("label_names").or(pretrained.get("label_names")) {
            None | Some(Value::Null) => None,
            Some(Value::Array(names)) => {
                let names: Option<Vec<String>> = names.iter().map(|n| n.as_str().map(str::to_owned)).collect();
                let long = |name: &String| name.len() > MAX_LABEL_CHARS && name.chars().count() > MAX_LABEL_CHARS;
                match names {
                    Some(names) if names.iter().any(long) => {
                        return bad_model(format!(
                            "config.json has a label of more than {MAX_LABEL_CHARS} characters; use names for labels"
                        ));
                    }
                    Some(names) if names.len() == num_classes => Some(names),
                    Some(names) => {
                        return bad_model(format!(
                            "config.json has {} label_names for {num_classes} classes",
                            names.len()
                        ));
                    }
                    None => return bad_model("config.json: \"label_names\" must contain only strings"),
                }
            }
            Some(_) => return bad_model("config.json: \"label_names\" must be a list"),
        };
        let temperature = match top.get("temperature").map(Value::as_f64) {
            None => 1.0,
            Some(Some(t)) if (0.01..=100.0).contains(&t) => t,
            Some(_) => return bad_model("config.json: \"temperature\" must be a number from 0.01 to 100"),
        };
        let keys = match top.get("keys").map(|v| v.as_str()) {
            None | Some(Some("timm")) => Keys::Timm,
            Some(Some("torchvision")) => Keys::Torchvision,
            Some(_) => return bad_model("config.json: \"keys\" must be \"timm\" or \"torchvision\""),
        };
        let preprocess = PreprocessConfig::from_pretrained_cfg(pretrained)?;
        Ok(Self { architecture, num_classes, global_pool, args, preprocess, label_names, temperature, keys })
    }

    /// Refuses any pooling but `pool`, which is the architecture's only one.
    ///
    /// # Errors
    /// [`Error::BadModel`] naming the other.
    pub fn only_pooled_by(&self, pool: &str) -> Result<()> {
        match self.global_pool.as_deref() {
            None => Ok(()),
            Some(asked) if asked == pool => Ok(()),
            Some(other) => bad_model(format!(
                "config.json: global_pool \"{}\" is not supported for {}; only {pool:?} is",
                quote(other),
                quote(&self.architecture)
            )),
        }
    }

    /// The K class names: the package's own, else `fallback` where it has K names, else "class 17".
    pub fn labels(&self, fallback: Option<Vec<String>>) -> Vec<String> {
        let named = self.label_names.clone().or(fallback.filter(|names| names.len() == self.num_classes));
        named.unwrap_or_else(|| (0..self.num_classes).map(|k| format!("class {k}")).collect())
    }
}

/// Where a config says how many classes there are, the only place that reads it: `model_args`
/// (`given`) come before the top level, and that before `pretrained_cfg`, as in timm.
fn class_count<'a>(given: Option<&'a Value>, config: &'a Value) -> Option<&'a Value> {
    given.or_else(|| config.get("num_classes")).or_else(|| config.pointer("/pretrained_cfg/num_classes"))
}
