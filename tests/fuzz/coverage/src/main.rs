//! libFuzzer's program: `SIGHTLINE_FUZZ` names the target.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

mod common;
#[path = "../../drive.rs"]
#[allow(dead_code, reason = "the driver of the tests; only its check is used here")]
mod drive;
#[path = "../../mutate.rs"]
#[allow(dead_code)]
mod mutate;
#[path = "../../targets.rs"]
mod targets;

#[global_allocator]
static MEMORY: common::alloc::Counting = common::alloc::Counting;

fn target() -> &'static targets::Target {
    static TARGET: OnceLock<&targets::Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("SIGHTLINE_FUZZ").unwrap_or_default();
        targets::TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target {name:?}"))
    })
}

/// Writes the target's corpus and dictionary where libFuzzer looks for them.
fn prepare() {
    let Some(folder) = std::env::var_os("SIGHTLINE_FUZZ_FOLDER").map(PathBuf::from) else { return };
    for (index, input) in (target().corpus)().iter().enumerate() {
        fs::write(folder.join("corpus").join(format!("seed-{index}")), input).expect("the corpus can be written");
    }
    let escaped = |word: &[u8]| word.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let words: String = (target().dictionary)().into_iter().map(|word| format!("\"{}\"\n", escaped(word))).collect();
    fs::write(folder.join("dictionary"), words).expect("the dictionary can be written");
}

fuzz_target!(init: prepare(), |bytes: &[u8]| {
    if let Err(what) = drive::check(target(), &bytes[..bytes.len().min(target().most)]) {
        panic!("{what}");
    }
});
