//! `cargo xtask soak`: thousands of explanations in a browser, whose memory, workers and pending
//! calls have to stay flat. Writes `target/soak/`.

use anyhow::Result;

use crate::build;
use crate::test;
use crate::tools::{self, command};

/// Builds the site and hands `args` to the program in `tests/browser/soak`.
pub fn run(args: &[String]) -> Result<()> {
    let gpu = args.iter().any(|arg| arg == "--webgpu");
    build::site(!gpu, true)?;
    let mut node = command("node", &["tests/browser/soak/soak.mjs"]);
    node.args(args).env("SIGHTLINE_DIST", build::dist()).env("CHROMIUM_PATH", test::chromium()?);
    tools::run(&mut node)
}
