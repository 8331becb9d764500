//! `cargo xtask package`: what is released, in `target/package/`: the npm package, the site for
//! course servers, and their checksums. Both have a bill of materials and the licences of what they
//! contain.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::build::{self, Device};
use crate::sbom;
use crate::tools::{self, root};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the site and packs it.
pub fn run(cpu_only: bool, fast: bool) -> Result<()> {
    build::site(cpu_only, fast)?;
    sbom::write(&build::dist().join("pkg"), if cpu_only { &[Device::Cpu] } else { &Device::ALL })?;
    let files = [tarball()?, archive()?];
    let mut sums = String::new();
    for file in &files {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        sums += &line(&bytes, &name);
        println!("{}: {:.1} MB", file.display(), bytes.len() as f64 / 1e6);
    }
    fs::write(folder().join("SHA256SUMS"), &sums).context("cannot write the checksums")?;
    print!("{sums}");
    Ok(())
}

fn folder() -> PathBuf {
    root().join("target/package")
}

/// Packs `dist/pkg/` as npm does for a release.
///
/// # Errors
/// Where the versions of the crate, the package and the changelog differ.
pub fn tarball() -> Result<PathBuf> {
    versions()?;
    fs::create_dir_all(folder())?;
    let package = build::dist().join("pkg");
    let mut npm = tools::npm(&["pack", "--silent", "--ignore-scripts", "--pack-destination"]);
    let name = tools::output(npm.arg(folder()).current_dir(&package))?;
    Ok(folder().join(name.trim()))
}

fn versions() -> Result<()> {
    let read = |name: &str| fs::read_to_string(root().join(name)).with_context(|| format!("cannot read {name}"));
    let package: Value = serde_json::from_str(&read("pkg/package.json")?)?;
    if package["version"] != VERSION {
        bail!("pkg/package.json has the version {}, Cargo.toml {VERSION}", package["version"]);
    }
    if !read("CHANGELOG.md")?.lines().any(|line| line.split(' ').take(2).eq(["##", VERSION])) {
        bail!("CHANGELOG.md has no section {VERSION}");
    }
    Ok(())
}

/// Zips `dist/` with the checksums of its files. The same files give the same bytes.
fn archive() -> Result<PathBuf> {
    let path = folder().join(format!("sightline-site-{VERSION}.zip"));
    let mut files = Vec::new();
    list(&build::dist(), "", &mut files)?;
    files.sort();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(File::create(&path).with_context(|| format!("cannot write {}", path.display()))?);
    let mut sums = String::new();
    for (name, source) in &files {
        let bytes = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
        sums += &line(&bytes, name);
        zip.start_file(format!("sightline-{VERSION}/{name}"), options)?;
        zip.write_all(&bytes)?;
    }
    zip.start_file(format!("sightline-{VERSION}/SHA256SUMS"), options)?;
    zip.write_all(sums.as_bytes())?;
    zip.finish()?;
    Ok(path)
}

/// The files below `folder`, with names as in a zip, which compresses by itself: neither hidden
/// files nor compressed copies.
fn list(folder: &Path, below: &str, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_name().to_string_lossy().starts_with('.') || build::original(&entry.path()) != entry.path() {
            continue;
        }
        if entry.path().is_dir() {
            list(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

/// As `sha256sum --check` reads it.
fn line(bytes: &[u8], name: &str) -> String {
    format!("{}  {name}\n", tools::sha256(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_the_same() {
        versions().unwrap();
    }

    #[test]
    fn checksums_are_those_of_sha256sum() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(line(b"abc", "a/b.js"), format!("{abc}  a/b.js\n"));
    }
}
