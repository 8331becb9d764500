//! Every dependency's licence has to be one that the project may ship under.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, LicenseReq};

use crate::tools::{self, root};

/// Licences that ask for no more than keeping their notice. MPL-2.0 binds only the files under it.
const ALLOWED: [&str; 16] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    // Of data: browser versions, which only a test tool reads.
    "CC-BY-4.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks the crates of all features and platforms, and the npm packages of the lock files.
///
/// # Errors
/// Names each dependency whose licence is not allowed or not given.
pub fn check() -> Result<()> {
    // `cargo metadata` would also list what no feature ever turns on.
    let mut tree = tools::cargo(&["tree", "--workspace", "--all-features", "--locked"]);
    tree.args(["--target", "all", "--prefix", "none", "--format", "{p}|{l}"]);
    let tree = tools::output(&mut tree)?;
    let mut dependencies = crate_licences(&tree);
    let count = dependencies.len();
    for name in ["package-lock.json", "tests/bundlers/package-lock.json", "tests/bench/package-lock.json"] {
        let lock = fs::read_to_string(root().join(name)).with_context(|| format!("no {name}"))?;
        dependencies.extend(npm_licences(&serde_json::from_str(&lock)?));
    }
    let problems: Vec<_> = dependencies.iter().filter_map(problem).collect();
    if !problems.is_empty() {
        bail!("licences:\n  {}", problems.join("\n  "));
    }
    let packages = dependencies.len() - count;
    println!("licences: {count} crates and {packages} npm packages, all allowed");
    Ok(())
}

/// A dependency and its licence expression.
type Dependency = (String, Option<String>);

/// Reads lines of `name version (where)|licence`; a crate's later lines end in ` (*)`.
fn crate_licences(tree: &str) -> Vec<Dependency> {
    let lines: BTreeSet<_> = tree.lines().filter_map(|line| line.trim_end_matches(" (*)").rsplit_once('|')).collect();
    lines
        .into_iter()
        .map(|(name, licence)| {
            // Before SPDX expressions, crates listed alternatives with a slash.
            let licence = (!licence.is_empty()).then(|| licence.replace('/', " OR "));
            (name.to_owned(), licence)
        })
        .collect()
}

fn npm_licences(lock: &Value) -> Vec<Dependency> {
    let packages = lock["packages"].as_object().into_iter().flatten();
    packages
        .filter(|(path, _)| !path.is_empty())
        .map(|(path, package)| {
            let name = format!("{path} {}", word(&package["version"]));
            (name, package["license"].as_str().map(str::to_owned))
        })
        .collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn problem((name, licence): &Dependency) -> Option<String> {
    let Some(licence) = licence else {
        return Some(format!("{name}: no licence is given"));
    };
    match Expression::parse(licence) {
        Ok(expression) if expression.evaluate(allowed) => None,
        Ok(_) => Some(format!("{name}: {licence} is not allowed")),
        Err(error) => Some(format!("{name}: {licence} is no licence expression ({})", error.reason)),
    }
}

fn allowed(licence: &LicenseReq) -> bool {
    ALLOWED.contains(&licence.to_string().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepts(licence: &str) -> bool {
        problem(&("x 1.0.0".to_owned(), Some(licence.to_owned()))).is_none()
    }

    #[test]
    fn expressions() {
        for licence in ALLOWED {
            assert!(accepts(licence), "{licence}");
        }
        assert!(accepts("MIT OR GPL-3.0-only"));
        assert!(accepts("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!accepts("MIT AND GPL-3.0-only"));
        assert!(!accepts("AGPL-3.0-or-later"));
        assert!(!accepts("Apache-2.0 WITH Classpath-exception-2.0"));
        assert!(!accepts("SEE LICENSE IN LICENSE.md"));
        assert!(!accepts(""));
        assert!(problem(&("x 1.0.0".to_owned(), None)).is_some());
    }

    #[test]
    fn dependencies_are_read() {
        let tree = "old v1.0.0|MIT/Apache-2.0\nbad v2.0.0 (proc-macro)|\n\nold v1.0.0|MIT/Apache-2.0 (*)\n";
        let found = crate_licences(tree);
        let old = Some("MIT OR Apache-2.0".to_owned());
        assert_eq!(found[0], ("bad v2.0.0 (proc-macro)".to_owned(), None));
        assert_eq!(found[1], ("old v1.0.0".to_owned(), old));
        assert_eq!(found.len(), 2);

        let lock = json!({ "packages": {
            "": { "name": "own" },
            "node_modules/a": { "version": "1.2.3", "license": "ISC" },
        } });
        assert_eq!(npm_licences(&lock), [("node_modules/a 1.2.3".to_owned(), Some("ISC".to_owned()))]);
    }
}
