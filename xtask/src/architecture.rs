//! The rooms of `src/` and the direction of its imports, as the architecture page `src/lib.rs` has
//! them, in a fenced block of its docs that is called `text rooms`:
//!
//! ```text
//! wasm: the only folder that speaks to JavaScript
//! evaluate, inside: two rooms of one floor, which know nothing of each other
//! error: what everything may name
//! ```
//!
//! Each line is a floor, with what its rooms are for; a room is a folder or a file directly below
//! `src/`. Code may name its own room and the floors below. Files are read as tokens, so that paths
//! in function bodies, in macros and behind `#[cfg]` count like any other, while doc links and
//! strings do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tools::root;

const PAGE: &str = "lib.rs";
/// Starts the block.
const FENCE: &str = "```text rooms";

/// Compares the sources with the page.
///
/// # Errors
/// Names each room that is missing, and each path that leads up, with its line.
pub fn check() -> Result<()> {
    let files = sources(&root().join("src"))?;
    let (rooms, problems) = problems(&files)?;
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => println!("architecture: {rooms} rooms, every path leads down"),
        count => bail!("the architecture page and the code disagree in {count} places"),
    }
    Ok(())
}

/// How many rooms the page has, and what is wrong. `files` are the texts below `src/` by name.
fn problems(files: &BTreeMap<String, String>) -> Result<(usize, Vec<String>)> {
    let page = files.get(PAGE).context("src/lib.rs is missing")?;
    let house = House { floors: floors(page)?, exports: exports(page)? };
    let files: BTreeMap<_, _> = files.iter().filter(|(name, _)| *name != PAGE).collect();
    let rooms: BTreeSet<_> = files.keys().map(|name| room(name)).collect();
    let named: BTreeSet<_> = house.floors.keys().map(String::as_str).collect();
    let missing = rooms.difference(&named).map(|name| format!("src/lib.rs: the room `{name}` is on no floor"));
    let absent = named.difference(&rooms).map(|name| format!("src/lib.rs: there is no room `{name}`"));
    let mut problems: Vec<_> = missing.chain(absent).collect();
    for (name, text) in files {
        let place = || format!("src/{name}");
        let mut walk = Walk { module: module(name), paths: Vec::new() };
        tokens(text).and_then(|tokens| walk.stream(tokens)).with_context(place)?;
        for (line, path) in &walk.paths {
            if let Some(problem) = house.problem(room(name), path) {
                problems.push(format!("src/{name}:{line}: {problem}"));
            }
        }
    }
    Ok((named.len(), problems))
}

fn tokens(text: &str) -> Result<TokenStream> {
    text.parse().map_err(|error| anyhow!("{error}"))
}

/// The texts of the Rust files below `folder`, by name.
fn sources(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((below, folder)) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push((name + "/", entry.path()));
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(entry.path()).with_context(|| format!("cannot read src/{name}"))?;
                files.insert(name, text);
            }
        }
    }
    Ok(files)
}

/// The room of a file, both by its name below `src/`.
fn room(file: &str) -> &str {
    file.split_once('/').map_or(file.trim_end_matches(".rs"), |(room, _)| room)
}

/// The module that a file is, as the names from the crate's root.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    path.strip_suffix("/mod").unwrap_or(path).split('/').map(str::to_owned).collect()
}

/// The floor of each room, counted from the top.
fn floors(page: &str) -> Result<BTreeMap<String, usize>> {
    let docs = page.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim);
    let block = docs.skip_while(|line| *line != FENCE).skip(1).take_while(|line| !line.starts_with("```"));
    let mut floors = BTreeMap::new();
    for (floor, line) in block.enumerate() {
        let Some((names, purpose)) = line.split_once(':') else {
            bail!("src/lib.rs: `{line}` is not `room: what it is for`");
        };
        if purpose.trim().is_empty() {
            bail!("src/lib.rs: what `{names}` is for is not said");
        }
        for name in names.split(',').map(str::trim) {
            if floors.insert(name.to_owned(), floor).is_some() {
                bail!("src/lib.rs: the room `{name}` is named twice");
            }
        }
    }
    if floors.is_empty() {
        bail!("src/lib.rs has no block {FENCE}");
    }
    Ok(floors)
}

/// What `src/lib.rs` hands on from rooms under names of its own: the room of each name.
fn exports(page: &str) -> Result<BTreeMap<String, String>> {
    let tokens: Vec<_> = tokens(page)?.into_iter().collect();
    let mut exports = BTreeMap::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| is_ident(token, "use")) {
        for path in tree(&tokens[at + 1..]).0 {
            // `crate::` and `self::` mean the same as nothing here.
            let mut segments = path.segments.into_iter().skip_while(|name| name == "crate" || name == "self");
            if let (Some(room), Some(name)) = (segments.next(), path.name) {
                exports.insert(name, room);
            }
        }
    }
    Ok(exports)
}

/// The order of the rooms.
struct House {
    floors: BTreeMap<String, usize>,
    exports: BTreeMap<String, String>,
}

impl House {
    /// What is wrong with a path from the crate's root in the code of `room`.
    fn problem(&self, room: &str, path: &[String]) -> Option<String> {
        let written = [&["crate".to_owned()], path].concat().join("::");
        let first = match path.first().map(String::as_str) {
            None | Some("self" | "*") => return Some(format!("`{written}` hides which rooms are used")),
            Some(first) => first,
        };
        // Else it is one of the crate's own items, which come from no room.
        let to = if self.floors.contains_key(first) { first } else { self.exports.get(first)? };
        let (here, there) = (self.floors.get(room)?, self.floors.get(to)?);
        if to == room || there > here {
            return None;
        }
        let way = if there == here { "on the same floor as" } else { "above" };
        Some(format!("`{written}`: `{to}` is {way} `{room}`"))
    }
}

/// One path of those that a `use` tree or an expression names.
struct NamedPath {
    line: usize,
    segments: Vec<String>,
    /// What the path is called from there on.
    name: Option<String>,
}

/// The paths that the tokens begin with, and how many of the tokens they take.
fn tree(tokens: &[TokenTree]) -> (Vec<NamedPath>, usize) {
    let mut segments = Vec::new();
    let mut at = 0;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => segments.push(ident.to_string()),
            Some(token) if is_punct(token, '*') => segments.push("*".to_owned()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                let branches = inner.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty());
                let mut paths: Vec<_> = branches.flat_map(|branch| tree(branch).0).collect();
                for path in &mut paths {
                    path.segments.splice(0..0, segments.iter().cloned());
                }
                return (paths, at + 1);
            }
            // As of `f::<T>`.
            _ => break,
        }
        at += 1;
        match tokens.get(at..) {
            Some([a, b, ..]) if is_separator(a, b) => at += 2,
            _ => break,
        }
    }
    let line = tokens.first().map_or(0, |token| token.span().start().line);
    let mut name = segments.last().filter(|name| *name != "*").cloned();
    if let Some([keyword, TokenTree::Ident(alias), ..]) = tokens.get(at..)
        && is_ident(keyword, "as")
    {
        name = Some(alias.to_string());
    }
    (vec![NamedPath { line, segments, name }], at)
}

/// Collects what a file names by paths that begin with `crate` or `super`.
struct Walk {
    /// The module that is walked, as the names from the crate's root.
    module: Vec<String>,
    /// Each with its line, from the crate's root.
    paths: Vec<(usize, Vec<String>)>,
}

impl Walk {
    fn stream(&mut self, stream: TokenStream) -> Result<()> {
        let tokens: Vec<_> = stream.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match (token, &tokens[at + 1..]) {
                (TokenTree::Ident(keyword), [TokenTree::Ident(name), TokenTree::Group(body), ..])
                    if *keyword == "mod" && body.delimiter() == Delimiter::Brace =>
                {
                    self.module.push(name.to_string());
                    self.stream(body.stream())?;
                    self.module.pop();
                    at += 3;
                }
                (TokenTree::Ident(start), _) if *start == "crate" || *start == "super" => {
                    let (paths, taken) = tree(&tokens[at..]);
                    for path in paths {
                        self.keep(path)?;
                    }
                    at += taken;
                }
                (TokenTree::Group(group), _) => {
                    self.stream(group.stream())?;
                    at += 1;
                }
                _ => at += 1,
            }
        }
        Ok(())
    }

    /// Keeps a path that begins with `crate` or `super`, but for what stands in `pub(crate)`.
    fn keep(&mut self, path: NamedPath) -> Result<()> {
        let NamedPath { line, segments, name } = path;
        if segments.len() == 1 && segments.last() == name.as_ref() {
            return Ok(());
        }
        let supers = segments.iter().take_while(|name| *name == "super").count();
        let base = match supers {
            0 => &[],
            _ => {
                let depth = self.module.len().checked_sub(supers);
                let depth = depth.with_context(|| format!("line {line}: `super` leads out of the crate"))?;
                &self.module[..depth]
            }
        };
        self.paths.push((line, [base, &segments[supers.max(1)..]].concat()));
        Ok(())
    }
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if *ident == name)
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

fn is_separator(a: &TokenTree, b: &TokenTree) -> bool {
    is_punct(a, ':') && is_punct(b, ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &str = "\
//! # The page
//!
//! ```text rooms
//! top: speaks to the world
//! left, right: two of a floor
//! base: what all stand on
//! ```
//! Later blocks are not read:
//! ```text
//! nothing: at all
//! ```
pub mod top;
pub use base::{Thing, deep::Other as Renamed};
pub use crate::left::Left;
pub const VERSION: &str = \"1\";
";

    /// What is wrong with a house of this page, the rooms that [`HOUSE`] names, and one file more.
    fn check(page: &str, file: &str, text: &str) -> Result<Vec<String>> {
        let rooms = ["top/mod.rs", "left.rs", "right/mod.rs", "base/mod.rs"].map(|room| (room, ""));
        let files = rooms.into_iter().chain([(PAGE, page), (file, text)]);
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        problems(&files).map(|(_, problems)| problems)
    }

    /// What is wrong where one file is added to the rooms.
    fn file(name: &str, text: &str) -> Vec<String> {
        check(HOUSE, name, text).unwrap()
    }

    #[test]
    fn paths_that_lead_down_or_stay_are_allowed() {
        let top = "
            //! Doc links are no imports: [`crate::top`].
            use crate::{base::{self, deep::*}, left::f as g, right, top::a};
            use crate::VERSION;
            pub(crate) fn f() { super::left::f(); crate::Thing::new::<crate::right::T>(); }
        ";
        assert_eq!(file("top/b.rs", top), [""; 0]);
        let base = "
            /// See [`crate::top::f`] and \"crate::top\".
            pub fn f() -> &'static str { \"crate::top::f\" } // crate::top
            pub(in crate::base) fn g() {}
            mod tests { use super::*; use super::super::c; use crate::base::c::d; }
        ";
        assert_eq!(file("base/b.rs", base), [""; 0]);
    }

    #[test]
    fn paths_that_lead_up_are_named_with_their_line() {
        let said = file("base/b.rs", "\n\nuse crate::{\n    base::c,\n    left::{self, f},\n};");
        let up =
            |line: usize, path: &str, room: &str| format!("src/base/b.rs:{line}: `{path}`: `{room}` is above `base`");
        assert_eq!(said, [up(5, "crate::left::self", "left"), up(5, "crate::left::f", "left")]);
        // In functions, types and macros, in modules of their own, in code that is left out, in
        // what is handed on, and in lists of names.
        for code in [
            "fn f() { crate::top::g(); }",
            "fn f() { super::super::top::g(); }",
            "fn f() { vec![1, crate::top::N]; }",
            "macro_rules! m { () => { $crate::top::g() } }",
            "mod c { pub use super::super::super::top; }",
            "#[cfg(test)]\nmod tests { use crate::top; }",
            "#[cfg(feature = \"x\")] pub use crate::top as low;",
            "fn f(_: impl Into<crate::top::T>) {}",
            "use super::{c, super::top};",
            "use {super::c, super::super::top};",
            "use self::super::super::top::{a, b as c};",
        ] {
            let said = file("base/b.rs", code);
            assert!(said.iter().any(|said| said.contains("`top` is above `base`")), "{code}: {said:?}");
        }
        assert_eq!(file("base.rs", "use super::top;").len(), 1);
    }

    #[test]
    fn rooms_of_one_floor_know_nothing_of_each_other() {
        let said = file("left.rs", "use crate::right::f;");
        assert_eq!(said, ["src/left.rs:1: `crate::right::f`: `right` is on the same floor as `left`"]);
    }

    #[test]
    fn names_that_the_page_hands_on_count_as_their_rooms() {
        assert_eq!(file("base/b.rs", "use crate::{Thing, Renamed, VERSION};"), [""; 0]);
        let said = file("base/b.rs", "use crate::Left;");
        assert_eq!(said, ["src/base/b.rs:1: `crate::Left`: `left` is above `base`"]);
    }

    #[test]
    fn the_whole_crate_cannot_be_imported() {
        for code in ["use crate::*;", "use super::super::*;", "use crate as all;", "use crate::{self as all};"] {
            let said = file("base/b.rs", code);
            assert!(said.len() == 1 && said[0].contains("hides"), "{code}: {said:?}");
        }
        assert!(check(HOUSE, "base/b.rs", "use super::super::super::x;").is_err());
    }

    #[test]
    fn the_page_names_each_room_once() {
        let said = file("cellar/mod.rs", "");
        assert_eq!(said, ["src/lib.rs: the room `cellar` is on no floor"]);
        let page = HOUSE.replace("//! base:", "//! attic, base:");
        assert_eq!(check(&page, "base/mod.rs", "").unwrap(), ["src/lib.rs: there is no room `attic`"]);
        let refused = |page: &str| check(page, "base/mod.rs", "").unwrap_err().to_string();
        assert!(refused(&HOUSE.replace("//! base:", "//! top, base:")).contains("`top` is named twice"));
        assert!(refused(&HOUSE.replace(" what all stand on", "")).contains("what `base` is for"));
        assert!(refused(&HOUSE.replace("//! base:", "//! base")).contains("is not `room: what it is for`"));
        assert!(refused("//! ```text\n//! top: x\n//! ```\n").contains(FENCE));
    }
}
