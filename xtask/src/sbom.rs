//! What ships beside the project's own code: a bill of materials (CycloneDX) and the licences, for
//! the package and for the site. Both are the same for the same lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::build::Device;
use crate::tools::{self, WASM_TARGET, command, root};

/// Below `pkg/` of what ships. npm packs any `LICENSE.*`; package.json names the other.
pub const BILL: &str = "sbom.cdx.json";
pub const LICENCES: &str = "LICENSE.third-party.txt";

/// A crate that is linked into a build.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
}

/// Writes both files into `package`, the `pkg/` of a built site that has these builds.
pub fn write(package: &Path, devices: &[Device]) -> Result<()> {
    let metadata = metadata()?;
    let mut linked: BTreeMap<Crate, Vec<&str>> = BTreeMap::new();
    for &device in devices {
        for part in crates_of(device)? {
            linked.entry(part).or_default().push(device.name());
        }
    }
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let mut components = Vec::new();
    for (part, builds) in &linked {
        components.push(component(part, builds, find(&metadata, part)?, &checksums(&lock)));
    }
    components.push(standard_library()?);
    components.extend(files(package)?);
    let bill = bill(components);
    let write = |name: &str, text: String| {
        let path = package.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(BILL, format!("{bill:#}\n"))?;
    write(LICENCES, licences(linked.keys(), &metadata)?)?;
    println!(
        "{BILL}: {} components, {} of them crates",
        bill["components"].as_array().map_or(0, Vec::len),
        linked.len()
    );
    Ok(())
}

/// The crates whose code is in a build: neither those that run as it is built, nor the project's.
fn crates_of(device: Device) -> Result<BTreeSet<Crate>> {
    let mut tree = tools::cargo(&["tree", "--package", "sightline", "--locked", "--no-default-features"]);
    tree.args(["--features", device.name(), "--target", WASM_TARGET, "--edges", "normal,no-proc-macro"]);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    Ok(tools::output(&mut tree)?.lines().filter_map(line_of_tree).collect())
}

/// Reads `name v1.2.3`; the project's own crates have a place behind it.
fn line_of_tree(line: &str) -> Option<Crate> {
    let (name, version) = line.trim_end_matches(" (*)").split_once(" v")?;
    (!version.contains(' ')).then(|| Crate { name: name.to_owned(), version: version.to_owned() })
}

fn metadata() -> Result<Value> {
    let mut cargo = tools::cargo(&["metadata", "--format-version", "1", "--locked", "--all-features"]);
    serde_json::from_str(&tools::output(cargo.args(["--filter-platform", WASM_TARGET]))?).context("cargo metadata")
}

fn find<'a>(metadata: &'a Value, part: &Crate) -> Result<&'a Value> {
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .find(|package| package["name"] == *part.name && package["version"] == *part.version)
        .with_context(|| format!("cargo metadata has no {} {}", part.name, part.version))
}

/// The SHA-256 of each crate as it was downloaded, from the lock file.
fn checksums(lock: &str) -> BTreeMap<Crate, &str> {
    let entries = lock.split("[[package]]").filter_map(|entry| {
        let value = |key: &str| {
            let line = entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
            Some(line.trim_matches('"'))
        };
        let part = Crate { name: value("name")?.to_owned(), version: value("version")?.to_owned() };
        Some((part, value("checksum")?))
    });
    entries.collect()
}

/// Before SPDX expressions, crates listed alternatives with a slash.
fn expression(package: &Value) -> String {
    let licence = package["license"].as_str().unwrap_or("NOASSERTION");
    licence.replace(" / ", "/").replace('/', " OR ")
}

fn component(part: &Crate, builds: &[&str], package: &Value, checksums: &BTreeMap<Crate, &str>) -> Value {
    let Crate { name, version } = part;
    let purl = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"));
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [{ "expression": expression(package) }],
        "properties": [{ "name": "sightline:builds", "value": builds.join(" ") }],
    });
    if let Some(checksum) = checksums.get(part) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(url) = package["repository"].as_str() {
        component["externalReferences"] = json!([{ "type": "vcs", "url": url }]);
    }
    component
}

/// Every wasm holds parts of it.
fn standard_library() -> Result<Value> {
    let version = tools::output(&mut command("rustc", &["--version"]))?;
    let version = version.split(' ').nth(1).context("rustc says no version")?;
    Ok(json!({
        "type": "library",
        "bom-ref": format!("rust-std@{version}"),
        "name": "rust-std",
        "version": version,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        "externalReferences": [{ "type": "vcs", "url": "https://github.com/rust-lang/rust" }],
    }))
}

/// The models of the package, and the samples of the page around it.
fn files(package: &Path) -> Result<Vec<Value>> {
    let mut components = Vec::new();
    let data = |path: &Path, kind: &str, name: String| -> Result<Value> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let hashes = json!([{ "alg": "SHA-256", "content": tools::sha256(&bytes) }]);
        Ok(json!({ "type": kind, "bom-ref": name.clone(), "name": name, "hashes": hashes }))
    };
    let models = package.join("models");
    let mut folders: Vec<PathBuf> = fs::read_dir(&models)
        .with_context(|| format!("cannot read {}", models.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    folders.sort();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let name = format!("models/{}", folder.file_name().unwrap_or_default().to_string_lossy());
        let mut model = data(&folder.join("model.safetensors"), "machine-learning-model", name)?;
        // What their cards say: that of the project.
        model["licenses"] = json!([{ "license": { "id": "MIT" } }]);
        components.push(model);
    }
    let samples = package.parent().unwrap_or(package).join("samples");
    let list = fs::read_to_string(samples.join("samples.json")).context("cannot read the list of samples")?;
    let list: Vec<Value> = serde_json::from_str(&list).context("samples.json")?;
    for sample in &list {
        let (Some(file), Some(credit)) = (sample["file"].as_str(), sample["credit"].as_str()) else {
            bail!("samples.json: a sample has no file or no credit");
        };
        let mut photo = data(&samples.join(file), "data", format!("samples/{file}"))?;
        photo["copyright"] = credit.into();
        components.push(photo);
    }
    Ok(components)
}

fn bill(components: Vec<Value>) -> Value {
    let own = format!("pkg:npm/sightline@{}", env!("CARGO_PKG_VERSION"));
    let parts: Vec<Value> = components.iter().map(|component| component["bom-ref"].clone()).collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": {
            "type": "library",
            "bom-ref": own,
            "name": "sightline",
            "version": env!("CARGO_PKG_VERSION"),
            "purl": own,
            "licenses": [{ "license": { "id": "MIT" } }],
        } },
        "components": components,
        "dependencies": [{ "ref": own, "dependsOn": parts }],
    })
}

/// The texts that the crates come with, each once, under the names of those that have it.
fn licences<'a>(crates: impl Iterator<Item = &'a Crate>, metadata: &Value) -> Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for part in crates {
        let package = find(metadata, part)?;
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let expression = expression(package);
        let found = texts_of(manifest.parent().unwrap_or(manifest), &expression)?;
        let line = format!("{} {} ({expression})", part.name, part.version);
        if found.is_empty() {
            let authors: Vec<_> =
                package["authors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let source = package["repository"].as_str().unwrap_or("crates.io");
            without.push(format!("{line}: {}; {source}", authors.join(", ")).replace(": ;", ":"));
        }
        for text in found {
            texts.entry(text).or_default().push(line.clone());
        }
    }
    let mut page =
        "The WebAssembly programs of Sightline contain code of the Rust standard library (MIT OR Apache-2.0) and of\n\
                    these crates. Where a crate leaves the choice, it is used under MIT if that is one of them.\n"
            .to_owned();
    for (text, names) in &texts {
        let _ = write!(page, "\n{}\n{}\n\n{text}\n", "=".repeat(80), names.join("\n"));
    }
    if !without.is_empty() {
        let rule = "=".repeat(80);
        let _ = write!(page, "\n{rule}\nThese come without a text of their own:\n\n{}\n", without.join("\n"));
    }
    Ok(page)
}

/// The licence files of a crate: the MIT one alone, where that is one of several to choose from.
fn texts_of(folder: &Path, expression: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let named =
            ["license", "licence", "copying", "notice", "unlicense"].iter().any(|start| name.starts_with(start));
        if named && path.is_file() {
            files.push((name, path));
        }
    }
    files.sort();
    let chosen = |name: &str| name.contains("mit");
    if expression.contains(" OR ") && files.iter().any(|(name, _)| chosen(name)) {
        files.retain(|(name, _)| chosen(name) || name.starts_with("notice"));
    }
    let read = |path: &Path| -> Result<String> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned())
    };
    files.iter().map(|(_, path)| read(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_and_the_lock_file_are_read() {
        let half = Crate { name: "half".to_owned(), version: "2.7.1".to_owned() };
        assert_eq!(line_of_tree("half v2.7.1 (*)").as_ref(), Some(&half));
        assert_eq!(line_of_tree("sightline v0.1.0 (/a/place)"), None);
        let lock = "version = 4\n\n[[package]]\nname = \"half\"\nversion = \"2.7.1\"\nsource = \"registry\"\n\
                    checksum = \"abc\"\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
        assert_eq!(checksums(lock), BTreeMap::from([(half, "abc")]));
        assert_eq!(expression(&json!({ "license": "MIT / Apache-2.0" })), "MIT OR Apache-2.0");
    }

    #[test]
    fn every_crate_of_the_builds_has_a_checksum_a_licence_and_a_text_or_an_author() {
        let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
        let (metadata, sums) = (metadata().unwrap(), checksums(&lock));
        let [cpu, webgpu] = Device::ALL.map(|device| crates_of(device).unwrap());
        assert!(cpu.len() > 50 && webgpu.len() > cpu.len());
        // What is linked, and what only runs as it is built.
        let names: BTreeSet<_> = webgpu.iter().map(|part| part.name.as_str()).collect();
        assert!(names.contains("wgpu") && names.contains("serde_json"));
        assert!(!names.contains("serde_derive") && !names.contains("sightline") && !names.contains("criterion"));
        for part in &webgpu {
            let component = component(part, &["webgpu"], find(&metadata, part).unwrap(), &sums);
            assert_eq!(component["hashes"][0]["content"].as_str().unwrap().len(), 64, "{part:?}");
            let licence = component["licenses"][0]["expression"].as_str().unwrap();
            assert!(spdx::Expression::parse(licence).is_ok(), "{part:?}: {licence}");
        }
        let page = licences(webgpu.iter(), &metadata).unwrap();
        for part in &webgpu {
            assert!(page.contains(&format!("\n{} {} (", part.name, part.version)), "{part:?}");
        }
        assert!(page.contains("Permission is hereby granted, free of charge"));
    }
}
