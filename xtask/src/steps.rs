//! A run of checks, one step after the other, and what is said of it at its end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How many of the slowest tests are named.
const SLOWEST: usize = 10;

/// How long something took, by name.
pub type Times = Vec<(String, Duration)>;

/// What the steps so far have shown.
#[derive(Default)]
pub struct Steps {
    steps: Times,
    tests: Times,
    skipped: Vec<String>,
}

impl Steps {
    /// Runs `work`, up to the first step that fails, and prints the times of what was run.
    ///
    /// # Errors
    /// That of the step.
    pub fn run(work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let start = Instant::now();
        let mut steps = Self::default();
        let result = work(&mut steps);
        print!("{}", steps.tables());
        result?;
        println!("\n{}", steps.verdict(start.elapsed()));
        Ok(())
    }

    /// One part of the run, under a heading of its own.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        self.steps.push((name.to_owned(), time));
        let value = result.with_context(|| format!("{name} failed"))?;
        println!("== {name}: ok, {:.0} s", time.as_secs_f64());
        Ok(value)
    }

    /// Adds what single tests took.
    pub fn tests(&mut self, times: Times) {
        self.tests.extend(times);
    }

    /// Keeps in mind what could not be checked here, and why.
    pub fn skip(&mut self, what: impl IntoIterator<Item = String>) {
        self.skipped.extend(what);
    }

    fn tables(&self) -> String {
        let mut slowest: Vec<_> = self.tests.iter().collect();
        slowest.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        slowest.truncate(SLOWEST);
        table("seconds of each part", self.steps.iter()) + &table("seconds of the slowest tests", slowest.into_iter())
    }

    fn verdict(&self, time: Duration) -> String {
        let passed = format!("all passed in {:.0} s", time.as_secs_f64());
        match self.skipped.as_slice() {
            [] => passed,
            skipped => format!("{passed}; not checked: {}", skipped.join("; ")),
        }
    }
}

fn table<'a>(title: &str, rows: impl ExactSizeIterator<Item = &'a (String, Duration)>) -> String {
    if rows.len() == 0 {
        return String::new();
    }
    let rows = rows.map(|(name, time)| format!("{:>8.1}  {name}\n", time.as_secs_f64()));
    format!("\n== {title}\n{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn the_end_says_what_took_long_and_what_was_left_out() {
        let mut steps = Steps::default();
        assert_eq!(
            (steps.tables(), steps.verdict(Duration::from_secs(61))),
            (String::new(), "all passed in 61 s".into())
        );
        steps.tests((1..=12).map(|second| (format!("test {second}"), Duration::from_secs(second))).collect());
        let tables = steps.tables();
        let lines: Vec<_> = tables.lines().collect();
        assert_eq!(lines[..3], ["", "== seconds of the slowest tests", "    12.0  test 12"]);
        assert_eq!((lines.len(), lines[11]), (12, "     3.0  test 3"));
        steps.skip(["a (b)".to_owned(), "c".to_owned()]);
        assert_eq!(steps.verdict(Duration::from_millis(900)), "all passed in 1 s; not checked: a (b); c");
    }

    #[test]
    fn a_step_that_fails_is_named_and_timed() {
        let mut steps = Steps::default();
        assert_eq!(steps.step("one", || Ok(1)).unwrap(), 1);
        let error = steps.step("two", || -> Result<()> { bail!("why") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "two failed: why");
        let names: Vec<_> = steps.steps.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
    }
}
