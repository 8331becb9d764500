//! The programs that the tasks call: cargo, rustup, node, npm.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

pub const WASM_TARGET: &str = "wasm32-unknown-unknown";
const OLDEST_NODE: u32 = 20;

/// The repository's root: the folder above this crate.
pub fn root() -> PathBuf {
    // What cargo says at run time: a target folder that was copied from elsewhere remembers where
    // it was compiled.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = Path::new(&manifest);
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// A command that runs in the repository's root.
pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that started this program.
pub fn cargo(args: &[&str]) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = command(&program, args);
    // Flags in the environment would hide those of .cargo/config.toml.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

pub fn npm(args: &[&str]) -> Command {
    command(if cfg!(windows) { "npm.cmd" } else { "npm" }, args)
}

/// Runs a command whose output goes to the terminal.
///
/// # Errors
/// If it cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let name = describe(command);
    let status = command.status().with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

/// Runs a command whose output goes to the terminal, and hands on each line of its standard output.
///
/// # Errors
/// If it cannot be started, or fails.
pub fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<()> {
    let name = describe(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{name}`"))?;
    let mut output = BufReader::new(child.stdout.take().with_context(|| format!("`{name}` has no output"))?);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).with_context(|| format!("cannot read what `{name}` prints"))? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        see(text.trim_end());
        line.clear();
    }
    let status = child.wait().with_context(|| format!("`{name}` is lost"))?;
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

/// Runs a command and returns what it printed to its standard output.
///
/// # Errors
/// If it cannot be started, fails, or prints something that is not UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` printed no text"))
}

/// The repository's files whose names match one of the patterns: what git tracks, and what is there
/// and not ignored.
///
/// # Errors
/// Where this is not a git checkout, or no file matches.
pub fn files(patterns: &[&str]) -> Result<Vec<String>> {
    let mut git = command("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]);
    let listed = output(git.args(patterns)).context("the files to check are those of a git checkout")?;
    // A file that was deleted is listed until the deletion is committed.
    let files: Vec<_> = listed.split_terminator('\0').filter(|name| root().join(name).is_file()).collect();
    if files.is_empty() {
        bail!("no file matches {}", patterns.join(", "));
    }
    Ok(files.into_iter().map(str::to_owned).collect())
}

fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    words.join(" ")
}

/// Makes sure that Rust can compile for wasm.
pub fn ensure_wasm_target() -> Result<()> {
    let print = ["--print", "target-libdir", "--target", WASM_TARGET];
    let has_target = || -> Result<bool> {
        let folder = output(&mut command("rustc", &print))?;
        Ok(Path::new(folder.trim()).is_dir())
    };
    if has_target()? {
        return Ok(());
    }
    println!("installing the Rust target {WASM_TARGET}");
    let added = run(&mut command("rustup", &["target", "add", WASM_TARGET]));
    if added.is_err() || !has_target()? {
        bail!(
            "Rust's standard library for {WASM_TARGET} is missing, and `rustup target add {WASM_TARGET}` \
             did not install it; install it with your Rust distribution (Debian: libstd-rust-dev-wasm32) \
             and run this again"
        );
    }
    Ok(())
}

/// Makes sure that Node is new enough and that the npm packages are those of the lock file.
pub fn ensure_node() -> Result<()> {
    let version = output(&mut command("node", &["--version"]))
        .with_context(|| format!("Node {OLDEST_NODE} or newer is needed"))?;
    if node_major(&version).is_none_or(|major| major < OLDEST_NODE) {
        bail!("Node {OLDEST_NODE} or newer is needed, this is {}", version.trim());
    }
    ensure_packages(&root())
}

/// Makes sure that the npm packages in `folder` are those of its lock file.
pub fn ensure_packages(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.package-lock.json");
    if !newer(&installed, &lock) {
        println!("installing the npm packages of {}", folder.display());
        run(npm(&["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    }
    Ok(())
}

fn node_major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Whether `file` exists and was written after `than`.
fn newer(file: &Path, than: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|data| data.modified());
    matches!((time(file), time(than)), (Ok(a), Ok(b)) if a >= b)
}

/// In 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert_eq!(node_major("v20.20.2\n"), Some(20));
        assert_eq!(node_major("v8.1.0"), Some(8));
        assert_eq!(node_major("node"), None);
    }

    #[test]
    fn a_watched_command_gives_its_lines() {
        let mut lines = Vec::new();
        let script = "console.log('a'); process.stdout.write('b')";
        watch(&mut command("node", &["--eval", script]), |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["a", "b"]);
        assert!(watch(&mut command("node", &["--eval", "process.exit(1)"]), |_| {}).is_err());
    }

    #[test]
    fn a_failing_command_is_named() {
        let error = run(command("rustc", &["--no-such-option"]).stderr(Stdio::null()));
        assert!(error.unwrap_err().to_string().contains("rustc --no-such-option"));
        assert!(run(&mut command("no-such-program-here", &[])).is_err());
    }
}
