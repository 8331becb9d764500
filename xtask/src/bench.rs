//! `cargo xtask bench`: the built site beside its peers in a headless browser. `tests/bench/`
//! measures; what it needs is brought together here.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::test::chromium;
use crate::tools::{self, command, root};

const FOLDER: &str = "tests/bench";
/// Committed, and shown by docs/benchmark.md.
const RESULTS: &str = "tests/bench/results";
/// Those of `tests/bench/sections/`.
const SECTIONS: [&str; 6] = ["cpu", "webgpu", "cost", "start", "memory", "size"];
/// Sections that need the CPU build alone.
const CPU_ONLY: [&str; 4] = ["cpu", "cost", "start", "memory"];
/// What `convert.py` imports.
const PYTHON_PACKAGES: [&str; 5] = ["torch", "timm", "safetensors", "onnx", "onnxscript"];

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
struct Options {
    fast: bool,
    quick: bool,
    save: bool,
    only: Option<String>,
    model: Option<String>,
    against: Option<String>,
}

impl Options {
    fn parse(args: Vec<String>) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--fast" => options.fast = true,
                "--quick" => options.quick = true,
                "--save" => options.save = true,
                "--only" => {
                    let section = args.next().filter(|name| SECTIONS.contains(&name.as_str()));
                    options.only =
                        Some(section.with_context(|| format!("--only needs a section: {}", SECTIONS.join(", ")))?);
                }
                "--against" => options.against = Some(args.next().context("--against needs another build's dist/")?),
                "--model" => options.model = Some(args.next().context("--model needs a model's name")?),
                unknown => {
                    bail!("unknown option `{unknown}`: there are --fast, --quick, --only, --model, --against, --save")
                }
            }
        }
        let partly = options.fast || options.quick || options.model.is_some() || options.against.is_some();
        if options.save && partly {
            bail!("--save keeps results for docs/benchmark.md: they must be of the release build and of all models");
        }
        Ok(options)
    }

    /// What the measuring program takes.
    fn pass_on(&self) -> Vec<&str> {
        let mut args = Vec::new();
        if self.quick {
            args.push("--quick");
        }
        for (name, value) in [("--only", &self.only), ("--model", &self.model), ("--against", &self.against)] {
            args.extend(value.iter().flat_map(|value| [name, value.as_str()]));
        }
        args
    }
}

/// Builds the site, fetches the peers, converts the models, measures.
pub fn run(args: Vec<String>) -> Result<()> {
    let options = Options::parse(args)?;
    let cpu_only = options.only.as_deref().is_some_and(|only| CPU_ONLY.contains(&only));
    build::site(cpu_only || options.against.is_some(), options.fast)?;
    tools::ensure_packages(&root().join(FOLDER))?;
    let models = root().join("target/bench/models");
    convert(&models)?;
    let out = if options.save { root().join(RESULTS) } else { root().join("target/bench/results") };
    let mut node = command("node", &["tests/bench/bench.mjs"]);
    node.arg(&out).args(options.pass_on());
    node.env("SIGHTLINE_DIST", build::dist()).env("CHROMIUM_PATH", chromium()?);
    node.env("SIGHTLINE_BENCH_MODELS", models).env("SIGHTLINE_BUILD", if options.fast { "fast" } else { "release" });
    tools::run(&mut node)?;
    println!("\nresults: {}", out.display());
    Ok(())
}

/// Makes the peers' models, where Python has what that takes; else says what is left out.
fn convert(out: &Path) -> Result<()> {
    let python =
        std::env::var("PYTHON").unwrap_or_else(|_| if cfg!(windows) { "python" } else { "python3" }.to_owned());
    if let Some(missing) = missing_packages(&python) {
        println!(
            "left out: onnxruntime-web and the seeded ResNet-18 (unless they were made before); {missing}. \
             `pip install -r {FOLDER}/requirements.txt`, and PYTHON names the interpreter"
        );
        return Ok(());
    }
    let mut script = command(&python, &["tests/bench/convert.py"]);
    script.arg(out);
    for (id, folder) in packages() {
        script.arg(format!("{id}={}", folder.display()));
    }
    tools::run(&mut script)
}

/// The packages that there are, by their names in the bench.
fn packages() -> Vec<(&'static str, PathBuf)> {
    let (built_in, shared) = (root().join("www/models"), root().join("../shared/models"));
    let all = [
        ("sightline-cnn", built_in.join("sightline-cnn")),
        ("sightline-vit", built_in.join("sightline-vit")),
        ("mobilenetv2", shared.join("mobilenetv2_100_same")),
        ("deit-tiny", shared.join("deit_tiny_patch16_224")),
    ];
    let (there, missing): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, folder)| folder.join("config.json").is_file());
    for (id, _) in missing {
        println!("left out: {id}, whose weights are not here");
    }
    there
}

/// What keeps `convert.py` from running, in words.
fn missing_packages(python: &str) -> Option<String> {
    let ask = format!("import importlib.util as u; print(*[n for n in {PYTHON_PACKAGES:?} if u.find_spec(n) is None])");
    let found = command(python, &["-c", &ask]).stderr(Stdio::null()).output();
    match found {
        Ok(output) if output.status.success() => {
            let missing = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (!missing.is_empty()).then(|| format!("`{python}` lacks {missing}"))
        }
        _ => Some(format!("`{python}` does not start")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(args.iter().map(|arg| (*arg).to_owned()).collect())
    }

    #[test]
    fn options() {
        assert_eq!(parse(&[]).unwrap(), Options::default());
        let options = parse(&["--only", "cpu", "--quick", "--model", "deit-tiny"]).unwrap();
        assert_eq!(options.pass_on(), ["--quick", "--only", "cpu", "--model", "deit-tiny"]);
        assert!(parse(&["--save"]).unwrap().save);
        for wrong in [&["--only"][..], &["--only", "cpuu"], &["--slow"], &["--save", "--fast"], &["--save", "--quick"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_python_that_is_not_there_is_named() {
        let said = missing_packages("no-such-python-here").unwrap();
        assert!(said.contains("no-such-python-here"), "{said}");
    }
}
