//! `cargo xtask fuzz`: the readers of what comes from outside, on inputs that are made up. With
//! libFuzzer, which follows what each input reaches, where a C++ compiler builds it; else with the
//! driver of the tests, which only mutates. The readers in JavaScript, and the scheduler, in Node.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::tools::{self, command, root};

/// Those of `tests/fuzz/targets.rs`.
const READERS: [&str; 6] = ["photo", "config", "safetensors", "pth", "guess", "options"];
/// Those of `tests/fuzz/js/targets.mjs`.
const SCRIPTS: [&str; 3] = ["attribution", "permalink", "embed"];
/// The state machine that decides which call runs when.
const SCHEDULER: &str = "scheduler";
const PROGRAM: &str = "tests/fuzz/coverage";
/// The crates that libFuzzer follows: the core, and what reads files for it.
const FOLLOWED: [&str; 10] = [
    "sightline",
    "image",
    "png",
    "zune_jpeg",
    "image_webp",
    "gif",
    "weezl",
    "fdeflate",
    "safetensors",
    "sightline_fuzz",
];
const FOLLOW: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                      -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs one target, or each of them, for so many minutes.
pub fn run(target: Option<&str>, minutes: f64) -> Result<()> {
    let all: Vec<&str> = READERS.iter().chain(&SCRIPTS).chain([&SCHEDULER]).copied().collect();
    let chosen: Vec<&str> = match target {
        None => all,
        Some(name) => match all.iter().find(|known| **known == name) {
            Some(known) => vec![*known],
            None => bail!("there is no target `{name}`: there are {}", all.join(", ")),
        },
    };
    build::prepare()?;
    let followed = if chosen.iter().any(|name| READERS.contains(name)) { program() } else { Ok(()) };
    if let Err(error) = &followed {
        eprintln!("libFuzzer is not available ({error:#}): inputs are mutated without following what they reach");
    }
    for name in chosen {
        println!("\n{name}: {minutes} minutes");
        let began = Instant::now();
        if name == SCHEDULER {
            scheduler(minutes)?;
        } else if SCRIPTS.contains(&name) {
            let minutes = minutes.to_string();
            tools::run(&mut command("node", &["tests/fuzz/js/fuzz.mjs", name, "--minutes", &minutes]))?;
        } else if followed.is_ok() {
            follow(name, minutes)?;
        } else {
            let mut test =
                tools::cargo(&["test", "--test", "native", &format!("fuzzing::{name}"), "--", "--nocapture"]);
            tools::run(test.env("SIGHTLINE_FUZZ_MINUTES", minutes.to_string()))?;
        }
        println!("{name}: no finding in {:.0} s", began.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Builds libFuzzer's program.
fn program() -> Result<()> {
    let folder = root().join("target/fuzz");
    fs::create_dir_all(&folder)?;
    // The flags are for a few crates; cargo has them for all or none.
    let wrapper = folder.join("rustc.sh");
    let names: Vec<String> = FOLLOWED.iter().map(|name| format!("*\" --crate-name {name} \"*")).collect();
    let script = format!(
        "#!/bin/sh\nrustc=\"$1\"; shift\ncase \" $* \" in {}) exec \"$rustc\" \"$@\" {FOLLOW};; esac\n\
         exec \"$rustc\" \"$@\"\n",
        names.join("|")
    );
    if fs::read_to_string(&wrapper).ok().as_ref() != Some(&script) {
        fs::write(&wrapper, &script)?;
    }
    #[cfg(unix)]
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let manifest = format!("{PROGRAM}/Cargo.toml");
    let mut cargo = tools::cargo(&["build", "--release", "--locked", "--manifest-path", &manifest]);
    cargo.args(["--target-dir", "target/fuzz/build"]);
    tools::run(cargo.env("RUSTC_WRAPPER", &wrapper))
}

/// Runs libFuzzer. Its corpus grows in `target/fuzz/<target>/corpus`, where findings lie beside it.
fn follow(name: &str, minutes: f64) -> Result<()> {
    let folder = root().join("target/fuzz").join(name);
    let corpus = folder.join("corpus");
    fs::create_dir_all(&corpus)?;
    let of = |path: &Path| path.to_str().map(str::to_owned).context("the path of this checkout is not UTF-8");
    let dictionary = of(&folder.join("dictionary"))?;
    let mut fuzzer = Command::new(root().join("target/fuzz/build/release/sightline-fuzz"));
    fuzzer
        .current_dir(root())
        .env("SIGHTLINE_FUZZ", name)
        .env("SIGHTLINE_FUZZ_FOLDER", &folder)
        .arg(of(&corpus)?)
        .arg(format!("-max_total_time={}", (minutes * 60.0).ceil()))
        .arg(format!("-dict={dictionary}"))
        .arg(format!("-artifact_prefix={}/finding-", of(&folder)?))
        .args(["-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=1", "-max_len=65536"]);
    tools::run(&mut fuzzer).with_context(|| format!("{name}: a finding lies in target/fuzz/{name}"))
}

/// Seeded schedules, thousands at a time, from a seed on that no earlier run had.
fn scheduler(minutes: f64) -> Result<()> {
    const ROUND: u64 = 200_000;
    let began = Instant::now();
    let mut seed = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |age| age.as_secs() % 1_000_000 * 1000);
    while began.elapsed().as_secs_f64() < minutes * 60.0 {
        let mut node = command("node", &["--test", "tests/browser/engine/scheduler.test.mjs"]);
        tools::run(node.env("SIGHTLINE_SCHEDULES", ROUND.to_string()).env("SIGHTLINE_SEED", seed.to_string()))?;
        seed += ROUND;
    }
    Ok(())
}
