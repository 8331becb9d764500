//! Every method against the libraries of its field: `golden/methods` (always) and real models with
//! real photos (where `../shared` is).
//!
//! `UPDATE=1 cargo test --test native conformance` writes CONFORMANCE.md.
//! `CASE=<part of model/case>` runs those cases alone, and says how each agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use sightline::Explainer;
use sightline::methods::METHODS;
use sightline::nn::load::Package;

use crate::common::*;

/// Methods that no case covers, and why.
const UNCOVERED: &[(&str, &str)] = &[(
    "salient_relevance",
    "no library has it; `tests/native/methods/relevance/` implements it a second time, and the LRP it starts from agrees with \
     zennit's",
)];

/// A model folder's package: its file, or the weights that its seed makes.
fn package(folder: &Path) -> Package {
    if folder.join("model.safetensors").exists() {
        return open(folder);
    }
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let meta = read_json(&folder.join("golden.json"));
    let gain = meta["gain"].as_f64().unwrap_or(1.0) as f32;
    load(&config, &hashed_weights(&config, meta["seed"].as_u64().unwrap(), gain)).unwrap()
}

/// What is said of a method against a library, in one row of the table.
#[derive(Default)]
struct Row {
    models: BTreeSet<String>,
    cases: usize,
    worst: f64,
}

/// (place of the method in the registry, method, library, whether agreement is asserted, what
/// differs)
type Key = (usize, String, String, bool, String);

/// The request of a case, with the tensors that it hands over.
fn request(case: &Value, tensors: &Tensors) -> Value {
    let given = |name: &Value| {
        let (shape, data) = &tensors[name.as_str().unwrap()];
        json!({ "data": data, "shape": shape })
    };
    let mut request = case["request"].clone();
    for (option, names) in case["inject"].as_object().into_iter().flatten() {
        request[option] = match names {
            Value::Array(names) => names.iter().map(given).collect(),
            name => given(name),
        };
    }
    request
}

/// How well ours agrees with the library's map of a case: the cosine, or the correlation where that
/// is less. Maps without negative values point the same way by their mean alone.
fn agreement(explainer: &mut Explainer, tensors: &Tensors, case: &Value) -> Result<f64, String> {
    let got = attribute(explainer, &tensor(tensors, "input"), request(case, tensors)).map_err(|e| e.to_string())?;
    let (mut values, mut shape) = (got.values, got.shape);
    if let Some(id) = case["of"].as_str() {
        let layer = got.layers.into_iter().find(|layer| layer.id == id).ok_or(format!("no map of layer {id}"))?;
        (values, shape) = (layer.values, layer.shape.to_vec());
    }
    let (expected_shape, expected) = &tensors[case["expected"].as_str().unwrap()];
    if shape != *expected_shape {
        return Err(format!("its shape is {shape:?}, not {expected_shape:?}"));
    }
    match case["clip"].as_str() {
        Some("relu") => values.iter_mut().for_each(|v| *v = v.max(0.0)),
        clip => assert_eq!(clip, Some("none")),
    }
    let around_mean = |values: &[f32]| -> Vec<f32> {
        let mean = values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64;
        values.iter().map(|&v| (f64::from(v) - mean) as f32).collect()
    };
    let correlation = cosine(&around_mean(&values), &around_mean(expected));
    // Not `min`, which would lose a NaN.
    let cosine = cosine(&values, expected);
    Ok(if correlation < cosine || correlation.is_nan() { correlation } else { cosine })
}

#[test]
fn every_method_agrees_with_the_libraries() {
    let only = std::env::var("CASE").ok();
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut folders: Vec<_> =
        std::fs::read_dir(golden("methods")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let file = read_json(&folder.join("cases.json"));
        let tensors = read_tensors(&folder.join("golden.safetensors"));
        let wanted = |case: &&Value| {
            only.as_ref().is_none_or(|only| format!("{name}/{}", case["case"].as_str().unwrap()).contains(only))
        };
        let cases: Vec<&Value> = file["cases"].as_array().unwrap().iter().filter(wanted).collect();
        if cases.is_empty() {
            continue;
        }
        let mut explainer = explainer(package(&golden(file["model"].as_str().unwrap())));
        for case in cases {
            let what = format!("{name}/{}", case["case"].as_str().unwrap());
            let method = case["request"]["method"].as_str().unwrap();
            let place = METHODS.iter().position(|m| m.spec.id == method).unwrap_or(usize::MAX);
            let least = case["cosine"].as_f64();
            let cosine = match agreement(&mut explainer, &tensors, case) {
                Ok(cosine) => cosine,
                Err(error) => {
                    wrong.push(format!("{what}: {error}"));
                    continue;
                }
            };
            if only.is_some() {
                println!("{what}: {cosine:.9}");
            }
            // A documented difference has to be a number all the same.
            if cosine.is_nan() || least.is_some_and(|least| cosine < least) {
                wrong.push(format!("{what}: cosine {cosine:.7} with {}", case["library"]));
            }
            let text = |field: &str| case[field].as_str().unwrap().to_owned();
            let row = rows
                .entry((place, method.to_owned(), text("library"), least.is_none(), text("definition")))
                .or_insert(Row { worst: f64::INFINITY, ..Row::default() });
            row.models.insert(name.clone());
            row.cases += 1;
            row.worst = row.worst.min(cosine);
        }
    }
    assert!(wrong.is_empty(), "{} cases do not agree:\n{}", wrong.len(), wrong.join("\n"));
    if only.is_some() {
        assert!(!rows.is_empty(), "no case has such a name");
        return;
    }
    let covered: BTreeSet<&str> = rows.keys().map(|key| key.1.as_str()).collect();
    for method in METHODS.iter().map(|m| m.spec.id) {
        let excused = UNCOVERED.iter().any(|(id, _)| *id == method);
        assert!(covered.contains(method) != excused, "{method} has to have a case or a reason for having none");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CONFORMANCE.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, page(&rows)).unwrap();
    }
    // Figures differ by machine in their last digits: all else of the page has to be as it is made
    // here.
    let old = std::fs::read_to_string(path).unwrap_or_default();
    let bare = |text: &str| text.lines().map(without_figure).collect::<Vec<_>>().join("\n");
    assert_eq!(bare(&old), bare(&page(&rows)), "run UPDATE=1 cargo test --test native conformance");
}

/// A cosine, rounded down to where it is known.
fn shown(cosine: f64) -> String {
    if cosine >= 0.9999 { format!("{:.7}", (cosine * 1e7).floor() / 1e7) } else { format!("{cosine:.2}") }
}

/// A row of the table without its agreement.
fn without_figure(line: &str) -> String {
    line.split(" | ").enumerate().filter(|(column, _)| *column != 3).map(|(_, cell)| cell).collect::<Vec<_>>().join("|")
}

fn page(rows: &BTreeMap<Key, Row>) -> String {
    let mut out = String::from(
        "# Agreement with other libraries\n\n\
         Every method is compared with the libraries of its field on tiny seeded models. *Agreement* is the smallest \
         cosine between the two maps over the cases of a row (or the correlation, where that is smaller).\n\
         `tests/golden/methods/README.md` describes how the references are made. \
         `UPDATE=1 cargo test --test native conformance` writes this page and asserts 0.9999.\n\
         *definition* means the paper's formula in a few lines of PyTorch or NumPy, in \
         `tests/reference/make_method_goldens.py`.\n\n\
         | method | library | version | agreement | cases | on | difference, and what was compared |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for ((_, method, library, differs, definition), row) in rows {
        let models = row.models.iter().cloned().collect::<Vec<_>>().join(", ");
        let (library, version) = library.rsplit_once(' ').unwrap_or((library, "-"));
        let note = match definition.as_str() {
            "" => "none".to_owned(),
            text if *differs => format!("**not asserted**: {text}"),
            text => text.to_owned(),
        };
        out += &format!(
            "| `{method}` | {library} | {version} | {} | {} | {models} | {} |\n",
            shown(row.worst),
            row.cases,
            note.replace('|', "\\|")
        );
    }
    out += "\nWithout a reference:\n\n";
    for (method, why) in UNCOVERED {
        out += &format!("* `{method}`: {why}.\n");
    }
    out
}

#[test]
fn real_models_agree_on_real_photos() {
    for model in ["deit_tiny_patch16_224", "mobilenetv2_100_same"] {
        let Some((mut explainer, references)) = real_model(model) else { return };
        for (name, expected, meta) in references {
            let target = meta["target"].clone();
            let image = tensor(&expected, "input");
            let gradient = &expected["input_gradient"].1;
            let magnitudes: Vec<f32> = gradient.iter().map(|v| v.abs()).collect();
            let product: Vec<f32> = gradient.iter().zip(&expected["input"].1).map(|(g, x)| g * x).collect();
            for (method, values) in [
                ("grad_cam", &expected["grad_cam"].1),
                ("hires_cam", &expected["hires_cam"].1),
                ("layer_cam", &expected["layer_cam"].1),
                ("saliency", &magnitudes),
                ("input_x_gradient", &product),
            ] {
                let request = json!({ "method": method, "target": target });
                let agreement = cosine(&attribute(&mut explainer, &image, request).unwrap().values, values);
                println!("{model} {name}: {method} {agreement:.7}");
                assert!(agreement >= 0.9999, "{model}: {method} has cosine {agreement}");
            }
        }
    }
}
