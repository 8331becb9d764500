//! `cargo xtask lint`: what is known without running a test.

use anyhow::Result;

use crate::build::{self, Device};
use crate::steps::Steps;
use crate::tools::{self, WASM_TARGET, root};
use crate::{architecture, licences, style};

/// Runs the static checks, the cheapest first.
pub fn run() -> Result<()> {
    Steps::run(|steps| {
        build::prepare()?;
        sources(steps)?;
        steps.step("wasm build", registry)?;
        types(steps)
    })
}

/// The checks that need no build of the core.
pub fn sources(steps: &mut Steps) -> Result<()> {
    steps.step("formatting", style::format)?;
    steps.step("line lengths", style::lengths)?;
    steps.step("architecture", architecture::check)?;
    steps.step("JavaScript lints", || tools::run(&mut tools::npm(&["run", "--silent", "lint"])))?;
    steps.step("licences", licences::check)?;
    steps.step("Rust lints", || clippy(&["--workspace", "--all-targets"]))?;
    for device in Device::ALL {
        steps.step(&format!("Rust lints, wasm, {}", device.name()), || wasm_clippy(device))?;
    }
    Ok(())
}

/// The types of the JavaScript, among them those of the core's registries, which the build writes.
pub fn types(steps: &mut Steps) -> Result<()> {
    steps.step("types", || tools::run(&mut tools::npm(&["run", "--silent", "check"])))
}

/// Makes the modules below `pkg/wasm/` that others import. `dist/` stays as it is if it has them.
fn registry() -> Result<()> {
    if root().join(build::ASSETS).is_file() { build::wasm(Device::Cpu, true) } else { build::site(true, true) }
}

fn clippy(what: &[&str]) -> Result<()> {
    let mut cargo = tools::cargo(&["clippy", "--quiet"]);
    tools::run(cargo.args(what).args(["--", "--deny", "warnings"]))
}

fn wasm_clippy(device: Device) -> Result<()> {
    let what = ["--package", "sightline", "--lib", "--target", WASM_TARGET];
    clippy(&[&what[..], &["--no-default-features", "--features", device.name()]].concat())
}
