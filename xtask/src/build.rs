//! From the crate to the static site in `dist/`.
//!
//! `cargo rustc` makes one wasm per device, wasm-bindgen its JavaScript (`pkg/wasm/<device>/`), a
//! Node script asks the CPU wasm for the registries (`pkg/wasm/registry.js`), and `www/` and `pkg/`
//! are copied together. The pages get a Content-Security-Policy made from the list of models, the
//! first of them links to what it needs first, the service worker the list of files that it keeps.
//! Compressed copies lie beside the files, `x.js.br` and `x.js.gz`, for servers that send them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use wasm_bindgen_cli_support::Bindgen;

use crate::first;
use crate::tools::{self, WASM_TARGET, command, root};

const REGISTRY_SCRIPT: &str = "scripts/registry.mjs";
/// Says which builds are there, and their sizes; below `dist/`.
const BUILDS: &str = "pkg/wasm/builds.json";
/// Those that get the policy. The examples that are there to be copied do not: it names this site's
/// hosts, not those of the page that an example ends up in.
const PAGES: [&str; 3] = ["index.html", "embed.html", "examples/index.html"];
/// The list of the package's files, which its own modules import.
pub const ASSETS: &str = "pkg/wasm/assets.js";
const SERVICE_WORKER: &str = "sw.js";
const POLICY_SCRIPT: &str = "scripts/policy.mjs";
const COMPRESS_SCRIPT: &str = "scripts/compress.mjs";
/// What the names of compressed copies end in.
pub const COPIES: [&str; 2] = ["br", "gz"];

/// Whether a file of `dist/` is made there, not copied.
fn written(name: &Path) -> bool {
    PAGES.iter().chain(&[BUILDS, SERVICE_WORKER]).any(|made| name == Path::new(made))
}

/// The two wasm builds; the name is the cargo feature and the folder.
#[derive(Clone, Copy, PartialEq)]
pub enum Device {
    Cpu,
    WebGpu,
}

impl Device {
    pub const ALL: [Self; 2] = [Self::Cpu, Self::WebGpu];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::WebGpu => "webgpu",
        }
    }

    /// One profile per device even among the fast ones: cargo gives a cdylib the same file name
    /// whatever its features are.
    fn profile(self, fast: bool) -> &'static str {
        match (self, fast) {
            (Self::Cpu, false) => "wasm",
            (Self::WebGpu, false) => "wasm-gpu",
            (Self::Cpu, true) => "wasm-fast",
            (Self::WebGpu, true) => "wasm-gpu-fast",
        }
    }

    fn folder(self) -> PathBuf {
        root().join("pkg/wasm").join(self.name())
    }
}

/// Builds everything and assembles `dist/`.
pub fn site(cpu_only: bool, fast: bool) -> Result<()> {
    prepare()?;
    let devices: &[Device] = if cpu_only { &[Device::Cpu] } else { &Device::ALL };
    for &device in devices {
        wasm(device, fast)?;
    }
    assemble(devices, fast)?;
    println!("built {}", dist().display());
    Ok(())
}

/// Installs what a build needs and this machine lacks.
pub fn prepare() -> Result<()> {
    tools::ensure_wasm_target()?;
    tools::ensure_node()
}

pub fn dist() -> PathBuf {
    root().join("dist")
}

/// Builds one wasm with its JavaScript into `pkg/wasm/`; the CPU one also gives the registries.
pub fn wasm(device: Device, fast: bool) -> Result<()> {
    let start = Instant::now();
    let name = device.name();
    let input = compile(device, fast)?;
    let bytes = fs::read(&input).with_context(|| format!("cannot read {}", input.display()))?;
    bind(device, fast, bytes)?;
    let size = wasm_size(device)?;
    println!("{name}: {:.1} MB of wasm, {:.0} s", size as f64 / 1e6, start.elapsed().as_secs_f64());
    Ok(())
}

/// Compiles the crate and returns where cargo put the wasm.
fn compile(device: Device, fast: bool) -> Result<PathBuf> {
    let mut cargo = tools::cargo(&["rustc", "--package", "sightline", "--lib"]);
    cargo
        .args(["--crate-type", "cdylib", "--target", WASM_TARGET])
        .args(["--profile", device.profile(fast)])
        .args(["--no-default-features", "--features", device.name()])
        .arg("--message-format=json-render-diagnostics");
    artifact(&tools::output(&mut cargo)?).context("cargo named no wasm file")
}

/// The last wasm file among cargo's messages.
fn artifact(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .find_map(|message| {
            let files = message["filenames"].as_array()?;
            let mut paths = files.iter().filter_map(Value::as_str).map(PathBuf::from);
            paths.find(|path| path.extension().is_some_and(|end| end == "wasm"))
        })
}

/// Runs wasm-bindgen, and after the CPU build the registry script, unless their output is up to
/// date.
fn bind(device: Device, fast: bool, wasm: Vec<u8>) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    (&wasm, fast).hash(&mut hasher);
    if device == Device::Cpu {
        fs::read(root().join(REGISTRY_SCRIPT))?.hash(&mut hasher);
    }
    let stamp = format!("{:016x}", hasher.finish());

    let folder = device.folder();
    let stamp_file = folder.join("build.stamp");
    let present = wasm_size(device).is_ok() && root().join("pkg/wasm/registry.js").is_file();
    if present && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    Bindgen::new()
        .input_bytes("sightline", wasm)
        .web(true)?
        .typescript(true)
        .remove_name_section(!fast)
        .remove_producers_section(!fast)
        .generate(&folder)
        .context("wasm-bindgen failed")?;
    if device == Device::Cpu {
        tools::run(&mut command("node", &[REGISTRY_SCRIPT]))?;
    }
    // The stamp is written last: a run that was cut off is done again.
    fs::write(stamp_file, stamp).context("cannot write the build stamp")
}

fn wasm_size(device: Device) -> Result<u64> {
    let file = device.folder().join("sightline_bg.wasm");
    let data = fs::metadata(&file).with_context(|| format!("{} is missing", file.display()))?;
    Ok(data.len())
}

/// The files that the package fetches as it runs, each by the expression in which bundlers look for
/// such files: `pkg/wasm/assets.js`.
fn assets(files: &BTreeMap<PathBuf, PathBuf>) -> String {
    let fetched = |name: &str| {
        let kind = name.rsplit_once('.').map(|(_, kind)| kind);
        let folder = name.split_once('/').map_or("", |(folder, _)| folder);
        match folder {
            "engine" => name == "engine/worker.js",
            "wasm" => name.matches('/').count() == 2 && matches!(kind, Some("js" | "wasm")),
            "labels" | "models" => matches!(kind, Some("json" | "safetensors")),
            _ => false,
        }
    };
    let names = files.keys().filter_map(|path| Some(path.strip_prefix("pkg").ok()?.to_str()?.replace('\\', "/")));
    let mut names: Vec<String> = names.filter(|name| fetched(name)).chain(["wasm/builds.json".to_owned()]).collect();
    names.sort();
    let lines: String = names
        .iter()
        .map(|name| {
            let from_here = name.strip_prefix("wasm/").map_or_else(|| format!("../{name}"), |name| format!("./{name}"));
            format!("  '{name}': new URL('{from_here}', import.meta.url),\n")
        })
        .collect();
    format!(
        "// The package's files, made by `cargo xtask build`.\n\
         /** @type {{Record<string, URL>}} */\n\
         export const assets = {{\n{lines}}};\n"
    )
}

/// Makes `dist/` hold the page, the package and the named wasm builds with their compressed copies,
/// and nothing else. `fast` compresses less.
pub fn assemble(devices: &[Device], fast: bool) -> Result<()> {
    let (www, pkg) = (root().join("www"), root().join("pkg"));
    if !www.join("index.html").is_file() {
        bail!("www/index.html is missing");
    }
    let mut files = BTreeMap::new();
    let page = |path: &Path| path != Path::new("models");
    collect(&www, Path::new(""), &page, &mut files)?;
    let package = |path: &Path| !["node_modules", "tests", "wasm"].iter().any(|name| path == Path::new(name));
    collect(&pkg, Path::new("pkg"), &package, &mut files)?;
    let models = www.join("models");
    if models.is_dir() {
        collect(&models, Path::new("pkg/models"), &|_| true, &mut files)?;
    }
    let docs = root().join("target/docs");
    tools::run(command("node", &["scripts/docs.mjs"]).arg(&docs))?;
    collect(&docs, Path::new("docs"), &|_| true, &mut files)?;
    for (name, from) in [("LICENSE", "LICENSE-MIT"), ("CHANGELOG.md", "CHANGELOG.md")] {
        files.insert(Path::new("pkg").join(name), root().join(from));
    }
    for name in ["registry.js", "registry.d.ts"] {
        files.insert(Path::new("pkg/wasm").join(name), pkg.join("wasm").join(name));
    }
    let mut builds = json!({ "cpu": null, "webgpu": null });
    for &device in devices {
        let to = Path::new("pkg/wasm").join(device.name());
        let wanted = |path: &Path| path != Path::new("build.stamp");
        collect(&device.folder(), &to, &wanted, &mut files)?;
        builds[device.name()] = json!({ "bytes": wasm_size(device)? });
    }
    let list = root().join(ASSETS);
    fs::write(&list, assets(&files)).context("cannot write the list of the package's files")?;
    files.insert(ASSETS.into(), list);
    files.retain(|name, _| !written(name));
    let read = |path: PathBuf| fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()));
    let policy = tools::output(&mut command("node", &[POLICY_SCRIPT, "www/models/models.json"]))?;
    let page = |name| with_policy(&read(www.join(name))?, &policy).with_context(|| format!("www/{name}"));
    let pages = PAGES.iter().map(|name| Ok((name, page(name)?))).collect::<Result<Vec<_>>>()?;
    let worker = read(www.join(SERVICE_WORKER))?;

    mirror(&files, &dist())?;
    // After the files that they speak of.
    for (name, page) in pages {
        write(name, &if *name == PAGES[0] { first::with_preloads(&page, &dist())? } else { page })?;
    }
    write(BUILDS, &format!("{builds}\n"))?;
    let made = PAGES.iter().chain(&[BUILDS]).map(Path::new);
    let names = files.keys().map(PathBuf::as_path).chain(made);
    write(SERVICE_WORKER, &with_files(&worker, &dist(), names)?)?;
    let mut compress = command("node", &[COMPRESS_SCRIPT]);
    compress.arg(dist()).args(fast.then_some("--fast"));
    tools::run(&mut compress)
}

/// Writes a file below `dist/` that was made here.
fn write(name: &str, text: &str) -> Result<()> {
    let target = dist().join(name);
    if fs::read(&target).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    remove_copies(&target)?;
    fs::write(&target, text).with_context(|| format!("cannot write {}", target.display()))
}

/// The page with a policy, which has to stand before anything that it binds.
fn with_policy(page: &str, policy: &str) -> Result<String> {
    let after = "<meta charset=\"utf-8\">";
    if policy.contains('"') || page.matches(after).count() != 1 {
        bail!("the page has no single {after}, or the policy has a quotation mark");
    }
    let meta = format!("{after}\n  <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">", policy.trim());
    Ok(page.replacen(after, &meta, 1))
}

/// Whether the page keeps a file for use without a connection: with its first visit, once it was
/// used, or not at all.
fn keeping(name: &Path) -> Option<&'static str> {
    let unused = ["examples", "docs"].iter().any(|folder| name.starts_with(folder));
    let kind = name.extension().and_then(|end| end.to_str()).unwrap_or_default();
    // A model's card is shown.
    let text = kind == "md" && !name.starts_with("pkg/models");
    if unused || text || ["ts", "map", "zip"].contains(&kind) {
        None
    } else if name == Path::new("pkg/wasm/webgpu/sightline_bg.wasm") {
        Some("ONCE_USED")
    } else {
        Some("ALWAYS")
    }
}

/// The service worker with its lists: the files' names with the SHA-256 of what is below `folder`.
fn with_files<'a>(worker: &str, folder: &Path, names: impl Iterator<Item = &'a Path>) -> Result<String> {
    let mut lists = BTreeMap::from([("ALWAYS", Map::new()), ("ONCE_USED", Map::new())]);
    for name in names {
        let Some(list) = keeping(name).and_then(|list| lists.get_mut(list)) else { continue };
        let bytes = fs::read(folder.join(name)).with_context(|| format!("cannot read {}", name.display()))?;
        list.insert(name.to_string_lossy().replace('\\', "/"), tools::sha256(&bytes).into());
    }
    let mut worker = worker.to_owned();
    for (name, files) in lists {
        let empty = format!("const {name} = JSON.parse('{{}}');");
        if worker.matches(&empty).count() != 1 {
            bail!("www/{SERVICE_WORKER} has no single {empty}");
        }
        worker = worker.replace(&empty, &format!("const {name} = {:#};", Value::Object(files)));
    }
    Ok(worker)
}

/// Adds the files below `from` to `files`, keyed by their place below `dist/`. `wanted` sees paths
/// relative to `from`.
fn collect(
    from: &Path,
    to: &Path,
    wanted: &dyn Fn(&Path) -> bool,
    files: &mut BTreeMap<PathBuf, PathBuf>,
) -> Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = from.join(&folder);
        let entries = fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for entry in entries {
            let entry = entry?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let relative = folder.join(entry.file_name());
            if hidden || !wanted(&relative) {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(relative);
            } else {
                files.insert(to.join(&relative), entry.path());
            }
        }
    }
    Ok(())
}

/// The files below `folder` by name, but for hidden ones and compressed copies.
pub fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let mut files = BTreeMap::new();
    collect(folder, Path::new(""), &|_| true, &mut files)?;
    let names = files.keys().filter(|name| original(name) == *name);
    Ok(names.map(|name| name.to_string_lossy().replace('\\', "/")).collect())
}

/// Copies what differs and removes what is not in `files`, so that a server on `folder` always
/// finds whole files.
fn mirror(files: &BTreeMap<PathBuf, PathBuf>, folder: &Path) -> Result<()> {
    for (name, source) in files {
        let target = folder.join(name);
        if !same(source, &target) {
            replace(source, &target)?;
        }
    }
    let mut present = BTreeMap::new();
    collect(folder, Path::new(""), &|_| true, &mut present)?;
    for (name, path) in present {
        let of = original(&name);
        if !files.contains_key(of) && !written(of) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// The file that a compressed copy is of; other files are their own.
pub fn original(name: &Path) -> &Path {
    let copy = name.extension().is_some_and(|end| COPIES.iter().any(|copy| end == *copy));
    match (copy, name.to_str().and_then(|name| name.rsplit_once('.'))) {
        (true, Some((of, _))) => Path::new(of),
        _ => name,
    }
}

/// The compressed copy of a file.
pub fn copy_of(file: &Path, form: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(form);
    name.into()
}

/// Before a file changes: no server is to send what it held.
fn remove_copies(file: &Path) -> Result<()> {
    for copy in COPIES.map(|form| copy_of(file, form)) {
        if copy.exists() {
            fs::remove_file(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
        }
    }
    Ok(())
}

fn same(a: &Path, b: &Path) -> bool {
    let size = |path: &Path| path.metadata().map(|data| data.len()).ok();
    size(a) == size(b) && fs::read(a).ok() == fs::read(b).ok()
}

fn replace(source: &Path, target: &Path) -> Result<()> {
    let place = || format!("cannot copy {} to {}", source.display(), target.display());
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).with_context(place)?;
    }
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    fs::copy(source, &part).with_context(place)?;
    remove_copies(target)?;
    fs::rename(&part, target).with_context(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sightline-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn the_wasm_is_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","filenames":["/t/libburn.rlib"]}"#,
            "\n",
            r#"{"reason":"compiler-artifact","filenames":["/t/sightline.d","/t/sightline.wasm"]}"#,
            "\nnot json\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(artifact(messages), Some(PathBuf::from("/t/sightline.wasm")));
        assert_eq!(artifact(""), None);
    }

    #[test]
    fn the_page_gets_its_policy_and_the_service_worker_its_files() {
        let page = with_policy("<head>\n  <meta charset=\"utf-8\">\n", "default-src 'none'\n").unwrap();
        let meta = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">";
        assert_eq!(page, format!("<head>\n  <meta charset=\"utf-8\">\n  {meta}\n"));
        assert!(with_policy("<head>", "default-src 'none'").is_err());
        assert!(with_policy(&page, "x\" onload=\"y").is_err());

        let folder = scratch("worker");
        let names = ["a.js", "a.d.ts", "examples/x.js", "pkg/wasm/webgpu/sightline_bg.wasm"].map(Path::new);
        for name in names {
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), "abc").unwrap();
        }
        let worker = "const ALWAYS = JSON.parse('{}');\nconst ONCE_USED = JSON.parse('{}');\n";
        let made = with_files(worker, &folder, names.into_iter()).unwrap();
        // SHA-256 of "abc", FIPS 180-2.
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let kept = |name: &str| format!("{{\n  \"{name}\": \"{hash}\"\n}};\n");
        let wasm = kept("pkg/wasm/webgpu/sightline_bg.wasm");
        assert_eq!(made, format!("const ALWAYS = {}const ONCE_USED = {wasm}", kept("a.js")));
        assert!(with_files("", &folder, names.into_iter()).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_mirror_copies_updates_and_removes() {
        let folder = scratch("mirror");
        let (source, target) = (folder.join("source"), folder.join("target"));
        fs::create_dir_all(source.join("models/a")).unwrap();
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::create_dir_all(&target).unwrap();
        fs::write(source.join("page.html"), "one").unwrap();
        fs::write(source.join(".hidden"), "no").unwrap();
        fs::write(source.join("models/a/model"), "no").unwrap();
        fs::write(source.join("sub/x.js"), "x").unwrap();
        fs::write(target.join("stale"), "old").unwrap();
        fs::write(target.join("page.html"), "two").unwrap();
        fs::create_dir_all(target.join("sub")).unwrap();
        fs::write(target.join("sub/x.js"), "x").unwrap();
        // Of the page, which changes, of a file that stays, and of one that is gone.
        for copy in ["page.html.br", "page.html.gz", "sub/x.js.br", "stale.gz"] {
            fs::write(target.join(copy), "small").unwrap();
        }

        let mut files = BTreeMap::new();
        let wanted = |path: &Path| path != Path::new("models");
        collect(&source, Path::new(""), &wanted, &mut files).unwrap();
        mirror(&files, &target).unwrap();

        let mut present = BTreeMap::new();
        collect(&target, Path::new(""), &|_| true, &mut present).unwrap();
        let names: Vec<_> = present.keys().map(|name| name.to_string_lossy().replace('\\', "/")).collect();
        assert_eq!(names, ["page.html", "sub/x.js", "sub/x.js.br"]);
        assert_eq!(fs::read_to_string(target.join("page.html")).unwrap(), "one");
        fs::remove_dir_all(folder).unwrap();
    }
}
