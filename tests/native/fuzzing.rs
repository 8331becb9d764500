//! Every fuzz target for a few seconds, with seeded mutations; `cargo xtask fuzz` runs them for
//! longer.

use std::time::Instant;

use crate::fuzz::drive::{check, run};
use crate::fuzz::targets::{TARGETS, Target};

/// One that changes with each run would make a failure hard to see again.
const SEED: u64 = 1;

fn is_sound(name: &str, executions: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let minutes: f64 = std::env::var("SIGHTLINE_FUZZ_MINUTES").map_or(0.0, |text| text.parse().expect("a number"));
    let began = Instant::now();
    for seed in SEED.. {
        let outcome = run(target, seed, executions);
        println!("{name}: {} executions, {} kinds of answers", outcome.executions, outcome.answers);
        if let Some(finding) = outcome.finding {
            panic!("{name} {}, seed {seed}: {}", finding.what, finding.input.escape_ascii());
        }
        assert!(outcome.answers > 1, "the inputs are all of one kind");
        if began.elapsed().as_secs_f64() >= minutes * 60.0 {
            break;
        }
    }
}

#[test]
fn photo() {
    is_sound("photo", 4000);
}

#[test]
fn config() {
    is_sound("config", 6000);
}

#[test]
fn safetensors() {
    is_sound("safetensors", 10_000);
}

#[test]
fn pth() {
    is_sound("pth", 20_000);
}

#[test]
fn guess() {
    is_sound("guess", 2000);
}

#[test]
fn options() {
    is_sound("options", 1500);
}

const PLANTED: Target = Target {
    name: "planted",
    run: |bytes| {
        assert!(!(bytes.starts_with(b"SLX\x07") && bytes.len() > 6 && bytes[5] > 0x7f), "planted");
        format!("ok {}", bytes.len().min(4))
    },
    corpus: || vec![vec![0; 16]],
    dictionary: || vec![b"SLX\x07"],
    most: 64,
    memory: |_| 1 << 20,
};

#[test]
fn a_planted_panic_behind_a_magic_is_found_and_minimised() {
    let finding = run(&PLANTED, SEED, 200_000).finding.expect("the panic is found");
    assert!(finding.what.starts_with("panicked: planted"), "{}", finding.what);
    assert_eq!(finding.input.len(), 7, "{:?}", finding.input);
    let greedy = Target { run: |bytes| format!("{}", vec![1u8; 2 << 20].len() + bytes.len()), ..PLANTED };
    assert!(check(&greedy, &[]).is_err_and(|what| what.contains("bytes of memory")));
}
