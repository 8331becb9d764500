//! `cargo xtask size`: what is downloaded, as brotli sends it, against the budgets and against a
//! record of how it grew and for what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::build::{self, Device};
use crate::first;
use crate::tools::{self, command, root};

const RECORD: &str = "tests/sizes.json";
const WEIGH_SCRIPT: &str = "scripts/weigh.mjs";

/// What one part of the download is made of.
enum Files {
    One(&'static str),
    /// All scripts that the page and its worker load before the first heatmap.
    FirstVisit,
    /// A module with what it imports beyond the first visit.
    Module(&'static str),
    /// What folders of this name have beyond the first visit: a part for each name of a file.
    Folders(&'static str),
}

struct Part {
    name: &'static str,
    files: Files,
    /// The build that it comes from, where it differs between a released one and a quick one.
    device: Option<Device>,
}

const WASM: &str = "first visit: wasm";
const SCRIPTS: &str = "first visit: scripts";
const WEBGPU: &str = "WebGPU: wasm";
/// Everything that is downloaded but photos, weights and examples. A script that is in none of the
/// parts is an error, so that the table stays whole.
const PARTS: [Part; 10] = [
    Part { name: WASM, files: Files::One(first::WASM), device: Some(Device::Cpu) },
    Part { name: SCRIPTS, files: Files::FirstVisit, device: Some(Device::Cpu) },
    Part { name: WEBGPU, files: Files::One("pkg/wasm/webgpu/sightline_bg.wasm"), device: Some(Device::WebGpu) },
    Part { name: "WebGPU: scripts", files: Files::One("pkg/wasm/webgpu/sightline.js"), device: Some(Device::WebGpu) },
    Part { name: "the element", files: Files::Module("pkg/element.js"), device: None },
    Part { name: "the page to embed", files: Files::Module("embed.js"), device: None },
    Part { name: "the page around it", files: Files::One("embed-host.js"), device: None },
    Part { name: "a page opened from the disk", files: Files::One("from-disk.js"), device: None },
    Part { name: "ImageNet's labels", files: Files::One("pkg/labels/imagenet1k.json"), device: None },
    Part { name: "texts", files: Files::Folders("i18n"), device: None },
];
/// Scripts that no page waits for: the service worker, which a page without a connection needs, and
/// what is there to be copied.
const APART: [&str; 3] = ["sw.js", "examples/", "docs/"];

/// What some parts may weigh together.
struct Budget {
    name: &'static str,
    parts: &'static [&'static str],
    bytes: u64,
}

const BUDGETS: [Budget; 2] = [
    Budget { name: "a first visit", parts: &[WASM, SCRIPTS], bytes: 1_150_000 },
    Budget { name: "the WebGPU build", parts: &[WEBGPU], bytes: 2_600_000 },
];

/// A part may be this much larger than recorded, in thousandths: less than any new capability takes
/// (the smallest of them has 10 kB of the first visit's 1,150), more than a mended fault does.
const GROWTH: u64 = 5;
/// And this many bytes in any case: a sentence in a small file is not worth a row.
const LEAST: u64 = 1_000;

/// Brotli bytes of parts, by name.
type Sizes = BTreeMap<String, u64>;

/// Files by the name of their part; one entry of [`PARTS`] can have several.
type Named = BTreeMap<String, BTreeSet<String>>;

/// One measurement that was kept.
#[derive(Serialize, Deserialize)]
struct Row {
    date: String,
    /// What the bytes are for.
    note: String,
    /// Sizes depend on it.
    rustc: String,
    /// Only the parts that were measured.
    bytes: Sizes,
}

/// Builds as for a release and compares; with a `note`, keeps the sizes as a new row.
pub fn run(cpu_only: bool, note: Option<String>) -> Result<()> {
    build::site(cpu_only, false)?;
    let devices: &[Device] = if cpu_only { &[Device::Cpu] } else { &Device::ALL };
    match note {
        Some(note) => record(devices, note),
        None => check(devices),
    }
}

/// Compares `dist/`, whose builds for `devices` have to be released ones, with the record.
///
/// # Errors
/// Where a budget is exceeded, or a part has grown or is new.
pub fn check(devices: &[Device]) -> Result<()> {
    let rows = rows()?;
    let sizes = measure(devices)?;
    print(&sizes);
    let mut problems = over(&sizes);
    problems.extend(grown(&rows, &sizes));
    if problems.is_empty() {
        return Ok(());
    }
    let rustc = rustc()?;
    let compilers = rows.last().filter(|row| row.rustc != rustc);
    let compilers = compilers.map_or_else(String::new, |row| format!("\nrecorded with {}, this is {rustc}", row.rustc));
    bail!(
        "{}{compilers}\nMake it smaller, or where the growth is worth it, keep it: \
         cargo xtask size --update --note \"what it is for\"",
        problems.join("\n")
    )
}

fn record(devices: &[Device], note: String) -> Result<()> {
    let mut rows = rows()?;
    let bytes = measure(devices)?;
    print(&bytes);
    let problems = over(&bytes);
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    let today = "new Date().toISOString().slice(0, 10)";
    let date = tools::output(&mut command("node", &["--print", today]))?.trim().to_owned();
    rows.push(Row { date, note, rustc: rustc()?, bytes });
    let text = serde_json::to_string_pretty(&rows)? + "\n";
    fs::write(root().join(RECORD), text).with_context(|| format!("cannot write {RECORD}"))
}

/// The measurements that were kept, the oldest first.
fn rows() -> Result<Vec<Row>> {
    let text = fs::read_to_string(root().join(RECORD)).with_context(|| format!("cannot read {RECORD}"))?;
    serde_json::from_str(&text).with_context(|| format!("{RECORD} is not a list of measurements"))
}

fn rustc() -> Result<String> {
    Ok(tools::output(&mut command("rustc", &["--version"]))?.trim().to_owned())
}

fn print(sizes: &Sizes) {
    for (name, bytes) in sizes {
        println!("{bytes:>9}  {name}");
    }
}

/// Weighs the parts of `dist/` whose builds are among `devices`.
fn measure(devices: &[Device]) -> Result<Sizes> {
    let dist = build::dist();
    let parts = parts(&dist)?;
    let parts = parts.into_iter().filter(|(part, _)| part.device.is_none_or(|device| devices.contains(&device)));
    let parts: Named = parts.flat_map(|(_, named)| named).collect();
    let names: BTreeSet<_> = parts.values().flatten().collect();
    let mut weigh = command("node", &[WEIGH_SCRIPT]);
    let weights: Sizes = serde_json::from_str(&tools::output(weigh.arg(&dist).args(names))?)?;
    let weight = |name: &String| weights.get(name).copied().with_context(|| format!("{name} was not weighed"));
    let sum = |files: &BTreeSet<String>| files.iter().map(weight).sum::<Result<u64>>();
    parts.iter().map(|(name, files)| Ok((name.clone(), sum(files)?))).collect()
}

/// The files of each part of the site in `dist`, below which they are named.
fn parts(dist: &Path) -> Result<Vec<(&'static Part, Named)>> {
    let first = first::scripts(dist)?;
    let all = build::names(dist)?;
    let mut parts = Vec::new();
    for part in &PARTS {
        let mut files = Named::new();
        match part.files {
            Files::One(name) => {
                if all.contains(name) {
                    files.insert(part.name.to_owned(), BTreeSet::from([name.to_owned()]));
                }
            }
            Files::FirstVisit => {
                files.insert(part.name.to_owned(), first.clone());
            }
            Files::Module(name) => {
                let later = first::modules(dist, &[name])?.difference(&first).cloned().collect();
                files.insert(part.name.to_owned(), later);
            }
            Files::Folders(folder) => {
                for name in all.difference(&first) {
                    let path = Path::new(name);
                    let stem = path.file_stem().and_then(|stem| stem.to_str());
                    if let (true, Some(stem)) = (path.parent().is_some_and(|parent| parent.ends_with(folder)), stem) {
                        files.entry(format!("{}: {stem}", part.name)).or_default().insert(name.clone());
                    }
                }
            }
        }
        parts.push((part, files));
    }
    let known: BTreeSet<_> = parts.iter().flat_map(|(_, files)| files.values().flatten()).collect();
    let apart = |name: &String| APART.iter().any(|start| name.starts_with(start));
    let code = |name: &String| name.ends_with(".js") || name.ends_with(".wasm");
    let unknown: Vec<_> = all.iter().filter(|name| code(name) && !apart(name) && !known.contains(name)).collect();
    if !unknown.is_empty() {
        bail!("in no part of the download that xtask/src/size.rs names: {unknown:?}");
    }
    Ok(parts)
}

/// The budgets that are exceeded. Those whose parts were not all measured are left out.
fn over(sizes: &Sizes) -> Vec<String> {
    let sum = |budget: &Budget| budget.parts.iter().map(|name| sizes.get(*name).copied()).sum::<Option<u64>>();
    let over = BUDGETS.iter().filter_map(|budget| Some((budget, sum(budget).filter(|sum| *sum > budget.bytes)?)));
    over.map(|(budget, sum)| format!("{} downloads {sum} bytes (brotli), its budget is {}", budget.name, budget.bytes))
        .collect()
}

/// The parts that weigh more than their last measurements allow, or have none.
fn grown(rows: &[Row], sizes: &Sizes) -> Vec<String> {
    let last = |name: &str| rows.iter().rev().find_map(|row| row.bytes.get(name).copied());
    let problem = |(name, &now): (&String, &u64)| match last(name) {
        Some(before) if now <= before + (before * GROWTH / 1000).max(LEAST) => None,
        Some(before) => Some(format!("{name}: {now} bytes (brotli), {before} in {RECORD}")),
        None => Some(format!("{name}: {now} bytes (brotli), not in {RECORD}")),
    };
    sizes.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(parts: &[(&str, u64)]) -> Sizes {
        parts.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
    }

    fn row(parts: &[(&str, u64)]) -> Row {
        Row { date: String::new(), note: String::new(), rustc: String::new(), bytes: sizes(parts) }
    }

    #[test]
    fn growth_since_the_last_row_of_a_part_is_refused() {
        let rows = [row(&[(WASM, 500_000), (WEBGPU, 2_000_000)]), row(&[(WASM, 700_000), (SCRIPTS, 100_000)])];
        let grown = |parts: &[(&str, u64)]| grown(&rows, &sizes(parts));
        assert_eq!(grown(&[(WASM, 703_500), (SCRIPTS, 101_000), (WEBGPU, 2_010_000)]), [""; 0]);
        assert_eq!(grown(&[(WASM, 1), (SCRIPTS, 1)]), [""; 0]);
        assert_eq!(grown(&[(WASM, 703_501)]), ["first visit: wasm: 703501 bytes (brotli), 700000 in tests/sizes.json"]);
        assert_eq!(grown(&[(SCRIPTS, 101_001), (WEBGPU, 2_010_001)]).len(), 2);
        assert_eq!(grown(&[("texts: de", 5)]), ["texts: de: 5 bytes (brotli), not in tests/sizes.json"]);
    }

    #[test]
    fn a_budget_is_of_the_sum_of_its_parts() {
        assert_eq!(over(&sizes(&[(WASM, 1_000_000), (SCRIPTS, 150_000), (WEBGPU, 2_600_000)])), [""; 0]);
        assert_eq!(over(&sizes(&[(WASM, 2_000_000)])), [""; 0]);
        let first = "a first visit downloads 1150001 bytes (brotli), its budget is 1150000";
        let webgpu = "the WebGPU build downloads 2600001 bytes (brotli), its budget is 2600000";
        assert_eq!(over(&sizes(&[(WASM, 1_000_000), (SCRIPTS, 150_001), (WEBGPU, 2_600_001)])), [first, webgpu]);
    }

    #[test]
    fn every_script_is_in_a_part() {
        let dist = std::env::temp_dir().join(format!("sightline-parts-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dist);
        let files = [
            ("main.js", "import { a } from './a.js';\n"),
            ("a.js", "import { en } from './i18n/en.js';\n"),
            ("i18n/en.js", ""),
            ("i18n/de.js", ""),
            ("embed.js", "import { e } from './pkg/element.js';\nimport { a } from './a.js';\n"),
            ("sw.js", ""),
            ("examples/x.js", ""),
            ("pkg/element.js", ""),
            ("pkg/engine/worker.js", ""),
            ("pkg/odd.js", ""),
            ("pkg/i18n/de.js", ""),
            ("pkg/labels/imagenet1k.json", ""),
            ("pkg/wasm/cpu/sightline.js", ""),
            ("pkg/wasm/cpu/sightline_bg.wasm", ""),
        ];
        for (name, text) in files {
            let path = dist.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let error = parts(&dist).err().unwrap().to_string();
        assert!(error.ends_with("names: [\"pkg/odd.js\"]"), "{error}");
        fs::remove_file(dist.join("pkg/odd.js")).unwrap();
        let named: Named = parts(&dist).unwrap().into_iter().flat_map(|(_, files)| files).collect();
        let of = |name: &str| named[name].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(of("texts: de"), ["i18n/de.js", "pkg/i18n/de.js"]);
        assert_eq!(of("the page to embed"), ["embed.js", "pkg/element.js"]);
        assert_eq!(of(SCRIPTS).len(), 5);
        assert!(!named.contains_key(WEBGPU) && !named.contains_key("texts: en"));
        fs::remove_dir_all(dist).unwrap();
    }

    #[test]
    fn the_record_is_within_the_budgets() {
        let rows = rows().unwrap();
        let last = |part: &str| rows.iter().rev().find_map(|row| row.bytes.get(part).copied());
        let now = BUDGETS.iter().flat_map(|budget| budget.parts).map(|part| ((*part).to_owned(), last(part).unwrap()));
        assert_eq!(over(&now.collect()), [""; 0]);
    }
}
