//! `cargo xtask size`: what a first visit downloads, as brotli sends it, against the committed record and the limit.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::build::{self, Device};
use crate::first;
use crate::tools::{self, command, root};

const RECORD: &str = "tests/sizes.json";
const WEIGH_SCRIPT: &str = "scripts/weigh.mjs";
/// Bytes of the CPU build's wasm and of all JavaScript that a first heatmap takes.
const LIMIT: u64 = 900_000;
/// May be grown by, in hundredths of the record.
const GROWTH: u64 = 3;

/// Builds for the CPU as it is released, and compares; `update` writes the record.
pub fn run(update: bool) -> Result<()> {
    build::site(true, false)?;
    if update { record() } else { check() }
}

/// Compares the CPU build in `dist/`, which has to be a released one, with the record.
///
/// # Errors
/// Where it is over the limit, or has grown.
pub fn check() -> Result<()> {
    let text = fs::read_to_string(root().join(RECORD)).with_context(|| format!("cannot read {RECORD}"))?;
    let recorded: Value = serde_json::from_str(&text).with_context(|| format!("{RECORD} is not JSON"))?;
    let now = measure()?;
    println!("{now:#}");
    judge(&recorded, &now)
}

fn record() -> Result<()> {
    let now = measure()?;
    judge(&now, &now)?;
    fs::write(root().join(RECORD), format!("{now:#}\n")).with_context(|| format!("cannot write {RECORD}"))?;
    println!("{now:#}");
    Ok(())
}

/// The bytes, and the compiler, which they depend on.
fn measure() -> Result<Value> {
    let dist = build::dist();
    let scripts = first::scripts(&dist)?;
    let mut weigh = command("node", &[WEIGH_SCRIPT]);
    weigh.arg(&dist).arg(first::WASM).args(&scripts);
    let sizes: Value = serde_json::from_str(&tools::output(&mut weigh)?)?;
    let size = |name: &str| sizes[name].as_u64().with_context(|| format!("{name} was not weighed"));
    let wasm = size(first::WASM)?;
    let scripts = scripts.iter().map(|name| size(name)).sum::<Result<u64>>()?;
    let rustc = tools::output(&mut command("rustc", &["--version"]))?;
    Ok(
        json!({ Device::Cpu.name(): { "wasm": wasm, "scripts": scripts, "total": wasm + scripts }, "rustc": rustc.trim() }),
    )
}

fn judge(recorded: &Value, now: &Value) -> Result<()> {
    let total = |sizes: &Value| sizes["cpu"]["total"].as_u64().context("the sizes have no total");
    let (before, after) = (total(recorded)?, total(now)?);
    if after > LIMIT {
        bail!("a first visit downloads {after} bytes of wasm and JavaScript (brotli); the limit is {LIMIT}");
    }
    if after * 100 > before * (100 + GROWTH) {
        let (then, now) = (&recorded["rustc"], &now["rustc"]);
        let compilers = if then == now { String::new() } else { format!(" (recorded with {then}, this is {now})") };
        bail!(
            "a first visit downloads {after} bytes of wasm and JavaScript (brotli), {before} in {RECORD}{compilers}: \
             make it smaller, or where the growth is worth it run `cargo xtask size --update`"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(total: u64) -> Value {
        json!({ "cpu": { "total": total }, "rustc": "rustc 1.0.0" })
    }

    #[test]
    fn growth_and_the_limit_are_refused() {
        judge(&sizes(100_000), &sizes(103_000)).unwrap();
        judge(&sizes(100_000), &sizes(50_000)).unwrap();
        let error = judge(&sizes(100_000), &sizes(103_001)).unwrap_err().to_string();
        assert!(error.contains("103001") && error.contains("100000"), "{error}");
        judge(&sizes(890_000), &sizes(LIMIT)).unwrap();
        assert!(judge(&sizes(890_000), &sizes(LIMIT + 1)).unwrap_err().to_string().contains("limit"));
        assert!(judge(&json!({}), &sizes(1)).is_err());
    }

    #[test]
    fn the_record_is_within_the_limit() {
        let recorded: Value = serde_json::from_str(&fs::read_to_string(root().join(RECORD)).unwrap()).unwrap();
        judge(&recorded, &recorded).unwrap();
    }
}
