//! `cargo xtask test`: the cheapest checks first; the first one that fails ends the run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::build::{self, Device};
use crate::steps::{Steps, Times};
use crate::tools::{self, command, root};
use crate::{lint, package, size};

/// Runs the tests of all crates but those in docs, whose harness does not take all options.
const TESTS: [&str; 3] = ["test", "--workspace", "--tests"];
/// What node's reporter of durations writes.
const DURATIONS: &str = "target/durations.jsonl";

/// Runs the native half (the static checks, Rust tests), the browser half (both wasm builds, types,
/// Chromium), or both, and then also weighs what is downloaded.
pub fn run(native: bool, browser: bool) -> Result<()> {
    Steps::run(|steps| {
        build::prepare()?;
        let shared = shared()?;
        if native {
            lint::sources(steps)?;
            let skipped = steps.step("advisories", advisories)?;
            steps.skip(skipped);
            steps.step("Rust tests, build", || tools::run(tools::cargo(&TESTS).arg("--no-run")))?;
            let times = steps.step("Rust tests", || rust_tests(shared))?;
            steps.tests(times);
        }
        if browser {
            let whole = native;
            steps.step("wasm builds", || builds(whole))?;
            if whole {
                steps.step("download size", || size::check(&[Device::Cpu]))?;
            }
            lint::types(steps)?;
            let times = steps.step("package tests", package_tests)?;
            steps.tests(times);
            let times = steps.step("browser tests", browser_tests)?;
            steps.tests(times);
        }
        if !shared {
            steps.skip(["tests that need ../shared (it is not here)".to_owned()]);
        }
        Ok(())
    })
}

/// Whether the models and photos are there that some tests need. REQUIRE_SHARED=1 makes their
/// absence an error.
fn shared() -> Result<bool> {
    let there = root().join("../shared").is_dir();
    if !there && std::env::var("REQUIRE_SHARED").is_ok_and(|value| value == "1") {
        bail!("REQUIRE_SHARED is 1, but there is no ../shared");
    }
    Ok(there)
}

/// Runs the tests of all crates; those that are ignored are ignored for what only `shared` has.
fn rust_tests(shared: bool) -> Result<Times> {
    let mut cargo = tools::cargo(&TESTS);
    // The times of tests are an unstable option of their harness. Only the test programs get this
    // variable: where cargo and rustc see it, they build all crates anew, and differently.
    let timed = cfg!(unix);
    if timed {
        cargo.args(["--config", "target.'cfg(unix)'.runner = ['env', 'RUSTC_BOOTSTRAP=1']"]);
    }
    cargo.arg("--");
    cargo.args(shared.then_some("--include-ignored"));
    if timed {
        cargo.args(["-Zunstable-options", "--report-time"]);
    }
    let mut times = Times::new();
    tools::watch(&mut cargo, |line| times.extend(rust_time(line)))?;
    tools::run(&mut tools::cargo(&["test", "--workspace", "--doc"]))?;
    Ok(times)
}

/// Reads a line `test NAME ... ok <1.234s>`.
fn rust_time(line: &str) -> Option<(String, Duration)> {
    let (name, time) = line.strip_prefix("test ")?.rsplit_once(" ... ok <")?;
    let seconds = time.strip_suffix("s>")?.parse().ok()?;
    Some((name.to_owned(), Duration::try_from_secs_f64(seconds).ok()?))
}

/// What a whole run tests on the CPU, and weighs, is what is released. The WebGPU build is the
/// quick one: the other takes twenty minutes.
fn builds(release: bool) -> Result<()> {
    build::wasm(Device::Cpu, !release)?;
    build::wasm(Device::WebGpu, true)?;
    build::assemble(&Device::ALL, true)
}

/// Known vulnerabilities. Returns what could not be checked: that takes a tool and databases which
/// not every machine has or can reach.
fn advisories() -> Result<Vec<String>> {
    let unreachable = |what: &str| format!("advisories on {what} (their database cannot be reached)");
    let mut skipped = Vec::new();
    if command("cargo-audit", &["--version"]).output().is_ok() {
        let audit = tools::cargo(&["audit", "--quiet"]).output()?;
        let errors = String::from_utf8_lossy(&audit.stderr);
        if !audit.status.success() && errors.contains("fetch") {
            skipped.push(unreachable("crates"));
        } else if !audit.status.success() {
            bail!("cargo audit:\n{}{errors}", String::from_utf8_lossy(&audit.stdout));
        } else {
            println!("crates: no known vulnerability");
        }
    } else {
        skipped.push("advisories on crates (cargo-audit is not installed)".to_owned());
    }
    let audit = tools::npm(&["audit", "--json"]).stderr(Stdio::null()).output()?;
    let report: Value = serde_json::from_slice(&audit.stdout).unwrap_or_default();
    if report["auditReportVersion"].is_null() {
        skipped.push(unreachable("npm packages"));
    } else if !audit.status.success() {
        bail!("npm audit: {:#}", report["vulnerabilities"]);
    } else {
        println!("npm packages: no known vulnerability");
    }
    Ok(skipped)
}

/// Runs tests/browser/ on `dist/` in Chromium, and some in Firefox. They find all three in
/// SIGHTLINE_DIST, CHROMIUM_PATH and FIREFOX_PATH.
fn browser_tests() -> Result<Times> {
    node_tests("tests/browser", Some((FIREFOX.variable, FIREFOX.ensure()?)))
}

/// Runs tests/bundlers/: the packed package, whose path is in SIGHTLINE_TARBALL, in apps of others.
fn package_tests() -> Result<Times> {
    tools::ensure_packages(&root().join("tests/bundlers"))?;
    let tarball = package::tarball()?;
    node_tests("tests/bundlers", Some(("SIGHTLINE_TARBALL", tarball)))
}

fn node_tests(folder: &str, variable: Option<(&str, PathBuf)>) -> Result<Times> {
    let durations = root().join(DURATIONS);
    fs::create_dir_all(root().join("target")).context("cannot make target/")?;
    let mut node = command("node", &["--test", "--test-concurrency=1"]);
    node.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
    node.arg("--test-reporter=./scripts/durations.mjs");
    node.arg(format!("--test-reporter-destination={}", durations.display()));
    node.args(test_files(&root().join(folder))?);
    node.env("SIGHTLINE_DIST", build::dist()).env("CHROMIUM_PATH", chromium()?).envs(variable);
    tools::run(&mut node)?;
    node_times(&fs::read_to_string(&durations).with_context(|| format!("cannot read {}", durations.display()))?)
}

/// Reads lines of `[name, milliseconds]`.
fn node_times(lines: &str) -> Result<Times> {
    let read = |line: &str| -> Result<(String, Duration)> {
        let (name, milliseconds): (String, f64) = serde_json::from_str(line)?;
        Ok((name, Duration::try_from_secs_f64(milliseconds / 1000.0)?))
    };
    lines.lines().map(|line| read(line).with_context(|| format!("`{line}` is not a test and its time"))).collect()
}

/// The test files of a folder and those below it, by name: Node 20 and 22 read a folder's name
/// differently.
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

/// A browser that tests run in.
struct Browser {
    name: &'static str,
    /// What may name its program.
    variable: &'static str,
    /// Debian's.
    package: &'static str,
    programs: &'static [&'static str],
    mac: &'static [&'static str],
    windows: &'static str,
}

const CHROMIUM: Browser = Browser {
    name: "Chromium or Chrome",
    variable: "CHROMIUM_PATH",
    package: "chromium",
    programs: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    mac: &["Chromium.app/Contents/MacOS/Chromium", "Google Chrome.app/Contents/MacOS/Google Chrome"],
    windows: "Google/Chrome/Application/chrome.exe",
};
/// One of the last year: older ones do not speak WebDriver BiDi well enough.
const FIREFOX: Browser = Browser {
    name: "Firefox",
    variable: "FIREFOX_PATH",
    package: "firefox-esr",
    programs: &["firefox-esr", "firefox"],
    mac: &["Firefox.app/Contents/MacOS/firefox"],
    windows: "Mozilla Firefox/firefox.exe",
};

/// Finds Chromium or Chrome; installs it on Debian when that is possible.
pub fn chromium() -> Result<PathBuf> {
    CHROMIUM.ensure()
}

impl Browser {
    /// Finds it, or installs it.
    fn ensure(&self) -> Result<PathBuf> {
        let Self { name, variable, package, .. } = self;
        if let Some(path) = std::env::var_os(variable).map(PathBuf::from) {
            if path.is_file() {
                return Ok(path);
            }
            bail!("{variable} is {}, where no file is", path.display());
        }
        if let Some(path) = self.find() {
            return Ok(path);
        }
        if can_apt() {
            println!("installing {package}");
            tools::run(&mut apt(&["update"]))?;
            tools::run(&mut apt(&["install", "-y", "--no-install-recommends", package]))?;
            if let Some(path) = self.find() {
                return Ok(path);
            }
        }
        bail!("the browser tests need {name}: install it, or set {variable} to its program")
    }

    fn find(&self) -> Option<PathBuf> {
        let mut places: Vec<PathBuf> = Vec::new();
        if cfg!(windows) {
            for variable in ["ProgramFiles", "ProgramFiles(x86)", "LocalAppData"] {
                let folder = std::env::var_os(variable).map(PathBuf::from);
                places.extend(folder.map(|folder| folder.join(self.windows)));
            }
        } else if cfg!(target_os = "macos") {
            places.extend(self.mac.iter().map(|place| Path::new("/Applications").join(place)));
        } else {
            let path = std::env::var_os("PATH").unwrap_or_default();
            for folder in std::env::split_paths(&path).chain(["/usr/bin".into()]) {
                places.extend(self.programs.iter().map(|name| folder.join(name)));
            }
        }
        places.into_iter().find(|place| place.is_file())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let timed = rust_time("test nn::families::vit ... ok <1.250s>");
        assert_eq!(timed, Some(("nn::families::vit".to_owned(), Duration::from_millis(1250))));
        assert_eq!(rust_time("test a - should panic ... ok <0.001s>").unwrap().0, "a - should panic");
        for line in
            ["test a ... ok", "test a ... ignored, needs ../shared", "test result: ok. 1 passed", "running 2 tests"]
        {
            assert_eq!(rust_time(line), None, "{line}");
        }
        let times = node_times("[\"a \\\"b\\\"\",1500.5]\n[\"c\",2]\n").unwrap();
        assert_eq!(times[0], ("a \"b\"".to_owned(), Duration::from_micros(1_500_500)));
        assert_eq!(times.len(), 2);
        assert!(node_times("ok 1 - a\n").is_err());
    }

    #[test]
    fn test_files_are_found_in_folders() {
        let files = test_files(&root().join("tests/browser")).unwrap();
        assert!(files.iter().all(|file| file.to_string_lossy().ends_with(".test.mjs")) && files.is_sorted());
        assert!(test_files(&root().join("xtask/src")).is_err());
    }
    /// A tag can be moved to another commit.
    #[test]
    fn the_actions_of_the_workflows_are_pinned() {
        let mut count = 0;
        for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for line in text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
                let (commit, version) = line.split_once('@').unwrap().1.split_once(" # v").expect(line);
                assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
                assert!(version.split('.').count() == 3, "{line}");
                count += 1;
            }
        }
        assert!(count > 5);
    }

    #[test]
    fn browsers_are_found_by_any_of_their_names() {
        let shell = Browser { programs: &["no-such-browser", "sh"], ..FIREFOX };
        let nothing = Browser { programs: &["no-such-browser"], ..FIREFOX };
        if cfg!(target_os = "linux") {
            assert!(shell.find().unwrap().ends_with("sh"));
            assert_eq!(nothing.find(), None);
        }
    }
}
