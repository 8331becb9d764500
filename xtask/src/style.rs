//! How files are written: as rustfmt leaves them, in lines of bounded length.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::tools::{self, command, root};

/// Columns of a line of code. A comment beside code counts as code.
const CODE: usize = 120;
/// Columns of a line that holds nothing but a comment, a doc comment or a docstring.
const COMMENT: usize = 100;
/// A word of more characters than this (an address, a hash) has no place to break at, and its line
/// is not measured.
const WORD: usize = 80;
/// What no one writes by hand, by the beginning of its path.
const GENERATED: [&str; 1] = ["tests/golden/"];

/// Compares every Rust file with what rustfmt would write. `cargo fmt` sees only those that it
/// reaches by `mod` lines, and a macro can hide these.
pub fn format() -> Result<()> {
    tools::run(&mut tools::cargo(&["fmt", "--all", "--check"]))?;
    tools::run(command("rustfmt", &["--check"]).args(tools::files(&["*.rs"])?))
}

/// Measures the lines of all code. Markdown and data are not code.
///
/// # Errors
/// Where a line is too long; each is printed.
pub fn lengths() -> Result<()> {
    let patterns: Vec<String> = SYNTAXES.iter().map(|(kind, _)| format!("*.{kind}")).collect();
    let names = tools::files(&patterns.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut count = 0;
    for name in names.iter().filter(|name| GENERATED.iter().all(|folder| !name.starts_with(folder))) {
        let text = fs::read_to_string(root().join(name)).with_context(|| format!("cannot read {name}"))?;
        for line in long_lines(name, &text) {
            println!("{name}:{}: {} columns, at most {}", line.number, line.columns, line.limit);
            count += 1;
        }
    }
    match count {
        0 => Ok(()),
        count => bail!("{count} lines are too long"),
    }
}

/// What a line that is nothing but a comment begins with, and what encloses comments.
struct Syntax {
    line: &'static [&'static str],
    block: &'static [(&'static str, &'static str)],
    /// Whether a literal that is too long stays as it is.
    literals: bool,
}

const C: Syntax = Syntax { line: &["//"], block: &[("/*", "*/")], literals: false };
const JS: Syntax = Syntax { literals: true, ..C };
const CSS: Syntax = Syntax { line: &[], ..C };
const HASH: Syntax = Syntax { line: &["#"], block: &[], literals: false };
/// Not measured: HTML, which is prose with tags, as Markdown is; and Python, whose programs are
/// kept as they ran when they made the committed references and weights.
const SYNTAXES: [(&str, Syntax); 8] =
    [("rs", C), ("js", JS), ("mjs", JS), ("jsx", JS), ("ts", JS), ("css", CSS), ("toml", HASH), ("yml", HASH)];

/// A line that is too long.
#[derive(Debug, PartialEq)]
struct Line {
    number: usize,
    columns: usize,
    limit: usize,
}

fn long_lines(name: &str, text: &str) -> Vec<Line> {
    let name = Path::new(name);
    let Some((_, syntax)) = SYNTAXES.iter().find(|(kind, _)| name.extension().is_some_and(|end| end == *kind)) else {
        return Vec::new();
    };
    let mut long = Vec::new();
    let mut end = None;
    for (at, line) in text.lines().enumerate() {
        let limit = if is_comment(line, syntax, &mut end) { COMMENT } else { CODE };
        let columns = line.chars().count();
        let breaks = line.split_whitespace().all(|word| word.chars().count() <= WORD);
        let literal = syntax.literals && limit == CODE && without_literals(line).chars().count() <= limit;
        if columns > limit && breaks && !literal {
            long.push(Line { number: at + 1, columns, limit });
        }
    }
    long
}

/// A line of JavaScript less what stands in its strings, templates and, where it begins with one, a
/// regular expression: no formatter breaks these.
fn without_literals(line: &str) -> String {
    let mut rest = line.chars();
    let mut code = String::new();
    let mut open = None;
    while let Some(c) = rest.next() {
        match open {
            Some(_) if c == '\\' => drop(rest.next()),
            Some(end) if c == end => open = None,
            Some(_) => (),
            None if matches!(c, '\'' | '"' | '`') => open = Some(c),
            None if c == '/' && code.trim().is_empty() => open = Some('/'),
            None => code.push(c),
        }
    }
    code
}

/// Whether a line is nothing but a comment. `end` is what ends the comment that the line begins in.
fn is_comment(line: &str, syntax: &Syntax, end: &mut Option<&'static str>) -> bool {
    let line = line.trim_start();
    if end.is_none() && syntax.line.iter().any(|start| line.starts_with(start)) {
        return true;
    }
    let rest = match *end {
        Some(_) => line,
        None => match syntax.block.iter().find_map(|&(start, end)| Some((line.strip_prefix(start)?, end))) {
            Some((rest, closes)) => {
                *end = Some(closes);
                rest
            }
            None => return false,
        },
    };
    match end.and_then(|end| rest.split_once(end)) {
        Some((_, code)) => {
            *end = None;
            code.trim().is_empty()
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each line of `text` is nothing but a comment.
    fn comments(kind: &str, text: &str) -> Vec<bool> {
        let (_, syntax) = SYNTAXES.iter().find(|(name, _)| *name == kind).unwrap();
        let mut end = None;
        text.lines().map(|line| is_comment(line, syntax, &mut end)).collect()
    }

    #[test]
    fn rustfmt_knows_the_edition() {
        let edition = |file: &str| {
            let text = fs::read_to_string(root().join(file)).unwrap();
            text.lines().find(|line| line.starts_with("edition = ")).unwrap().to_owned()
        };
        assert_eq!(edition("rustfmt.toml"), edition("Cargo.toml"));
    }

    #[test]
    fn columns_are_characters() {
        let line = |start: &str, columns: usize| start.to_owned() + &" é".repeat((columns - start.len()) / 2);
        assert_eq!(long_lines("a.rs", &line("fn", 120)), []);
        assert_eq!(long_lines("a.rs", &line("fn", 122)), [Line { number: 1, columns: 122, limit: CODE }]);
        assert_eq!(long_lines("a.rs", &line("//", 100)), []);
        assert_eq!(long_lines("a.rs", &line("\n//", 103)), [Line { number: 2, columns: 102, limit: COMMENT }]);
        assert_eq!(long_lines("a.md", &line("//", 200)), []);
    }

    #[test]
    fn comments_are_told_from_code() {
        assert_eq!(comments("rs", "//! a\n/// b\n  // c\nlet a = 1; // d"), [true, true, true, false]);
        assert_eq!(comments("js", "/**\n * a\n b\n */\nc"), [true, true, true, true, false]);
        assert_eq!(comments("ts", "/* a */ b\nc /* d\ne"), [false, false, false]);
        assert_eq!(comments("mjs", "/* a\nb */ c\nd"), [true, false, false]);
        assert_eq!(comments("css", "// a\n/* b"), [false, true]);
        assert_eq!(comments("toml", "# a\n[b]"), [true, false]);
    }

    #[test]
    fn what_cannot_be_broken_is_not_measured() {
        let word = "x".repeat(WORD + 1);
        assert_eq!(long_lines("a.rs", &format!("/// See <https://{word}> for more of it")), []);
        let word = "x".repeat(WORD);
        assert_eq!(long_lines("a.rs", &format!("/// See {word} for more of it")).len(), 1);
        let words = "word ".repeat(30);
        for literal in [format!("say('it\\'s {words}');"), format!("`{words}` + `{words}`,"), format!("  /{words}/,")] {
            assert_eq!(long_lines("a.mjs", &literal), []);
            assert_eq!(long_lines("a.rs", &literal).len(), 1);
        }
        assert_eq!(long_lines("a.js", &format!("{words}('')")).len(), 1);
    }
}
