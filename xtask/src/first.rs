//! What the page fetches before its first heatmap: its modules, the worker, and the CPU build.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

const PAGE_MODULE: &str = "main.js";
const WORKER_MODULES: [&str; 2] = ["pkg/engine/worker.js", "pkg/wasm/cpu/sightline.js"];
pub const WASM: &str = "pkg/wasm/cpu/sightline_bg.wasm";
/// Fetched by every visit, whatever the address asks for.
const DATA: [&str; 3] = [WASM, "pkg/models/models.json", "samples/samples.json"];
/// The one link that `www/index.html` has for browsers that run it unbuilt.
const MARKER: &str = "<link rel=\"modulepreload\" href=\"./pkg/index.js\">";

/// All JavaScript of a first visit, as names below `dist`.
pub fn scripts(dist: &Path) -> Result<BTreeSet<String>> {
    modules(dist, &[&[PAGE_MODULE], &WORKER_MODULES[..]].concat())
}

/// The page with links that have everything fetched at once, in place of one after the other as
/// each names the next.
pub fn with_preloads(page: &str, dist: &Path) -> Result<String> {
    if page.matches(MARKER).count() != 1 {
        bail!("the page has no single {MARKER}");
    }
    let modules = modules(dist, &[PAGE_MODULE])?;
    let modules = modules.iter().map(|name| format!("<link rel=\"modulepreload\" href=\"./{name}\">"));
    // As `fetch` asks for it.
    let data = DATA.map(|name| format!("<link rel=\"preload\" as=\"fetch\" crossorigin href=\"./{name}\">"));
    let links: Vec<_> = data.into_iter().chain(modules).collect();
    Ok(page.replacen(MARKER, &links.join("\n  "), 1))
}

/// The modules and what they import statically, as names below `folder`.
pub fn modules(folder: &Path, entries: &[&str]) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = entries.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        if found.contains(&name) {
            continue;
        }
        let text = fs::read_to_string(folder.join(&name)).with_context(|| format!("cannot read {name}"))?;
        for import in imports(&text) {
            open.push(
                join(&name, import).with_context(|| format!("{name} imports {import}, which is not below the page"))?,
            );
        }
        found.insert(name);
    }
    Ok(found)
}

/// What a module's `import ... from './x.js'` and `export ... from './x.js'` name.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split(" from '").skip(1);
    after.filter_map(|rest| rest.split('\'').next()).filter(|name| name.starts_with('.') && name.ends_with(".js"))
}

/// The name of a file that a module names relative to itself.
fn join(module: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = module.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_links_what_its_modules_import() {
        let folder = std::env::temp_dir().join(format!("sightline-first-{}", std::process::id()));
        fs::create_dir_all(folder.join("pkg")).unwrap();
        let main = "import {\n  a,\n} from './pkg/a.js';\nexport { c } from './c.js';\nimport('./late.js');\n";
        fs::write(folder.join("main.js"), main).unwrap();
        fs::write(folder.join("pkg/a.js"), "import { c } from '../c.js';\n/** @type {import('./b.js').B} */\n")
            .unwrap();
        fs::write(folder.join("c.js"), "import { a } from './pkg/a.js';\n// from 'elsewhere'\n").unwrap();
        let page = with_preloads(&format!("<head>{MARKER}</head>"), &folder).unwrap();
        let links: Vec<_> = page.split("href=\"./").skip(1).filter_map(|link| link.split('"').next()).collect();
        assert_eq!(links, [&DATA[..], &["c.js", "main.js", "pkg/a.js"]].concat());
        assert!(with_preloads("<head></head>", &folder).is_err());
        assert_eq!(join("main.js", "../x.js"), None);
        fs::write(folder.join("c.js"), "import { x } from './absent.js';").unwrap();
        assert!(modules(&folder, &["main.js"]).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
