//! Runs a target on mutated inputs without a fuzzing engine. What answers in a new way joins the
//! corpus. The same seed gives the same run.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::mutate::{Random, mutate};
use super::targets::Target;
use crate::common::alloc::measured;

/// An input may take so long, in processor time.
const LONGEST: Duration = Duration::from_secs(2);
/// Minimising stops after so long.
const MINIMISING: Duration = Duration::from_secs(5);

/// What an input did that none may do.
#[derive(Debug)]
pub struct Finding {
    pub what: String,
    pub input: Vec<u8>,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub executions: usize,
    /// Kinds of answers.
    pub answers: usize,
    pub finding: Option<Finding>,
}

/// What the target may not do with this input.
pub fn check(target: &Target, input: &[u8]) -> Result<String, String> {
    let began = processor_time();
    let (result, usage) = measured(|| catch_unwind(AssertUnwindSafe(|| (target.run)(input))));
    let took = processor_time().saturating_sub(began);
    let answer = result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default())
    })?;
    let allowed = (target.memory)(input.len());
    if usage.peak > allowed {
        return Err(format!("took {} bytes of memory for {} of input; {allowed} are allowed", usage.peak, input.len()));
    }
    if took > LONGEST {
        return Err(format!("took {took:?} of processor time"));
    }
    Ok(answer)
}

/// Runs `executions` mutated inputs, after the corpus as it is.
pub fn run(target: &Target, seed: u64, executions: usize) -> Outcome {
    let mut corpus = (target.corpus)();
    let mut random = Random::new(seed);
    let mut answers = BTreeSet::new();
    let mut outcome = Outcome::default();
    for index in 0..corpus.len() + executions {
        let input = match corpus.get(index) {
            Some(seed) if index < executions.min(corpus.len()) => seed.clone(),
            _ => {
                let (one, other) = (random.below(corpus.len()), random.below(corpus.len()));
                let mut input = corpus.get(one).cloned().unwrap_or_default();
                let other = corpus.get(other).cloned().unwrap_or_default();
                mutate(&mut input, &mut random, &(target.dictionary)(), &other, target.most);
                input
            }
        };
        outcome.executions += 1;
        match check(target, &input) {
            Ok(answer) => {
                if answers.insert(kind(&answer)) {
                    corpus.push(input);
                }
            }
            Err(what) => {
                let input = minimised(target, input);
                keep(target, &input);
                outcome.finding = Some(Finding { what, input });
                break;
            }
        }
    }
    outcome.answers = answers.len();
    outcome
}

/// An answer without its numbers and names, so that answers of one kind are the same.
fn kind(answer: &str) -> String {
    let mut quoted = false;
    answer
        .chars()
        .filter(|&c| {
            quoted ^= c == '"';
            !quoted && !c.is_ascii_digit()
        })
        .take(60)
        .collect()
}

/// As small as leaving pieces out makes it while it still does what it may not.
fn minimised(target: &Target, mut input: Vec<u8>) -> Vec<u8> {
    let until = Instant::now() + MINIMISING;
    let mut piece = input.len() / 2;
    while piece > 0 && Instant::now() < until {
        let mut at = 0;
        while at < input.len() && Instant::now() < until {
            let mut shorter = input.clone();
            shorter.drain(at..(at + piece).min(input.len()));
            if check(target, &shorter).is_err() { input = shorter } else { at += piece }
        }
        piece /= 2;
    }
    input
}

fn keep(target: &Target, input: &[u8]) {
    let folder = super::targets::root().join("target/fuzz").join(target.name);
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let file = folder.join(format!("finding-{:016x}", hasher.finish()));
    if std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, input)).is_ok() {
        eprintln!("{}: the input is in {}", target.name, file.display());
    }
}

/// Of this thread, so that a busy machine makes nothing slow; elsewhere than on Linux a clock's.
fn processor_time() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next().and_then(|first| first.parse().ok()));
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}
