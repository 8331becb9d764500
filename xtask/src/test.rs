//! `cargo xtask test`: the cheapest checks first; the first one that fails ends the run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::build::{self, Device};
use crate::tools::{self, WASM_TARGET, command, root};
use crate::{licences, package, size};

/// Runs the native half (formatting, lints, licences, advisories, Rust tests), the browser half (both wasm builds, types,
/// Chromium), or both, and then also weighs what a first visit downloads.
pub fn run(native: bool, browser: bool) -> Result<()> {
    let start = Instant::now();
    build::prepare()?;
    if native {
        step("formatting", || tools::run(&mut tools::cargo(&["fmt", "--all", "--check"])))?;
        step("JavaScript lints", || tools::run(&mut tools::npm(&["run", "--silent", "lint"])))?;
        step("licences", licences::check)?;
        step("advisories", advisories)?;
        step("Rust lints", || clippy(&["--workspace", "--all-targets"]))?;
        for device in Device::ALL {
            step(&format!("Rust lints, wasm, {}", device.name()), || wasm_clippy(device))?;
        }
        step("Rust tests", || tools::run(&mut tools::cargo(&["test", "--workspace"])))?;
    }
    if browser {
        let whole = native;
        step("wasm builds", || builds(whole))?;
        if whole {
            step("download size", size::check)?;
        }
        step("types", || tools::run(&mut tools::npm(&["run", "--silent", "check"])))?;
        step("package tests", package_tests)?;
        step("browser tests", browser_tests)?;
    }
    println!("\nall passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// What a whole run tests on the CPU, and weighs, is what is released. The WebGPU build is the quick one: the other takes twenty minutes.
fn builds(release: bool) -> Result<()> {
    build::wasm(Device::Cpu, !release)?;
    build::wasm(Device::WebGpu, true)?;
    build::assemble(&Device::ALL, true)
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {name}");
    let start = Instant::now();
    work().with_context(|| format!("{name} failed"))?;
    println!("== {name}: ok, {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn clippy(what: &[&str]) -> Result<()> {
    let mut cargo = tools::cargo(&["clippy", "--quiet"]);
    tools::run(cargo.args(what).args(["--", "--deny", "warnings"]))
}

fn wasm_clippy(device: Device) -> Result<()> {
    let what = ["--package", "sightline", "--lib", "--target", WASM_TARGET];
    clippy(&[&what[..], &["--no-default-features", "--features", device.name()]].concat())
}

/// Known vulnerabilities, where the tools are installed and their databases can be reached.
fn advisories() -> Result<()> {
    if command("cargo-audit", &["--version"]).output().is_ok() {
        let audit = tools::cargo(&["audit", "--quiet"]).output()?;
        let said = String::from_utf8_lossy(&audit.stderr);
        if !audit.status.success() && said.contains("fetch") {
            println!("crates skipped: advisory database not reachable");
        } else if !audit.status.success() {
            bail!("cargo audit:\n{}{said}", String::from_utf8_lossy(&audit.stdout));
        } else {
            println!("crates: no known vulnerability");
        }
    } else {
        println!("crates skipped: cargo-audit is not installed");
    }
    let audit = tools::npm(&["audit", "--json"]).stderr(Stdio::null()).output()?;
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap_or_default();
    if report["auditReportVersion"].is_null() {
        println!("npm packages skipped: advisory database not reachable");
    } else if !audit.status.success() {
        bail!("npm audit: {:#}", report["vulnerabilities"]);
    } else {
        println!("npm packages: no known vulnerability");
    }
    Ok(())
}

/// Runs tests/browser/ on `dist/` in Chromium. They find both in SIGHTLINE_DIST and CHROMIUM_PATH.
fn browser_tests() -> Result<()> {
    tools::run(&mut node_tests("tests/browser")?)
}

/// Runs tests/bundlers/: the packed package, whose path is in SIGHTLINE_TARBALL, in apps of others.
fn package_tests() -> Result<()> {
    tools::ensure_packages(&root().join("tests/bundlers"))?;
    let tarball = package::tarball()?;
    tools::run(node_tests("tests/bundlers")?.env("SIGHTLINE_TARBALL", tarball))
}

fn node_tests(folder: &str) -> Result<Command> {
    let mut node = command("node", &["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    node.args(test_files(&root().join(folder))?);
    node.env("SIGHTLINE_DIST", build::dist()).env("CHROMIUM_PATH", chromium()?);
    Ok(node)
}

/// The test files of a folder and those below it, by name: Node 20 and 22 read a folder's name differently.
fn test_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".test.mjs") {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        bail!("no *.test.mjs in {}", folder.display());
    }
    files.sort();
    Ok(files)
}

/// Finds Chromium or Chrome; installs it on Debian when that is possible.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM_PATH").map(PathBuf::from) {
        if path.is_file() {
            return Ok(path);
        }
        bail!("CHROMIUM_PATH is {}, where no file is", path.display());
    }
    if let Some(path) = find_chromium() {
        return Ok(path);
    }
    if can_apt() {
        println!("installing chromium");
        tools::run(&mut apt(&["update"]))?;
        tools::run(&mut apt(&["install", "-y", "--no-install-recommends", "chromium"]))?;
        if let Some(path) = find_chromium() {
            return Ok(path);
        }
    }
    bail!("the browser tests need Chromium or Chrome: install one, or set CHROMIUM_PATH to its program")
}

fn find_chromium() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> = Vec::new();
    if cfg!(windows) {
        for variable in ["ProgramFiles", "ProgramFiles(x86)", "LocalAppData"] {
            let folder = std::env::var_os(variable).map(PathBuf::from);
            places.extend(folder.map(|folder| folder.join("Google/Chrome/Application/chrome.exe")));
        }
    } else if cfg!(target_os = "macos") {
        places.push("/Applications/Chromium.app/Contents/MacOS/Chromium".into());
        places.push("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome".into());
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
        for folder in std::env::split_paths(&path).chain(["/usr/bin".into()]) {
            places.extend(names.iter().map(|name| folder.join(name)));
        }
    }
    places.into_iter().find(|place| place.is_file())
}

/// Whether this is Debian or alike, with the right to install packages.
fn can_apt() -> bool {
    let root = command("id", &["-u"]).output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    root && command("apt-get", &["--version"]).output().is_ok()
}

fn apt(args: &[&str]) -> Command {
    let mut apt = command("apt-get", args);
    apt.arg("-q").env("DEBIAN_FRONTEND", "noninteractive");
    apt
}
